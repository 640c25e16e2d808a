//! Groups rebuilt from a partition of `__consumer_offsets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::GroupId;

use crate::classic_group::ClassicGroup;
use crate::offsets_topic::{DecodedRecord, OffsetsTopicError, decode};
use crate::settings::GroupSettings;

/// Takes the committed records of a partition in the order of the log and makes groups of them.
/// It holds what is alive and nothing else, however long the log.
///
/// The caller leaves out control batches and batches of transactions.
#[derive(Debug)]
pub struct GroupLoader {
    settings: Arc<GroupSettings>,
    only: Option<GroupId>,
    groups: BTreeMap<GroupId, ClassicGroup>,
    records_passed_over: u64,
}

impl GroupLoader {
    /// For all groups of a partition.
    #[must_use]
    pub const fn new(settings: Arc<GroupSettings>) -> Self {
        Self { settings, only: None, groups: BTreeMap::new(), records_passed_over: 0 }
    }

    /// For one group, whose machine was lost.
    #[must_use]
    pub const fn of_group(group_id: GroupId, settings: Arc<GroupSettings>) -> Self {
        Self { settings, only: Some(group_id), groups: BTreeMap::new(), records_passed_over: 0 }
    }

    /// Takes one record over.
    ///
    /// # Errors
    /// If it cannot be read. What came before it stands; whether to go on without it or to refuse
    /// the partition is for the caller to say.
    pub fn replay(
        &mut self,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), OffsetsTopicError> {
        match decode(key, value)? {
            DecodedRecord::Other { .. } => self.records_passed_over += 1,
            DecodedRecord::Group(group_id, _) if !self.is_wanted(&group_id) => {}
            DecodedRecord::Group(group_id, record) => {
                let mut group = self.groups.remove(&group_id).unwrap_or_else(|| {
                    ClassicGroup::new(group_id.clone(), Arc::clone(&self.settings))
                });
                group.restore(record);
                if !group.is_vacant() {
                    self.groups.insert(group_id, group);
                }
            }
        }
        Ok(())
    }

    fn is_wanted(&self, group_id: &GroupId) -> bool {
        self.only.as_ref().is_none_or(|only| only == group_id)
    }

    /// How many records were of types that classic groups do not have.
    #[must_use]
    pub const fn records_passed_over(&self) -> u64 {
        self.records_passed_over
    }

    /// The groups that are left, by name. Each still needs
    /// [`on_loaded`](ClassicGroup::on_loaded).
    #[must_use]
    pub fn finish(self) -> BTreeMap<GroupId, ClassicGroup> {
        self.groups
    }
}
