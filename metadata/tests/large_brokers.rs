//! A broker with more replicas than one entry of the metadata log holds: if what is decided about it
//! could not be cut, it could never be fenced, and whatever it leads would wait for it for ever.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use metadata::image::invariants;
use metadata::{
    BrokerEndpoint, ClusterId, ClusterImage, Controller, DirectoryId, Heartbeat, HostAndPort,
    Incarnation, LastUse, RegisterBroker, SecurityProtocol, StaticSettings, TopicToCreate,
    cut_into_entries, wire,
};
use protocol::{BrokerEpoch, BrokerId, TopicId};
use uuid::Uuid;

/// What an entry holds here, so that a small cluster is a large one.
const ENTRY_BYTES_MAX: usize = 16 << 10;
/// Fewer replicas than are decided about in one such entry.
const REPLICAS_IN_ONE_ENTRY: usize = 100;
const PARTITIONS: usize = 1_000;

struct World {
    image: ClusterImage,
    controller: Controller,
}

impl World {
    /// Three brokers, and partitions with a replica on each.
    fn with_many_partitions() -> Self {
        let image = ClusterImage::empty();
        let given = Arc::new(StaticSettings::defaults());
        let controller = Controller::new(image.clone(), given);
        let controller = controller.with_replicas_in_one_entry(REPLICAS_IN_ONE_ENTRY);
        let mut world = Self { controller, image };
        world.controller.found_cluster(ClusterId(Uuid::from_u128(1))).unwrap();
        for broker in 1..=3 {
            world.start(broker, LastUse::Never);
        }
        world.agree();
        let topic = TopicToCreate {
            partitions: i32::try_from(PARTITIONS).unwrap(),
            replication_factor: 3,
            ..TopicToCreate::with_defaults("orders")
        };
        let id = || TopicId(Uuid::from_u128(1000));
        world.controller.create_topics(&[topic], false, id).remove(0).unwrap();
        // a topic comes whole or not at all
        assert_eq!(world.agree_in(usize::MAX), 1);
        world
    }

    fn start(&mut self, broker: i32, last_use: LastUse) {
        let request = RegisterBroker {
            broker: BrokerId(broker),
            incarnation: Incarnation(Uuid::from_u128(u128::from(self.image.version()) * 10 + 5)),
            cluster_id: None,
            directory: DirectoryId(Uuid::from_u128(broker.unsigned_abs().into())),
            last_use,
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new("127.0.0.1", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: None,
            rack: None,
            starts_unfenced: true,
        };
        self.controller.register_broker(&request, false).unwrap();
    }

    fn epoch(&self, broker: i32) -> BrokerEpoch {
        self.image.broker(BrokerId(broker)).unwrap().epoch()
    }

    /// Has everything decided agreed on, in entries that fit; gives how many they were.
    fn agree(&mut self) -> usize {
        self.agree_in(ENTRY_BYTES_MAX)
    }

    fn agree_in(&mut self, bytes_max: usize) -> usize {
        let entries = cut_into_entries(self.controller.take_records(), bytes_max);
        for records in &entries {
            let bytes = wire::encode_records(records).unwrap().len();
            assert!(bytes <= bytes_max, "{bytes} bytes");
            let entry = self.image.version() + 1;
            self.image = self.image.apply_entry(entry, records).unwrap().0;
            self.controller.on_committed(entry);
        }
        assert_eq!(self.controller.image(), &self.image);
        assert_eq!(invariants::violations(&self.image), []);
        entries.len()
    }

    fn leads(&self, broker: i32) -> usize {
        let led = self.image.replicas_of(BrokerId(broker)).filter(|key| {
            let state = self.image.partition(*key).unwrap();
            state.leader == Some(BrokerId(broker))
        });
        led.count()
    }
}

#[test]
fn a_broker_with_very_many_replicas_is_fenced_stops_starts_and_leaves() {
    let mut world = World::with_many_partitions();
    assert!(world.leads(1) > PARTITIONS / 4);
    let epoch = world.epoch(1);
    world.controller.fence_broker(BrokerId(1), epoch).unwrap();
    assert!(world.agree() > 1, "or this test proves nothing");
    assert_eq!(world.leads(1), 0);

    let epoch = world.epoch(2);
    let heartbeat = Heartbeat {
        broker: BrokerId(2),
        broker_epoch: epoch,
        has_caught_up: true,
        wants_fence: false,
        wants_to_stop: true,
        disk_hangs: false,
    };
    assert!(world.controller.on_heartbeat(&heartbeat).unwrap().may_stop);
    assert!(world.agree() > 1);
    assert_eq!((world.leads(2), world.leads(3)), (0, PARTITIONS));

    let epoch = world.epoch(3);
    world.start(3, LastUse::Crashed(epoch));
    assert!(world.agree() > 1);
    assert_eq!(world.leads(3), PARTITIONS, "nobody else could");
    assert!(world.epoch(3) > epoch);

    world.controller.unregister_broker(BrokerId(3)).unwrap();
    assert!(world.agree() > 1);
    assert!(world.image.broker(BrokerId(3)).is_none());
    assert_eq!(world.leads(3), 0);
}
