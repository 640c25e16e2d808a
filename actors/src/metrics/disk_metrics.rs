//! Whether this node's disks answer, read when somebody scrapes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::broker::Broker;

/// Which log directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectoryLabel {
    /// Its path.
    pub directory: String,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct DiskMetrics {
    /// 1 while the disk does not answer, 0 otherwise.
    pub hung: Family<DirectoryLabel, Gauge>,
    /// Milliseconds for which the oldest write or flush has been under way.
    pub oldest_work: Family<DirectoryLabel, Gauge>,
    /// How often the disk stopped answering.
    pub hangs: Family<DirectoryLabel, Counter>,
}

impl DiskMetrics {
    /// Gives them their names.
    pub fn register(&self, r: &mut Registry) {
        r.register("hung", "Whether the log directory's disk does not answer", self.hung.clone());
        let help = "Milliseconds for which the oldest write or flush has been under way";
        r.register("oldest_work_ms", help, self.oldest_work.clone());
        let help = "Times that the log directory's disk stopped answering";
        r.register("hangs", help, self.hangs.clone());
    }

    /// Looks how it is now.
    pub fn read(&self, broker: &Broker) {
        let work = &broker.file_work;
        let directory = broker.settings.load().data_directory.clone();
        let label = DirectoryLabel { directory };
        let oldest_ms = i64::try_from(work.oldest().as_millis()).unwrap_or(i64::MAX);
        self.hung.get_or_create(&label).set(i64::from(work.is_hung()));
        self.oldest_work.get_or_create(&label).set(oldest_ms);
        let hangs = self.hangs.get_or_create(&label);
        hangs.inc_by(work.hangs().saturating_sub(hangs.get()));
    }
}
