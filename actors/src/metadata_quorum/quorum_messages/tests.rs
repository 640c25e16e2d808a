//! Messages as another node may send them: whole, cut anywhere, damaged, or lying about lengths.
//! Broken, entries would be lost or a member would be made to allocate what a stranger wishes.

use super::*;
use crate::metadata_quorum::quorum_entry::{ProposedRecords, QuorumPayload};

fn place(index: u64) -> EntryPlace {
    EntryPlace { index, term: 7, leader: 1 }
}

fn entries() -> AppendEntries {
    let records = |index: u64| QuorumEntry {
        index,
        term: 7,
        leader: 1,
        payload: QuorumPayload::Records(ProposedRecords {
            decided_in: Some(7),
            records: Bytes::from(format!("records of {index}")),
        }),
    };
    AppendEntries {
        to: 2,
        vote: StoredVote { term: 7, node: 1, committed: true },
        previous: Some(place(4)),
        committed: Some(place(3)),
        entries: vec![records(5), records(6)],
    }
}

#[test]
fn entries_arrive_as_they_were_sent() {
    let bytes = entries().to_bytes().unwrap();
    assert_eq!(AppendEntries::from_bytes(bytes).unwrap(), entries());
}

#[test]
fn entries_cut_or_damaged_anywhere_never_arrive_as_others() {
    let bytes = entries().to_bytes().unwrap();
    for cut in 0..bytes.len() {
        if let Ok(read) = AppendEntries::from_bytes(bytes.slice(..cut)) {
            // between two entries the message is shorter, and whole
            assert!(entries().entries.starts_with(&read.entries), "cut at {cut}");
        }
    }
    let head = AppendEntries { entries: Vec::new(), ..entries() }.to_bytes().unwrap().len();
    for at in head..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x20;
        assert!(AppendEntries::from_bytes(damaged.into()).is_err(), "byte {at}");
    }
}

#[test]
fn a_piece_arrives_as_it_was_sent() {
    let vote = StoredVote { term: 7, node: 1, committed: true };
    let head = PieceHead { to: 2, vote, length: 9, checksum: 11, offset: 3 };
    let piece = InstallSnapshot { head, bytes: Bytes::from_static(b"middle") };
    let read = InstallSnapshot::from_bytes(piece.to_bytes().unwrap()).unwrap();
    assert_eq!(read, piece);
}
