//! A snapshot on its way from the leader: pieces in order, put together again with bounds and a
//! checksum. Nothing is reserved for a length that was only announced.

use bytes::{Bytes, BytesMut};

use super::quorum_file::StoredVote;
use super::quorum_messages::{InstallSnapshot, PIECE_BYTES_MAX, PieceHead};
use super::snapshot_file::SNAPSHOT_BYTES_MAX;

/// Which transfer a piece belongs to.
type TransferKey = (StoredVote, u64, u32);

/// The transfer under way, at most one: a piece of another one ends it.
#[derive(Default)]
pub struct IncomingSnapshot {
    key: Option<TransferKey>,
    bytes: BytesMut,
}

/// What a piece led to.
#[derive(Debug, PartialEq, Eq)]
pub enum PieceTaken {
    /// The piece at this place is due.
    Next(u64),
    /// All pieces are there, and they are what was sent.
    Whole(Bytes),
    /// The announced length or the checksum is no snapshot's: the transfer is over.
    Damaged,
}

impl IncomingSnapshot {
    /// Takes a piece if it is the next one; else says which is.
    pub fn take(&mut self, piece: &InstallSnapshot) -> PieceTaken {
        let PieceHead { vote, length, checksum, offset, .. } = piece.head;
        if length > SNAPSHOT_BYTES_MAX || piece.bytes.len() > PIECE_BYTES_MAX {
            return PieceTaken::Damaged;
        }
        let key = (vote, length, checksum);
        if self.key != Some(key) {
            *self = Self { key: Some(key), bytes: BytesMut::new() };
        }
        let have = self.bytes.len() as u64;
        if offset != have {
            return PieceTaken::Next(have);
        }
        let after = have.saturating_add(piece.bytes.len() as u64);
        if after > length || (piece.bytes.is_empty() && after < length) {
            *self = Self::default();
            return PieceTaken::Damaged;
        }
        self.bytes.extend_from_slice(&piece.bytes);
        if after < length {
            return PieceTaken::Next(after);
        }
        let whole = std::mem::take(self).bytes.freeze();
        if crc32fast::hash(&whole) == checksum {
            PieceTaken::Whole(whole)
        } else {
            PieceTaken::Damaged
        }
    }
}

/// The piece of `snapshot` that begins at `offset`; `None` beyond its end.
#[must_use]
pub fn piece_at(snapshot: &Bytes, offset: u64) -> Option<Bytes> {
    let start = usize::try_from(offset).ok().filter(|start| *start <= snapshot.len())?;
    let end = snapshot.len().min(start.saturating_add(PIECE_BYTES_MAX));
    Some(snapshot.slice(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(snapshot: &Bytes, term: u64, offset: u64) -> InstallSnapshot {
        let vote = StoredVote { term, node: 1, committed: true };
        let (length, checksum) = (snapshot.len() as u64, crc32fast::hash(snapshot));
        let head = PieceHead { to: 2, vote, length, checksum, offset };
        InstallSnapshot { head, bytes: piece_at(snapshot, offset).unwrap() }
    }

    fn snapshot() -> Bytes {
        (0..PIECE_BYTES_MAX * 2 + 17).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
    }

    #[test]
    fn pieces_in_order_make_the_snapshot_whatever_is_repeated_or_missing() {
        let (whole, step) = (snapshot(), PIECE_BYTES_MAX as u64);
        let mut incoming = IncomingSnapshot::default();
        assert_eq!(incoming.take(&piece(&whole, 1, step)), PieceTaken::Next(0));
        assert_eq!(incoming.take(&piece(&whole, 1, 0)), PieceTaken::Next(step));
        assert_eq!(incoming.take(&piece(&whole, 1, 0)), PieceTaken::Next(step));
        assert_eq!(incoming.take(&piece(&whole, 1, step)), PieceTaken::Next(2 * step));
        assert_eq!(incoming.take(&piece(&whole, 1, 2 * step)), PieceTaken::Whole(whole));
    }

    #[test]
    fn another_leader_begins_anew() {
        let (whole, step) = (snapshot(), PIECE_BYTES_MAX as u64);
        let mut incoming = IncomingSnapshot::default();
        incoming.take(&piece(&whole, 1, 0));
        assert_eq!(incoming.take(&piece(&whole, 2, step)), PieceTaken::Next(0));
    }

    #[test]
    fn a_flipped_bit_and_a_lie_about_the_length_are_noticed() {
        let whole = Bytes::from_static(b"a small snapshot");
        let mut flipped = piece(&whole, 1, 0);
        flipped.bytes = Bytes::from_static(b"a small snapshoT");
        assert_eq!(IncomingSnapshot::default().take(&flipped), PieceTaken::Damaged);
        let mut short = piece(&whole, 1, 0);
        short.head.length = 3;
        assert_eq!(IncomingSnapshot::default().take(&short), PieceTaken::Damaged);
        let mut vast = piece(&whole, 1, 0);
        vast.head.length = u64::MAX;
        assert_eq!(IncomingSnapshot::default().take(&vast), PieceTaken::Damaged);
    }
}
