//! Two brokers on loopback that share one log, as if it were replicated without delay, and do what
//! a test tells them: lead or not, hint at the leader or not, hang, die, swallow an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::api_versions::ServedApis;
use protocol::frame::{RequestFrame, encode_response};
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::generated::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};
use protocol::generated::fetch::{self, FetchRequest, FetchResponse};
use protocol::generated::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::generated::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::generated::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::generated::produce::{self, ProduceRequest, ProduceResponse};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::record_batch::{BatchHeader, patched_head};
use protocol::{ApiKey, ErrorCode, LeaderEpoch, Offset};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub const TOPIC: &str = "moving";
/// The rack whose consumers the leader sends to a follower.
pub const RACK: &str = "b";

/// What a broker does with its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Serves,
    /// Reads requests and answers none: stopped by a signal, or behind a cut cable.
    Hangs,
    /// Its connections are closed and new ones at once.
    Dead,
}

#[derive(Default)]
struct State {
    leader: i32,
    leader_epoch: i32,
    hints: bool,
    /// Whom the leader sends consumers of the rack to, and what that one answers them.
    read_replica: Option<(i32, ErrorCode)>,
    /// Produce requests that are written and then answered by a closed connection.
    swallowed_answers: usize,
    /// Batches in the order of their offsets.
    log: Vec<Bytes>,
    next_offset: i64,
    /// By producer id and epoch: the sequence after the last batch, and its base offset.
    producers: HashMap<(i64, i16), (i32, i64)>,
    /// How many requests of each API every broker has had.
    requests: HashMap<(i32, ApiKey), usize>,
}

/// Both brokers: 1 and 2. They end with it.
pub struct MockCluster {
    state: Arc<Mutex<State>>,
    asked: Arc<Notify>,
    modes: HashMap<i32, watch::Sender<Mode>>,
    ports: HashMap<i32, u16>,
}

#[derive(Clone)]
struct Broker {
    id: i32,
    ports: HashMap<i32, u16>,
    state: Arc<Mutex<State>>,
    /// Told of every request.
    asked: Arc<Notify>,
    mode: watch::Receiver<Mode>,
}

impl MockCluster {
    /// Broker 1 leads.
    pub async fn start() -> Self {
        let mut listeners = Vec::new();
        for id in [1, 2] {
            listeners.push((id, TcpListener::bind("127.0.0.1:0").await.unwrap()));
        }
        let ports: HashMap<_, _> =
            listeners.iter().map(|(id, at)| (*id, at.local_addr().unwrap().port())).collect();
        let state = State { leader: 1, leader_epoch: 1, hints: true, ..State::default() };
        let mut cluster = Self {
            state: Arc::new(Mutex::new(state)),
            asked: Arc::default(),
            modes: HashMap::new(),
            ports,
        };
        for (id, listener) in listeners {
            let (sender, mode) = watch::channel(Mode::Serves);
            cluster.modes.insert(id, sender);
            let (ports, state) = (cluster.ports.clone(), Arc::clone(&cluster.state));
            let asked = Arc::clone(&cluster.asked);
            tokio::spawn(Broker { id, ports, state, asked, mode }.accept(listener));
        }
        cluster
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn address(&self, broker: i32) -> String {
        format!("127.0.0.1:{}", self.ports[&broker])
    }

    /// Both addresses, as a client is told them.
    pub fn bootstrap(&self) -> String {
        format!("{},{}", self.address(1), self.address(2))
    }

    /// The leader sends consumers of [`RACK`] to this broker, which answers them with this code.
    pub fn send_consumers_to(&self, broker: i32, code: ErrorCode) {
        self.state().read_replica = Some((broker, code));
    }

    /// Another broker leads from now on.
    pub fn elect(&self, broker: i32) {
        let mut state = self.state();
        state.leader = broker;
        state.leader_epoch += 1;
    }

    /// Whether refusals name the leader.
    pub fn hint(&self, hints: bool) {
        self.state().hints = hints;
    }

    pub fn set_mode(&self, broker: i32, mode: Mode) {
        self.modes[&broker].send_replace(mode);
    }

    /// The next requests of producers are written and not answered.
    pub fn swallow_answers(&self, count: usize) {
        self.state().swallowed_answers = count;
    }

    /// Waits until the broker has had so many more requests of this API.
    pub async fn has_been_asked(&self, broker: i32, api: ApiKey, times: usize) {
        let enough = self.requests(broker, api) + times;
        while self.requests(broker, api) < enough {
            self.asked.notified().await;
        }
    }

    pub fn requests(&self, broker: i32, api: ApiKey) -> usize {
        self.state().requests.get(&(broker, api)).copied().unwrap_or(0)
    }
}

impl Broker {
    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let (broker, mut mode) = (self.clone(), self.mode.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = broker.serve(stream) => {}
                    _ = mode.wait_for(|mode| *mode == Mode::Dead) => {}
                }
            });
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut mode = self.mode.clone();
        while let Ok(size) = stream.read_u32().await {
            let mut frame = vec![0; size as usize];
            if stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let frame = RequestFrame::decode(Bytes::from(frame), &ServedApis::all()).unwrap();
            // whatever arrives while it hangs is answered when it goes on, as after SIGCONT
            if mode.wait_for(|mode| *mode == Mode::Serves).await.is_err() {
                return;
            }
            let Some(answer) = self.answer(&frame).await else { return };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, frame: &RequestFrame) -> Option<Bytes> {
        *self.state().requests.entry((self.id, frame.key)).or_default() += 1;
        self.asked.notify_one();
        Some(match frame.key {
            ApiKey::ApiVersions => {
                let api_keys = ServedApis::all().advertised();
                let response = ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() };
                respond::<ApiVersionsRequest>(frame, &response)
            }
            ApiKey::Metadata => respond::<MetadataRequest>(frame, &self.metadata()),
            ApiKey::FindCoordinator => {
                let node_id = self.state().leader;
                let response = FindCoordinatorResponse {
                    node_id,
                    host: WireString::from("127.0.0.1"),
                    port: i32::from(self.ports[&node_id]),
                    ..FindCoordinatorResponse::default()
                };
                respond::<FindCoordinatorRequest>(frame, &response)
            }
            ApiKey::DescribeGroups => {
                let group = DescribedGroup {
                    group_id: WireString::from("g"),
                    group_state: WireString::from("Empty"),
                    ..DescribedGroup::default()
                };
                let groups = vec![group];
                let response =
                    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() };
                respond::<DescribeGroupsRequest>(frame, &response)
            }
            ApiKey::InitProducerId => {
                let response =
                    InitProducerIdResponse { producer_id: 7, ..InitProducerIdResponse::default() };
                respond::<InitProducerIdRequest>(frame, &response)
            }
            ApiKey::ListOffsets => respond::<ListOffsetsRequest>(frame, &self.offsets(frame)),
            ApiKey::Produce => {
                let response = self.produce(&frame.body().unwrap());
                let mut state = self.state();
                if state.swallowed_answers > 0 {
                    state.swallowed_answers -= 1;
                    return None;
                }
                respond::<ProduceRequest>(frame, &response)
            }
            ApiKey::Fetch => {
                let request = frame.body().unwrap();
                let mut response = self.fetch(&request);
                if nothing_in(&response) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    response = self.fetch(&request);
                }
                respond::<FetchRequest>(frame, &response)
            }
            other => panic!("{other} was not expected"),
        })
    }

    fn metadata(&self) -> MetadataResponse {
        let state = self.state();
        let broker = |id: &i32| MetadataResponseBroker {
            node_id: *id,
            host: WireString::from("127.0.0.1"),
            port: i32::from(self.ports[id]),
            rack: None,
        };
        let partition = MetadataResponsePartition {
            leader_id: state.leader,
            leader_epoch: state.leader_epoch,
            replica_nodes: vec![1, 2],
            isr_nodes: vec![1, 2],
            ..MetadataResponsePartition::default()
        };
        let topic = MetadataResponseTopic {
            name: Some(WireString::from(TOPIC)),
            partitions: vec![partition],
            ..MetadataResponseTopic::default()
        };
        let (brokers, topics) = (self.ports.keys().map(broker).collect(), vec![topic]);
        MetadataResponse { brokers, topics, controller_id: self.id, ..MetadataResponse::default() }
    }

    fn offsets(&self, frame: &RequestFrame) -> ListOffsetsResponse {
        let request: ListOffsetsRequest = frame.body().unwrap();
        let state = self.state();
        let latest = request.topics[0].partitions[0].timestamp == -1;
        let leads = state.leader == self.id;
        let partition = ListOffsetsPartitionResponse {
            error_code: if leads { 0 } else { ErrorCode::NotLeaderOrFollower.code() },
            offset: if latest { state.next_offset } else { 0 },
            ..ListOffsetsPartitionResponse::default()
        };
        let topic =
            ListOffsetsTopicResponse { name: WireString::from(TOPIC), partitions: vec![partition] };
        ListOffsetsResponse { topics: vec![topic], ..ListOffsetsResponse::default() }
    }

    fn produce(&self, request: &ProduceRequest) -> ProduceResponse {
        let mut state = self.state();
        let data = &request.topic_data[0].partition_data[0];
        let mut partition = produce::PartitionProduceResponse::default();
        let mut response = ProduceResponse::default();
        match state.append(self.id, data.records.as_ref().unwrap()) {
            Ok(base_offset) => partition.base_offset = base_offset,
            Err(code) => {
                partition.error_code = code.code();
                partition.base_offset = -1;
                if state.hints && code == ErrorCode::NotLeaderOrFollower {
                    partition.current_leader = produce::LeaderIdAndEpoch {
                        leader_id: state.leader,
                        leader_epoch: state.leader_epoch,
                    };
                    response.node_endpoints = vec![produce::NodeEndpoint {
                        node_id: state.leader,
                        host: WireString::from("127.0.0.1"),
                        port: i32::from(self.ports[&state.leader]),
                        rack: None,
                    }];
                }
            }
        }
        response.responses = vec![produce::TopicProduceResponse {
            name: WireString::from(TOPIC),
            partition_responses: vec![partition],
            ..produce::TopicProduceResponse::default()
        }];
        response
    }

    fn fetch(&self, request: &FetchRequest) -> FetchResponse {
        let state = self.state();
        let wanted = &request.topics[0].partitions[0];
        let mut partition = fetch::PartitionData::default();
        let replica = state.read_replica.filter(|_| request.rack_id == RACK);
        let code = if let Some((_, code)) = replica.filter(|(replica, _)| *replica == self.id) {
            code
        } else if state.leader != self.id {
            ErrorCode::NotLeaderOrFollower
        } else if wanted.current_leader_epoch < state.leader_epoch {
            ErrorCode::FencedLeaderEpoch
        } else {
            ErrorCode::None
        };
        partition.error_code = code.code();
        if let Some((replica, ErrorCode::None)) = replica.filter(|(replica, _)| *replica != self.id)
        {
            partition.preferred_read_replica = replica;
        } else if code == ErrorCode::None {
            let ahead = state.log.iter().filter(|batch| {
                BatchHeader::parse(batch).unwrap().next_offset().value() > wanted.fetch_offset
            });
            let records: BytesMut = ahead.fold(BytesMut::new(), |mut all, batch| {
                all.extend_from_slice(batch);
                all
            });
            partition.records = Some(records.freeze());
            partition.high_watermark = state.next_offset;
        } else if state.hints {
            partition.current_leader = fetch::LeaderIdAndEpoch {
                leader_id: state.leader,
                leader_epoch: state.leader_epoch,
            };
        }
        let topic = fetch::FetchableTopicResponse {
            topic: WireString::from(TOPIC),
            partitions: vec![partition],
            ..fetch::FetchableTopicResponse::default()
        };
        FetchResponse { responses: vec![topic], ..FetchResponse::default() }
    }
}

impl State {
    /// Appends one batch as a leader does that remembers its producers.
    fn append(&mut self, broker: i32, batch: &Bytes) -> Result<i64, ErrorCode> {
        if self.leader != broker {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let header = BatchHeader::parse(batch).unwrap();
        let key = (header.producer_id.0, header.producer_epoch.0);
        let (expected, last_base) = self.producers.get(&key).copied().unwrap_or((0, 0));
        if header.base_sequence < expected {
            return Ok(last_base);
        }
        if header.base_sequence > expected {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        let base_offset = self.next_offset;
        let epoch = LeaderEpoch::new(self.leader_epoch);
        let mut stored = BytesMut::from(&batch[..]);
        let head = patched_head(Offset::new(base_offset), header.length, epoch);
        stored[..head.len()].copy_from_slice(&head);
        self.log.push(stored.freeze());
        self.next_offset += i64::from(header.record_count);
        let after = header.base_sequence + header.record_count;
        self.producers.insert(key, (after, base_offset));
        Ok(base_offset)
    }
}

fn nothing_in(response: &FetchResponse) -> bool {
    let partition = &response.responses[0].partitions[0];
    partition.error_code == 0 && partition.records.as_ref().is_none_or(Bytes::is_empty)
}

fn respond<R: Request>(frame: &RequestFrame, response: &R::Response) -> Bytes {
    let (version, id) = (frame.version, frame.correlation_id);
    encode_response::<R>(response, version, id, 1 << 24).unwrap().into_bytes()
}
