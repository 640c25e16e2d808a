//! What clients wait for acknowledgements, as demonstrations tell it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::load::Load;
use super::load::lane::Latencies;
use super::telling::in_ms;

/// What a client waits at most. The promises are shorter; they are not checked on a machine that may
/// be busy with something else, where that would say nothing about the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the records since the last call waited. No client may have met an error.
pub fn waits(load: &Load) -> Result<String> {
    let mut all = Latencies::default();
    for lane in load.lanes() {
        ensure!(lane.errors().is_empty(), "{}: {:?}", lane.partition(), lane.errors());
        all.add(lane.take_latencies());
    }
    let count = all.acked.len();
    let of = |percent| Latencies::percentile(all.acked.clone(), percent);
    let longest = of(100).context("nothing was acknowledged")?;
    ensure!(longest < PATIENCE, "a client waited {longest:?}");
    let (p50, longest) = (in_ms(of(50).unwrap_or_default()), in_ms(longest));
    Ok(format!("{count} records acknowledged after p50 {p50}, longest {longest}; no errors"))
}
