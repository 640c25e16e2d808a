//! Fetch sessions (KIP-227): what a connection's consumer asks for is remembered, so that its next
//! fetch and the answer to it carry only what changed.
//!
//! A session lives and dies with its connection: a consumer talks to a broker over one.

use std::collections::HashMap;

use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::primitives::WireString;
use protocol::{ErrorCode, TopicId};

/// Partitions a session may remember. A fetch for more is answered in full each time.
const SESSION_PARTITIONS_MAX: usize = 10_000;
/// The epoch of a request that opens a session.
const EPOCH_INITIAL: i32 = 0;
/// The epoch of a request that wants no session, or closes the one it names.
const EPOCH_FINAL: i32 = -1;

/// A topic as the request names it: by id from v13 on, by name before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchTopicKey {
    /// The id; zero below v13.
    pub id: TopicId,
    /// The name; empty from v13 on.
    pub name: WireString,
}

/// One partition that a consumer wants.
#[derive(Clone, Debug)]
pub struct WantedPartition {
    /// Its topic.
    pub topic: FetchTopicKey,
    /// What is wanted of it.
    pub fetch: FetchPartition,
    /// The high watermark and log start offset told last; −1 if none was.
    told: (i64, i64),
}

/// What one fetch is about.
#[derive(Debug)]
pub struct FetchTurn {
    /// The session to name in the response; 0 for none.
    pub session_id: i32,
    /// Whether unchanged partitions are left out of the response.
    pub is_incremental: bool,
    /// The partitions, in the order in which they are served.
    pub wanted: Vec<WantedPartition>,
}

/// The session of one connection.
#[derive(Debug, Default)]
pub struct FetchSessions {
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    id: i32,
    next_epoch: i32,
    wanted: Vec<WantedPartition>,
}

impl FetchSessions {
    /// Takes a request up. `fresh_id` names the session that it may open; not 0.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND` and `INVALID_FETCH_SESSION_EPOCH`; clients then fetch in full.
    pub fn begin(
        &mut self,
        request: &FetchRequest,
        version: i16,
        fresh_id: i32,
    ) -> Result<FetchTurn, ErrorCode> {
        if version < 7 || matches!(request.session_epoch, EPOCH_INITIAL | EPOCH_FINAL) {
            return Ok(self.begin_full(request, version, fresh_id));
        }
        let session = self.session.as_mut().filter(|session| session.id == request.session_id);
        let session = session.ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.next_epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        session.next_epoch = session.next_epoch.checked_add(1).unwrap_or(1);
        session.forget(request);
        session.update(&request.topics);
        if session.wanted.len() > SESSION_PARTITIONS_MAX {
            self.session = None;
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let wanted = std::mem::take(&mut session.wanted);
        Ok(FetchTurn { session_id: session.id, is_incremental: true, wanted })
    }

    fn begin_full(&mut self, request: &FetchRequest, version: i16, fresh_id: i32) -> FetchTurn {
        self.session = None;
        let wanted: Vec<_> = request.topics.iter().flat_map(wanted_of).collect();
        let opens = version >= 7
            && request.session_epoch == EPOCH_INITIAL
            && !wanted.is_empty()
            && wanted.len() <= SESSION_PARTITIONS_MAX;
        let session_id = if opens { fresh_id } else { 0 };
        if opens {
            self.session = Some(Session { id: fresh_id, next_epoch: 1, wanted: Vec::new() });
        }
        FetchTurn { session_id, is_incremental: false, wanted }
    }

    /// Keeps what the turn was about for the next one. Partitions that gave records go last, so
    /// that the others get their share of the next response.
    pub fn end(&mut self, turn: FetchTurn, gave_records: impl Fn(usize) -> bool) {
        let Some(session) = self.session.as_mut().filter(|s| s.id == turn.session_id) else {
            return;
        };
        let mut served = Vec::new();
        for (index, wanted) in turn.wanted.into_iter().enumerate() {
            if gave_records(index) {
                served.push(wanted);
            } else {
                session.wanted.push(wanted);
            }
        }
        session.wanted.append(&mut served);
    }
}

impl WantedPartition {
    /// Whether the consumer has not been told these yet; from now on it has.
    pub fn tell(&mut self, high_watermark: i64, log_start_offset: i64) -> bool {
        let now = (high_watermark, log_start_offset);
        std::mem::replace(&mut self.told, now) != now
    }
}

fn wanted_of(topic: &FetchTopic) -> impl Iterator<Item = WantedPartition> {
    let key = FetchTopicKey { id: topic.topic_id, name: topic.topic.clone() };
    topic.partitions.iter().map(move |fetch| WantedPartition {
        topic: key.clone(),
        fetch: fetch.clone(),
        told: (-1, -1),
    })
}

impl Session {
    fn forget(&mut self, request: &FetchRequest) {
        if request.forgotten_topics_data.is_empty() {
            return;
        }
        let mut forgotten: HashMap<FetchTopicKey, Vec<i32>> = HashMap::new();
        for topic in &request.forgotten_topics_data {
            let key = FetchTopicKey { id: topic.topic_id, name: topic.topic.clone() };
            forgotten.entry(key).or_default().extend(&topic.partitions);
        }
        self.wanted.retain(|wanted| {
            let partitions = forgotten.get(&wanted.topic);
            !partitions.is_some_and(|indexes| indexes.contains(&wanted.fetch.partition))
        });
    }

    fn update(&mut self, topics: &[FetchTopic]) {
        if topics.is_empty() {
            return;
        }
        let mut places: HashMap<(FetchTopicKey, i32), usize> = HashMap::new();
        for (place, wanted) in self.wanted.iter().enumerate() {
            places.insert((wanted.topic.clone(), wanted.fetch.partition), place);
        }
        for new in topics.iter().flat_map(wanted_of) {
            match places.get(&(new.topic.clone(), new.fetch.partition)) {
                Some(place) => self.wanted[*place].fetch = new.fetch,
                None => self.wanted.push(new),
            }
        }
    }
}

#[cfg(test)]
mod tests;
