//! Every supervisor of the node and every child that it begins with, in one place. The drawing is in
//! this crate's README.

use std::time::Duration;

use supervision::{
    Address, ChildSpec, DynamicSupervisor, RestartIntensity, Shutdown, Strategy, SupervisorSpec,
};

use crate::admin::{AdminArguments, AdminServer};
use crate::broker_lifecycle::{BrokerLifecycle, LifecycleArguments};
use crate::client_listener::{ClientListener, ClientListenerArguments};
use crate::controller::{ControllerActor, ControllerArguments, ControllerMessage};
use crate::disk_watch::DiskWatch;
use crate::group_directory::offsets_expiry::OffsetsExpiry;
use crate::log_maintenance::{LogMaintenance, MaintenanceArguments};
use crate::metadata_publisher::{MetadataPublisher, PublisherArguments, PublisherMessage};
use crate::metadata_quorum::{MetadataQuorum, QuorumArguments, QuorumMessage};
use crate::quarantine_reporter::QuarantineReporter;

/// How long an actor that only holds memory may take to end.
const QUICK_END: Duration = Duration::from_secs(5);

/// How often the node's own parts may fail before their supervisor gives up: what stands on them
/// restarts with them then, so a fault of the admin server must not be quick to end a broker.
const PATIENCE: RestartIntensity = RestartIntensity::new(20, Duration::from_secs(60));

/// Everything the tree is made of.
pub struct TreeParts {
    /// What carries messages to and from other nodes.
    pub peers: Vec<ChildSpec>,
    /// The quorum, and where it is found.
    pub quorum: (Address<QuorumMessage>, QuorumArguments),
    /// The publisher, and where it is found.
    pub publisher: (Address<PublisherMessage>, PublisherArguments),
    /// The controller, and where it is found.
    pub controller: (Address<ControllerMessage>, ControllerArguments),
    /// The lifecycle.
    pub lifecycle: LifecycleArguments,
    /// The replicas.
    pub partitions: DynamicSupervisor,
    /// The fetchers and feeds.
    pub replication: DynamicSupervisor,
    /// The group coordinators.
    pub groups: DynamicSupervisor,
    /// Retention and checkpoints.
    pub maintenance: MaintenanceArguments,
    /// The sessions.
    pub sessions: DynamicSupervisor,
    /// The listeners.
    pub listeners: Vec<ClientListenerArguments>,
    /// The admin server, if there is one.
    pub admin: Option<AdminArguments>,
}

impl TreeParts {
    /// The node: what stands on the cluster's word comes after it, and restarts with it.
    #[must_use]
    pub fn node(self) -> SupervisorSpec {
        let Self { partitions, replication, groups, sessions, .. } = &self;
        let (partitions, replication) = (partitions.clone(), replication.clone());
        let (groups, sessions) = (groups.clone(), sessions.clone());
        let (maintenance, listeners) = (self.maintenance.clone(), self.listeners.clone());
        let admin = self.admin.clone();
        let mut node = SupervisorSpec::new(Strategy::RestForOne)
            .intensity(PATIENCE)
            .child(ChildSpec::supervisor("cluster", self.cluster()))
            .child(ChildSpec::dynamic_supervisor("partitions", &partitions))
            .child(ChildSpec::dynamic_supervisor("replication", &replication))
            .child(ChildSpec::dynamic_supervisor("groups", &groups))
            .child(ChildSpec::supervisor("maintenance", maintenance_of(&maintenance)))
            .child(ChildSpec::dynamic_supervisor("client_sessions", &sessions))
            .child(ChildSpec::supervisor("client_listeners", listeners_of(listeners)));
        if let Some(admin) = admin {
            node = node.child(ChildSpec::actor("admin", move |_| (AdminServer, admin.clone())));
        }
        node
    }

    fn cluster(self) -> SupervisorSpec {
        let (quorum_address, quorum) = self.quorum;
        let (publisher_address, publisher) = self.publisher;
        let (controller_address, controller) = self.controller;
        let lifecycle = self.lifecycle;
        let quorum_child =
            ChildSpec::addressed_actor("metadata_quorum", &quorum_address, move |_| {
                (MetadataQuorum, quorum.clone())
            })
            // the other voters may be started much later
            .start_deadline(None);
        let publish = move |_: &_| (MetadataPublisher, publisher.clone());
        let control = move |_: &_| (ControllerActor, controller.clone());
        let lifecycle_address = lifecycle.broker.lifecycle.clone();
        let live = move |_: &_| (BrokerLifecycle, lifecycle.clone());
        let quick = Shutdown::Prompt(QUICK_END);
        let mut cluster = SupervisorSpec::new(Strategy::RestForOne).intensity(PATIENCE);
        for carrier in self.peers {
            cluster = cluster.child(carrier);
        }
        cluster
            .child(quorum_child)
            .child(ChildSpec::addressed_actor("metadata_publisher", &publisher_address, publish))
            .child(
                ChildSpec::addressed_actor("controller", &controller_address, control)
                    .shutdown(quick),
            )
            .child(
                ChildSpec::addressed_actor("broker_lifecycle", &lifecycle_address, live)
                    .shutdown(quick),
            )
    }
}

fn maintenance_of(arguments: &MaintenanceArguments) -> SupervisorSpec {
    let (broker, arguments) = (arguments.broker.clone(), arguments.clone());
    let directory = arguments.directory.path().display().to_string();
    let address = arguments.checkpoints.maintenance().clone();
    let maintain = move |_: &_| (LogMaintenance, arguments.clone());
    SupervisorSpec::new(Strategy::OneForOne)
        .intensity(PATIENCE)
        .child(ChildSpec::addressed_actor("log_maintenance", &address, maintain))
        .child(OffsetsExpiry::child(&broker))
        .child(DiskWatch::child(&directory, &broker.file_work))
        .child(QuarantineReporter::child(&broker, &broker.quarantine_reporter))
}

fn listeners_of(listeners: Vec<ClientListenerArguments>) -> SupervisorSpec {
    let mut spec = SupervisorSpec::new(Strategy::OneForOne).intensity(PATIENCE);
    for listener in listeners {
        let id = listener.listener.name.to_string();
        let make = move |context: &supervision::StartContext| {
            let arguments =
                ClientListenerArguments { status: Some(context.status()), ..listener.clone() };
            (ClientListener, arguments)
        };
        spec = spec.child(ChildSpec::actor(id, make).shutdown(Shutdown::Prompt(QUICK_END)));
    }
    spec
}
