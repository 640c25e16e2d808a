//! One connection: two ends, each with an inbox of bounded size.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::weather::Place;

/// Bytes that may be under way or unread in one direction, as the systems' buffers allow.
const BYTES_MAX: usize = 256 << 10;

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Node,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Node,
            Self::Node => Self::Client,
        }
    }

    /// From where to where something goes that goes to this end.
    pub(super) const fn way(self, node: i32) -> (Place, Place) {
        match self {
            Self::Client => (Place::Node(node), Place::Clients),
            Self::Node => (Place::Clients, Place::Node(node)),
        }
    }

    pub(super) const fn arrow(self) -> &'static str {
        match self {
            Self::Client => "response",
            Self::Node => "request",
        }
    }
}

#[derive(Default)]
struct End {
    inbox: VecDeque<Bytes>,
    /// Bytes on their way to this end or unread by it.
    pending_bytes: usize,
    /// The other end will send nothing more.
    is_ended: bool,
    is_gone: bool,
    last_arrival_ms: u64,
    reader: Option<Waker>,
    /// Who waits for room at this end.
    writer: Option<Waker>,
}

impl End {
    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

pub(super) struct Connection {
    pub(super) node: i32,
    client: End,
    server: End,
    is_reset: bool,
}

impl Connection {
    pub(super) fn new(node: i32) -> Self {
        Self { node, client: End::default(), server: End::default(), is_reset: false }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Node => &mut self.server,
        }
    }

    /// Bytes have arrived. Where nobody is, the sender is told, if there is a machine to tell it.
    pub(super) fn receive(&mut self, to: Side, bytes: Bytes, silent: bool) {
        if self.end(to).is_gone {
            if !silent {
                self.reset();
            }
            return;
        }
        let end = self.end(to);
        end.inbox.push_back(bytes);
        end.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn receive_end(&mut self, to: Side) {
        let end = self.end(to);
        end.is_ended = true;
        end.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn reset(&mut self) {
        self.is_reset = true;
        self.client.wake();
        self.server.wake();
    }

    pub(super) fn poll_read(
        &mut self,
        side: Side,
        context: &Context<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<Bytes>> {
        if self.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let end = self.end(side);
        let Some(mut first) = end.inbox.pop_front() else {
            if end.is_ended {
                return Poll::Ready(Ok(Bytes::new()));
            }
            end.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        let part = first.split_to(first.len().min(bytes_max));
        if !first.is_empty() {
            end.inbox.push_front(first);
        }
        end.pending_bytes = end.pending_bytes.saturating_sub(part.len());
        end.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(part))
    }

    /// How many bytes may be written now.
    pub(super) fn poll_room(
        &mut self,
        from: Side,
        context: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let end = self.end(from.other());
        let room = BYTES_MAX.saturating_sub(end.pending_bytes);
        if room == 0 {
            end.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(room))
    }

    /// When what is sent now arrives: never before what was sent earlier.
    pub(super) fn send(&mut self, from: Side, bytes: usize, drawn_ms: u64) -> u64 {
        let end = self.end(from.other());
        end.pending_bytes += bytes;
        end.last_arrival_ms = end.last_arrival_ms.max(drawn_ms);
        end.last_arrival_ms
    }

    /// This end is gone without a word.
    pub(super) fn abandon(&mut self, side: Side) {
        self.end(side).is_gone = true;
    }

    pub(super) fn is_abandoned(&mut self, side: Side) -> bool {
        self.end(side).is_gone
    }

    pub(super) fn leave(&mut self, side: Side) {
        let end = self.end(side);
        end.is_gone = true;
        end.inbox.clear();
    }

    pub(super) const fn is_deserted(&self) -> bool {
        self.client.is_gone && self.server.is_gone
    }
}
