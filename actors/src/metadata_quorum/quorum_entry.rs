//! One entry of the quorum log, and its bytes. The format is ours, so that no type of the consensus
//! library reaches the disk.
//!
//! ```text
//! frame:  length u32 │ CRC-32 of the body u32 │ body
//! body:   index u64 │ term u64 │ leader u64 │ kind u8 │ payload
//! kind 0 (blank):       nothing
//! kind 1 (records):     the encoded batch of metadata records; written by older versions
//! kind 2 (membership):  configurations u32 │ each: voters u32 │ voter u64 …
//!                       nodes u32 │ each: id u64 │ address length u32 │ address
//! kind 3 (decision):    the term it was decided in u64 │ the encoded batch of metadata records
//! ```
//!
//! All numbers are big-endian. A frame is at most [`FRAME_BYTES_MAX`] long, and no count in it is
//! trusted for an allocation.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest body. The controller splits larger batches of records.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes before the body.
pub const FRAME_HEAD_BYTES: usize = 8;

const BODY_HEAD_BYTES: usize = 25;
const KIND_BLANK: u8 = 0;
const KIND_RECORDS: u8 = 1;
const KIND_MEMBERSHIP: u8 = 2;
const KIND_DECISION: u8 = 3;

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// The file ends inside a frame: a torn tail, if nothing follows.
    #[error("the frame is cut short: {available} bytes are there, {needed} are needed")]
    Incomplete {
        /// Bytes of the whole frame, as far as known.
        needed: usize,
        /// Bytes at hand.
        available: usize,
    },
    /// A length no writer of ours gives.
    #[error("the frame claims {length} bytes")]
    Length {
        /// The field.
        length: u32,
    },
    /// The bytes are not those that were written.
    #[error("the frame's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum {
        /// The field.
        stored: u32,
        /// CRC-32 of the body.
        computed: u32,
    },
    /// A kind written by a newer program.
    #[error("the entry is of kind {kind}, which this version does not know")]
    Kind {
        /// The field.
        kind: u8,
    },
    /// A body whose parts do not fit in it.
    #[error("the body of the entry at index {index} is damaged")]
    Body {
        /// Its index.
        index: u64,
    },
}

/// Who votes, and where every node is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumMembership {
    /// The voters; two sets while they change.
    pub configurations: Vec<BTreeSet<u64>>,
    /// Voters and learners with their addresses.
    pub nodes: BTreeMap<u64, String>,
}

/// A batch of metadata records as the controller decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedRecords {
    /// The term in which it was decided. In the log of another term the entry says nothing: its
    /// controller did not know all that was agreed on before. `None` from older versions, which
    /// had one voter.
    pub decided_in: Option<u64>,
    /// The encoded batch.
    pub records: Bytes,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuorumPayload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A batch of metadata records.
    Records(ProposedRecords),
    /// A change of the voters.
    Membership(QuorumMembership),
}

/// One entry of the quorum log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumEntry {
    /// Its place, counted from 0 without gaps.
    pub index: u64,
    /// The term of the leader that wrote it.
    pub term: u64,
    /// That leader.
    pub leader: u64,
    /// What it carries.
    pub payload: QuorumPayload,
}

impl QuorumEntry {
    /// Appends the entry's frame to `out`; gives the frame's bytes.
    pub fn encode(&self, out: &mut BytesMut) -> usize {
        let start = out.len();
        out.put_u64(0);
        out.put_u64(self.index);
        out.put_u64(self.term);
        out.put_u64(self.leader);
        match &self.payload {
            QuorumPayload::Blank => out.put_u8(KIND_BLANK),
            QuorumPayload::Records(ProposedRecords { decided_in, records }) => {
                out.put_u8(decided_in.map_or(KIND_RECORDS, |_| KIND_DECISION));
                decided_in.iter().for_each(|term| out.put_u64(*term));
                out.put_slice(records);
            }
            QuorumPayload::Membership(membership) => {
                out.put_u8(KIND_MEMBERSHIP);
                put_membership(membership, out);
            }
        }
        let body = start + FRAME_HEAD_BYTES;
        let length = u32::try_from(out.len() - body).expect("bounded by FRAME_BYTES_MAX");
        let crc = crc32fast::hash(&out[body..]);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        out[start + 4..body].copy_from_slice(&crc.to_be_bytes());
        out.len() - start
    }

    /// Reads the frame that `bytes` begin with; gives the entry and the frame's bytes.
    ///
    /// # Errors
    /// What is wrong with it. [`EntryError::Incomplete`] at the end of a file is a torn tail.
    pub fn decode(bytes: &Bytes) -> Result<(Self, usize), EntryError> {
        let available = bytes.len();
        let incomplete = |needed| EntryError::Incomplete { needed, available };
        let mut head = bytes.clone();
        let length = head.try_get_u32().map_err(|_| incomplete(FRAME_HEAD_BYTES))?;
        let stored = head.try_get_u32().map_err(|_| incomplete(FRAME_HEAD_BYTES))?;
        let body_bytes = length as usize;
        if !(BODY_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&body_bytes) {
            return Err(EntryError::Length { length });
        }
        let total = FRAME_HEAD_BYTES + body_bytes;
        if available < total {
            return Err(incomplete(total));
        }
        let body = bytes.slice(FRAME_HEAD_BYTES..total);
        let computed = crc32fast::hash(&body);
        if computed != stored {
            return Err(EntryError::Checksum { stored, computed });
        }
        Ok((decode_body(body)?, total))
    }
}

fn decode_body(mut body: Bytes) -> Result<QuorumEntry, EntryError> {
    let index = body.get_u64();
    let term = body.get_u64();
    let leader = body.get_u64();
    let payload = match body.get_u8() {
        KIND_BLANK => QuorumPayload::Blank,
        KIND_RECORDS => QuorumPayload::Records(ProposedRecords { decided_in: None, records: body }),
        KIND_DECISION => {
            let term = body.try_get_u64().map_err(|_| EntryError::Body { index })?;
            QuorumPayload::Records(ProposedRecords { decided_in: Some(term), records: body })
        }
        KIND_MEMBERSHIP => {
            let membership = get_membership(&mut body).filter(|_| body.is_empty());
            QuorumPayload::Membership(membership.ok_or(EntryError::Body { index })?)
        }
        kind => return Err(EntryError::Kind { kind }),
    };
    Ok(QuorumEntry { index, term, leader, payload })
}

fn put_count(count: usize, out: &mut BytesMut) {
    out.put_u32(u32::try_from(count).expect("no cluster has that many nodes"));
}

/// Appends a membership; also a part of the snapshot's head.
pub fn put_membership(membership: &QuorumMembership, out: &mut BytesMut) {
    put_count(membership.configurations.len(), out);
    for voters in &membership.configurations {
        put_count(voters.len(), out);
        voters.iter().for_each(|voter| out.put_u64(*voter));
    }
    put_count(membership.nodes.len(), out);
    for (id, address) in &membership.nodes {
        out.put_u64(*id);
        put_count(address.len(), out);
        out.put_slice(address.as_bytes());
    }
}

/// Reads a membership from the front of `body`; `None` where it does not fit.
pub fn get_membership(body: &mut Bytes) -> Option<QuorumMembership> {
    let mut membership = QuorumMembership::default();
    for _ in 0..body.try_get_u32().ok()? {
        let mut voters = BTreeSet::new();
        for _ in 0..body.try_get_u32().ok()? {
            voters.insert(body.try_get_u64().ok()?);
        }
        membership.configurations.push(voters);
    }
    for _ in 0..body.try_get_u32().ok()? {
        let id = body.try_get_u64().ok()?;
        let length = body.try_get_u32().ok()? as usize;
        if length > body.remaining() {
            return None;
        }
        let address = body.split_to(length);
        membership.nodes.insert(id, std::str::from_utf8(&address).ok()?.to_owned());
    }
    Some(membership)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<QuorumEntry> {
        let membership = QuorumMembership {
            configurations: vec![BTreeSet::from([1]), BTreeSet::from([1, 2, 3])],
            nodes: BTreeMap::from([(1, "a:1".to_owned()), (2, String::new())]),
        };
        let records = Bytes::from_static(b"some records");
        let decided_in = |decided_in| ProposedRecords { decided_in, records: records.clone() };
        let payloads = [
            QuorumPayload::Blank,
            QuorumPayload::Records(decided_in(None)),
            QuorumPayload::Records(decided_in(Some(7))),
            QuorumPayload::Membership(membership),
        ];
        let number = |(at, payload)| QuorumEntry { index: at as u64, term: 7, leader: 1, payload };
        payloads.into_iter().enumerate().map(number).collect()
    }

    #[test]
    fn entries_survive_their_bytes() {
        for entry in entries() {
            let mut out = BytesMut::new();
            let written = entry.encode(&mut out);
            let (read, taken) = QuorumEntry::decode(&out.freeze()).unwrap();
            assert_eq!((read, taken), (entry, written));
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_incomplete_and_one_flipped_anywhere_is_refused() {
        for entry in entries() {
            let mut out = BytesMut::new();
            entry.encode(&mut out);
            let whole = out.freeze();
            for cut in 0..whole.len() {
                let refusal = QuorumEntry::decode(&whole.slice(..cut)).unwrap_err();
                assert!(matches!(refusal, EntryError::Incomplete { .. }), "{cut}: {refusal}");
            }
            for at in 0..whole.len() {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 0x40;
                assert!(QuorumEntry::decode(&damaged.into()).is_err(), "byte {at}");
            }
        }
    }
}
