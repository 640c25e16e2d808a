//! From a data directory and settings to a running node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use commit_log::{LogDirectory, LogResources};
use metadata::{
    BrokerEndpoint, BrokerSettings, ClusterImage, DirectoryId, Incarnation, LastUse,
    RegisterBroker, StaticSettings,
};
use protocol::BrokerEpoch;
use supervision::{
    Address, DynamicSupervisor, DynamicSupervisorSpec, LeaseTable, Supervisor, Tree,
};
use tokio::sync::watch;
use tracing::{info, warn};

use super::failure_notices::count_failures;
use super::founding::{Founding, founds_quorum};
use super::identity::identify;
use super::sockets::{OpenListener, open_admin, open_listeners};
use super::{Node, NodeError, REGISTRATION_DEADLINE};
use crate::admin::AdminArguments;
use crate::broker::{Bounds, Broker, ImageCell, Registration};
use crate::broker_lifecycle::LifecycleArguments;
use crate::client_listener::{ClientListenerArguments, ConnectionCount};
use crate::client_session::deadline::ConnectionDeadlines;
use crate::controller::{ControllerArguments, Refused};
use crate::departures::Departures;
use crate::directory_use::DirectoryUse;
use crate::file_work::FileWork;
use crate::found_directories::sort_out;
use crate::group_directory::GroupDirectory;
use crate::lifeline::Lifeline;
use crate::log_checkpoints::{LogCheckpoint, LogCheckpoints};
use crate::log_maintenance::MaintenanceArguments;
use crate::lost_links::LostLinks;
use crate::metadata_publisher::PublisherArguments;
use crate::metadata_quorum::{AppliedImage, QuorumArguments, QuorumCell};
use crate::metrics::Metrics;
use crate::partition_directory::PartitionDirectory;
use crate::partition_house::{PartitionHouse, supervisor_spec};
use crate::peer_service::BrokerPeerService;
use crate::ports::Ports;
use crate::producer_ids::ProducerIds;
use crate::replication_directory::ReplicationDirectory;
use crate::request_memory::RequestMemory;
use crate::requests::served_apis;
use crate::supervision_tree::TreeParts;

/// The quorum's directory inside of the data directory.
const QUORUM_DIRECTORY: &str = "__cluster_metadata";
/// Partitions and groups one node may hold.
const CHILDREN_MAX: usize = 1_000_000;
/// How long a log is left with an idle writer.
const WRITER_IDLE_AFTER: Duration = Duration::from_secs(10);

pub async fn open(given: StaticSettings, ports: Ports) -> Result<Node, NodeError> {
    let settings = BrokerSettings::resolve(&ClusterImage::empty(), &given);
    let data = PathBuf::from(&settings.data_directory);
    let file_work = FileWork::new(settings.disk_hang_timeout);
    let ports = ports.watched(&file_work);
    let mut directory = LogDirectory::open(ports.storage.clone(), &data, settings.node_id)?;
    let founding = Founding::decide(directory.identity().is_none(), &settings.cluster)?;
    let identified = identify(&mut directory, settings.node_id, &founding, &ports).await?;
    let (cluster_id, directory_id) = identified;
    let listeners = open_listeners(&settings, &ports).await?;
    let admin = open_admin(&settings.admin_listener, &ports)?;
    let opening = Opening {
        checkpoints: Arc::new(read_checkpoints(&directory)?),
        directory: Arc::new(directory),
        directory_id,
        settings,
        given: Arc::new(given),
        ports,
        file_work,
        cluster_id,
        listeners,
        admin,
        quorum_directory: data.join(QUORUM_DIRECTORY),
    };
    opening.start().await
}

fn read_checkpoints(directory: &LogDirectory) -> Result<LogCheckpoints, NodeError> {
    let clean_shutdown = directory.take_clean_shutdown()?;
    let mut logs: BTreeMap<_, LogCheckpoint> = BTreeMap::new();
    for (log, offset) in directory.recovery_points()? {
        logs.entry(log).or_default().recovery_point = Some(offset);
    }
    for (log, offset) in directory.log_start_offsets()? {
        logs.entry(log).or_default().log_start_offset = Some(offset);
    }
    Ok(LogCheckpoints::new(logs, clean_shutdown, Address::new()))
}

struct Opening {
    checkpoints: Arc<LogCheckpoints>,
    directory: Arc<LogDirectory>,
    directory_id: DirectoryId,
    settings: BrokerSettings,
    given: Arc<StaticSettings>,
    ports: Ports,
    file_work: FileWork,
    cluster_id: metadata::ClusterId,
    listeners: Vec<OpenListener>,
    admin: Option<Arc<std::net::TcpListener>>,
    quorum_directory: PathBuf,
}

impl Opening {
    async fn start(self) -> Result<Node, NodeError> {
        let groups = DynamicSupervisor::new(DynamicSupervisorSpec::new(CHILDREN_MAX));
        let found = self.directory.partitions()?;
        let broker = Arc::new_cyclic(|broker| self.broker(broker, &groups));
        count_failures(&broker);
        let house = self.house(&broker);
        look_for_leftovers(&broker, &house);
        let (registered, registration) = watch::channel(None);
        let connections = Arc::new(ConnectionCount::default());
        let parts = self.parts(&broker, &house, groups, registered, &connections);
        let spec = parts.node();
        let root = Supervisor::start(&broker.tree, "node", spec).await?;
        wait_until_registered(registration).await?;
        tokio::spawn(sort_out(Arc::clone(&broker), house, found));
        info!(broker = %broker.id, cluster = %broker.cluster_id, "serves");
        Ok(Node {
            addresses: self.addresses(),
            admin_address: self.admin.and_then(|socket| socket.local_addr().ok()),
            directory: self.directory,
            checkpoints: self.checkpoints,
            connections,
            broker,
            root,
        })
    }

    fn broker(&self, of: &std::sync::Weak<Broker>, groups: &DynamicSupervisor) -> Broker {
        let (controller, registration) = (Address::new(), Registration::default());
        let connections = &self.settings.connections;
        Broker {
            id: self.settings.node_id,
            cluster_id: self.cluster_id,
            incarnation: Incarnation(self.ports.rng.uuid()),
            producer_ids: ProducerIds::new(
                self.settings.node_id,
                registration.clone(),
                controller.clone(),
            ),
            registration,
            given: Arc::clone(&self.given),
            bounds: self.bounds(),
            ports: self.ports.clone(),
            file_work: self.file_work.clone(),
            image: ImageCell::default(),
            settings: ArcSwap::from_pointee(self.settings.clone()),
            partitions: PartitionDirectory::default(),
            controller,
            lifecycle: Address::new(),
            lifeline: Lifeline::default(),
            quorum: QuorumCell::default(),
            lost_links: LostLinks::default(),
            departures: Departures::default(),
            quarantine_reporter: Address::new(),
            replication: ReplicationDirectory::new(CHILDREN_MAX, of.clone()),
            groups: GroupDirectory::new(groups.clone()),
            request_memory: RequestMemory::new(connections.request_memory_bytes),
            response_memory: RequestMemory::new(connections.request_memory_bytes),
            served: served_apis(),
            metrics: Metrics::with_links(&self.ports.peers.link_metrics()),
            tree: Tree::with_system_clock(),
        }
    }

    fn bounds(&self) -> Bounds {
        let connections = &self.settings.connections;
        Bounds {
            request_bytes_max: connections.request_bytes_max,
            response_bytes_max: i32::MAX as usize,
            fetch_response_bytes_max: self.settings.fetch.response_bytes_max.min(8 << 20),
            fetch_wait_max: Duration::from_secs(60),
            partition_pending_bytes_max: connections.request_memory_bytes / 2,
            produces_in_flight_max: connections.requests_per_connection_max,
            deadlines: ConnectionDeadlines {
                idle: connections.idle_max.unwrap_or(Duration::from_secs(u32::MAX.into())),
                request_read: connections.request_read_timeout,
                response_write: connections.response_write_timeout,
            },
        }
    }

    fn house(&self, broker: &Arc<Broker>) -> Arc<PartitionHouse> {
        let of = Arc::downgrade(broker);
        Arc::new_cyclic(|house: &std::sync::Weak<PartitionHouse>| {
            let house = house.clone();
            // a supervisor of replicas that failed itself begins with everybody who should be there
            let initial = move || match (of.upgrade(), house.upgrade()) {
                (Some(broker), Some(house)) => house.all_children(&broker),
                _ => Vec::new(),
            };
            PartitionHouse {
                broker: Arc::downgrade(broker),
                this_broker: broker.id,
                supervisor: DynamicSupervisor::new(supervisor_spec(CHILDREN_MAX, initial)),
                directory: Arc::clone(&self.directory),
                resources: LogResources::new(self.ports.storage.clone()),
                checkpoints: Arc::clone(&self.checkpoints),
                leases: LeaseTable::new(),
                ports: self.ports.clone(),
                controller: broker.controller.clone(),
                registration: broker.registration.clone(),
                writer_idle_after: WRITER_IDLE_AFTER,
            }
        })
    }

    fn parts(
        &self,
        broker: &Arc<Broker>,
        house: &Arc<PartitionHouse>,
        groups: DynamicSupervisor,
        registered: watch::Sender<Option<Result<BrokerEpoch, Refused>>>,
        connections: &Arc<ConnectionCount>,
    ) -> TreeParts {
        let applied: AppliedImage = Arc::new(ArcSwap::from_pointee(ClusterImage::empty()));
        let (quorum, publisher) = (Address::new(), Address::new());
        let sessions = DynamicSupervisor::new(DynamicSupervisorSpec::new(CHILDREN_MAX));
        let service = Arc::new(BrokerPeerService::new(broker));
        TreeParts {
            peers: self.ports.peers.children(broker.peer_identity(), service),
            quorum: (quorum.clone(), self.quorum(broker, house, &applied, &publisher)),
            publisher: (
                publisher,
                PublisherArguments {
                    broker: Arc::clone(broker),
                    applied: Arc::clone(&applied),
                    house: Arc::clone(house),
                },
            ),
            controller: (
                broker.controller.clone(),
                ControllerArguments { broker: broker.clone(), applied: applied.clone(), quorum },
            ),
            lifecycle: LifecycleArguments {
                broker: Arc::clone(broker),
                request: self.registration_of(broker),
                applied,
                directory: DirectoryUse::new(
                    broker,
                    self.directory.path(),
                    self.directory_id,
                    self.checkpoints.stopped_in_order(),
                ),
                registered,
            },
            partitions: house.supervisor.clone(),
            replication: broker.replication.supervisor().clone(),
            groups,
            maintenance: MaintenanceArguments {
                broker: Arc::clone(broker),
                directory: Arc::clone(&self.directory),
                checkpoints: Arc::clone(&self.checkpoints),
            },
            listeners: self.client_listeners(broker, &sessions, connections),
            sessions,
            admin: self.admin.as_ref().map(|socket| AdminArguments {
                broker: Arc::clone(broker),
                connections: Arc::clone(connections),
                socket: Arc::clone(socket),
            }),
        }
    }

    fn quorum(
        &self,
        broker: &Broker,
        house: &PartitionHouse,
        applied: &AppliedImage,
        publisher: &Address<crate::metadata_publisher::PublisherMessage>,
    ) -> QuorumArguments {
        QuorumArguments {
            node: self.settings.node_id,
            directory_id: self.directory_id,
            founds: founds_quorum(&self.settings.cluster),
            seeds: self.settings.cluster.join.clone(),
            voters_wanted: self.settings.cluster.voters,
            caller: broker.peer_caller(),
            directory: self.quorum_directory.clone(),
            leases: house.leases.clone(),
            ports: self.ports.clone(),
            applied: Arc::clone(applied),
            cell: broker.quorum.clone(),
            metrics: broker.metrics.quorum.clone(),
            file_work: self.file_work.clone(),
            publisher: publisher.clone(),
        }
    }

    fn registration_of(&self, broker: &Broker) -> RegisterBroker {
        let endpoint =
            |open: &OpenListener| -> BrokerEndpoint { open.listener.endpoint(open.address.port()) };
        RegisterBroker {
            broker: broker.id,
            incarnation: broker.incarnation,
            cluster_id: Some(broker.cluster_id),
            directory: self.directory_id,
            last_use: LastUse::Never,
            endpoints: self.listeners.iter().map(endpoint).collect(),
            cluster_address: self.ports.peers.local_address(),
            rack: self.settings.rack.as_deref().map(Arc::from),
            starts_unfenced: true,
        }
    }

    fn client_listeners(
        &self,
        broker: &Arc<Broker>,
        sessions: &DynamicSupervisor,
        connections: &Arc<ConnectionCount>,
    ) -> Vec<ClientListenerArguments> {
        let arguments = |open: &OpenListener| ClientListenerArguments {
            broker: Arc::clone(broker),
            listener: open.listener.clone(),
            socket: Arc::clone(&open.socket),
            sessions: sessions.clone(),
            connections: Arc::clone(connections),
            status: None,
        };
        self.listeners.iter().map(arguments).collect()
    }

    fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.listeners.iter().map(|open| (Arc::clone(&open.listener.name), open.address)).collect()
    }
}

async fn wait_until_registered(
    mut registration: watch::Receiver<Option<Result<BrokerEpoch, Refused>>>,
) -> Result<(), NodeError> {
    let answered = registration.wait_for(Option::is_some);
    let answered = tokio::time::timeout(REGISTRATION_DEADLINE, answered).await;
    match answered {
        Ok(Ok(answer)) => match answer.as_ref() {
            Some(Err(refusal)) => Err(NodeError::Refused(refusal.clone())),
            _ => Ok(()),
        },
        Ok(Err(_)) | Err(_) => Err(NodeError::NotRegistered),
    }
}

/// What earlier processes renamed: the deleted is removed, the strays are counted.
fn look_for_leftovers(broker: &Broker, house: &Arc<PartitionHouse>) {
    match house.directory.leftover_deleted() {
        Ok(leftovers) => leftovers.into_iter().for_each(|path| house.remove_later(path)),
        Err(error) => warn!(%error, "could not look for deleted partitions"),
    }
    for stray in house.directory.strays().unwrap_or_default() {
        let path = stray.display();
        warn!(%path, "a topic that the cluster did not know was set aside here, and may be removed");
        broker.metrics.stray_directories.inc();
    }
}
