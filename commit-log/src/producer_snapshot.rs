//! Kafka's `.snapshot` file: the producers' state just before the offset that names the file.
//!
//! ```text
//! 0 version i16 = 1 │ 2 CRC-32C u32 of all that follows │ 6 number of entries i32
//! an entry: 0 producer id i64 │ 8 epoch i16 │ 10 last sequence i32 │ 14 last offset i64
//! │ 22 offset delta i32 │ 26 timestamp i64 │ 34 coordinator epoch i32
//! │ 38 first offset of the open transaction i64
//! ```
//!
//! All numbers are big-endian; −1 stands for none. Only the last batch of each producer is kept.

use protocol::record_batch::crc32c;
use protocol::{Offset, ProducerEpoch, ProducerId};

use crate::checkpoint::CheckpointDamage;
use crate::producer_state::{ProducerBatch, ProducerState, ProducerStates};

const VERSION: i16 = 1;
const CRC_END: usize = 6;
const HEAD_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

/// The file's contents.
pub(crate) fn snapshot_to_bytes(producers: &ProducerStates) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + producers.len() * ENTRY_BYTES);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(i32::try_from(producers.len()).unwrap_or(i32::MAX).to_be_bytes());
    for (id, state) in producers.sorted() {
        write_entry(&mut bytes, id, &state);
    }
    let crc = crc32c(&bytes[CRC_END..]);
    bytes[2..CRC_END].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn write_entry(bytes: &mut Vec<u8>, id: ProducerId, state: &ProducerState) {
    let last = state.last_batch();
    let transaction = state.transaction_start_offset.unwrap_or(Offset::UNKNOWN);
    bytes.extend(id.0.to_be_bytes());
    bytes.extend(state.producer_epoch.0.to_be_bytes());
    bytes.extend(last.map_or(-1, |batch| batch.last_sequence).to_be_bytes());
    bytes.extend(last.map_or(-1, |batch| batch.last_offset.value()).to_be_bytes());
    bytes.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
    bytes.extend(state.last_timestamp.to_be_bytes());
    bytes.extend(state.coordinator_epoch.to_be_bytes());
    bytes.extend(transaction.value().to_be_bytes());
}

/// Reads the file's contents.
pub(crate) fn parse_snapshot(contents: &[u8]) -> Result<ProducerStates, CheckpointDamage> {
    let malformed = CheckpointDamage::Malformed { line: 1 };
    let (head, entries) = contents.split_at_checked(HEAD_BYTES).ok_or(malformed.clone())?;
    let mut head = Fields(head);
    let version = i16::from_be_bytes(head.take());
    if version != VERSION {
        let (version, known) = (i64::from(version), i64::from(VERSION));
        return Err(CheckpointDamage::NewerVersion { version, known });
    }
    if u32::from_be_bytes(head.take()) != crc32c(&contents[CRC_END..]) {
        return Err(CheckpointDamage::Checksum);
    }
    let promised = usize::try_from(i32::from_be_bytes(head.take())).map_err(|_| malformed)?;
    let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
    if entries.len() != promised || !rest.is_empty() {
        return Err(CheckpointDamage::Entries { found: entries.len(), promised });
    }
    let mut producers = ProducerStates::default();
    for entry in entries {
        let (id, state) = parse_entry(entry);
        producers.insert(id, state);
    }
    Ok(producers)
}

fn parse_entry(entry: &[u8; ENTRY_BYTES]) -> (ProducerId, ProducerState) {
    let mut fields = Fields(entry);
    let id = ProducerId(i64::from_be_bytes(fields.take()));
    let mut state = ProducerState::new(ProducerEpoch(i16::from_be_bytes(fields.take())));
    let batch = ProducerBatch {
        last_sequence: i32::from_be_bytes(fields.take()),
        last_offset: Offset::new(i64::from_be_bytes(fields.take())),
        offset_delta: i32::from_be_bytes(fields.take()),
        timestamp: i64::from_be_bytes(fields.take()),
    };
    if batch.last_offset.is_valid() {
        state.remember(batch);
    }
    state.last_timestamp = batch.timestamp;
    state.coordinator_epoch = i32::from_be_bytes(fields.take());
    let transaction = Offset::new(i64::from_be_bytes(fields.take()));
    state.transaction_start_offset = Some(transaction).filter(|offset| offset.is_valid());
    (id, state)
}

/// The fields of an entry, one after the other; zeros behind the end, which is never reached.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producers() -> ProducerStates {
        let mut producers = ProducerStates::default();
        let mut busy = ProducerState::new(ProducerEpoch(3));
        busy.remember(ProducerBatch {
            last_sequence: 9,
            last_offset: Offset::new(109),
            offset_delta: 4,
            timestamp: 1_000,
        });
        busy.transaction_start_offset = Some(Offset::new(105));
        producers.insert(ProducerId(7), busy);
        let mut fenced = ProducerState::new(ProducerEpoch(1));
        fenced.coordinator_epoch = 2;
        fenced.last_timestamp = 500;
        producers.insert(ProducerId(1), fenced);
        producers
    }

    #[test]
    fn producers_come_back_as_they_were() {
        let bytes = snapshot_to_bytes(&producers());
        assert_eq!(bytes.len(), HEAD_BYTES + 2 * ENTRY_BYTES);
        assert_eq!(parse_snapshot(&bytes).unwrap().sorted(), producers().sorted());
        let empty = snapshot_to_bytes(&ProducerStates::default());
        assert_eq!(parse_snapshot(&empty).unwrap().len(), 0);
    }

    #[test]
    fn no_damaged_byte_and_no_missing_one_goes_unnoticed() {
        let bytes = snapshot_to_bytes(&producers());
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(parse_snapshot(&damaged).is_err(), "byte {place}");
            assert!(parse_snapshot(&bytes[..place]).is_err(), "cut at {place}");
        }
    }
}
