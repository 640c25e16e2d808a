//! Turns the places that consumers start from into offsets.

use protocol::{Offset, TopicPartition};

use super::settings::{Isolation, StartAt};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::offset_lookup::{OffsetQuery, find_offsets};

/// A question about a place in a partition: the partition, its incarnation, the place.
pub(super) type PlaceQuery = (TopicPartition, u64, StartAt);

/// Turns places into offsets.
pub(super) async fn find_places(
    cluster: &Cluster,
    isolation: Isolation,
    places: Vec<PlaceQuery>,
) -> Vec<(TopicPartition, u64, Result<Offset>)> {
    let ask = async |query: fn(StartAt) -> Option<OffsetQuery>| {
        let queries = places
            .iter()
            .filter_map(|(partition, _, start)| Some((partition.clone(), query(*start)?)))
            .collect();
        find_offsets(cluster, isolation, queries).await
    };
    let first = ask(|start| match start {
        StartAt::Earliest => Some(OffsetQuery::Earliest),
        StartAt::Latest | StartAt::BeforeEnd(_) => Some(OffsetQuery::Latest),
        StartAt::Timestamp(time) => Some(OffsetQuery::Timestamp(time)),
        StartAt::Offset(_) => None,
    });
    let first = first.await;
    // where a time has no record: the end; where a distance reaches too far: the beginning
    let second = ask(|start| match start {
        StartAt::BeforeEnd(_) => Some(OffsetQuery::Earliest),
        StartAt::Timestamp(_) => Some(OffsetQuery::Latest),
        StartAt::Earliest | StartAt::Latest | StartAt::Offset(_) => None,
    });
    let second = second.await;
    let place = |partition: &TopicPartition, start: StartAt| {
        let of = |found: &crate::offset_lookup::FoundOffsets| match found.get(partition) {
            Some(Ok(found)) => Ok(found.offset),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        };
        let (first, second) = (of(&first)?, of(&second)?);
        Ok(match start {
            StartAt::Offset(offset) => Some(offset),
            StartAt::Earliest | StartAt::Latest => first,
            StartAt::Timestamp(_) => first.or(second),
            StartAt::BeforeEnd(records) => {
                first.map(|end| end.plus(-i64::from(records)).max(second.unwrap_or(Offset::ZERO)))
            }
        })
    };
    let found = places.iter().map(|(partition, incarnation, start)| {
        let missing = || Error::NoOffset { partition: partition.clone() };
        let offset = place(partition, *start).and_then(|offset| offset.ok_or_else(missing));
        (partition.clone(), *incarnation, offset)
    });
    found.collect()
}
