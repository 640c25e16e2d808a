//! A directory over several starts of a process. Broken, a copy from yesterday would be taken for
//! what the cluster knows, or a good directory for an old one.

use commit_log::FaultyStorage;
use metadata::{BrokerEndpoint, BrokerRegistration};
use protocol::BrokerId;

use super::*;
use crate::ports::storage_executor::Inline;

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_u128(5));

fn process(disk: &FaultyStorage, number: u128, stopped_in_order: bool) -> DirectoryUse {
    DirectoryUse {
        path: PathBuf::from("/"),
        id: DIRECTORY,
        incarnation: Incarnation(Uuid::from_u128(number)),
        stopped_in_order,
        storage: Arc::new(disk.clone()),
        executor: Arc::new(Inline),
        found: Arc::default(),
    }
}

/// The broker as the cluster knows it after that process has registered.
fn registered(number: u128, epoch: i64) -> Option<Arc<BrokerState>> {
    let registration = BrokerRegistration {
        broker: BrokerId(1),
        incarnation: Incarnation(Uuid::from_u128(number)),
        broker_epoch: BrokerEpoch::new(epoch),
        directory: DIRECTORY,
        endpoints: Vec::<BrokerEndpoint>::new(),
        cluster_address: None,
        rack: None,
        fenced: false,
    };
    Some(Arc::new(BrokerState { registration, is_shutting_down: false, has_hung_disk: false }))
}

#[tokio::test]
async fn a_directory_knows_the_registration_of_the_process_before() {
    let disk = FaultyStorage::new(1);
    assert_eq!(process(&disk, 1, false).begin(None).await.unwrap(), LastUse::Never);
    disk.power_cut();
    let second = process(&disk, 2, false);
    let crashed = LastUse::Crashed(BrokerEpoch::new(7));
    assert_eq!(second.begin(registered(1, 7)).await.unwrap(), crashed);
    assert_eq!(second.begin(registered(2, 8)).await.unwrap(), crashed, "asked again");
    let third = process(&disk, 3, true).begin(registered(2, 8)).await.unwrap();
    assert_eq!(third, LastUse::StoppedInOrder(BrokerEpoch::new(8)));
}

#[tokio::test]
async fn a_process_that_never_registered_changes_nothing() {
    let disk = FaultyStorage::new(2);
    process(&disk, 1, false).begin(None).await.unwrap();
    let in_order = LastUse::StoppedInOrder(BrokerEpoch::new(7));
    assert_eq!(process(&disk, 2, true).begin(registered(1, 7)).await.unwrap(), in_order);
    assert_eq!(process(&disk, 3, false).begin(registered(1, 7)).await.unwrap(), in_order);
}

#[tokio::test]
async fn an_older_copy_names_an_older_registration() {
    let disk = FaultyStorage::new(3);
    process(&disk, 1, false).begin(None).await.unwrap();
    process(&disk, 2, false).begin(registered(1, 7)).await.unwrap();
    // process 3 ran on the copy's original
    let copy = process(&disk, 4, true).begin(registered(3, 9)).await.unwrap();
    assert_eq!(copy, LastUse::Crashed(BrokerEpoch::new(7)));
}

#[tokio::test]
async fn a_directory_of_an_older_version_is_known_by_its_identity() {
    let disk = FaultyStorage::new(4);
    let found = process(&disk, 2, false).begin(registered(1, 7)).await.unwrap();
    assert_eq!(found, LastUse::Crashed(BrokerEpoch::new(7)));
}

#[tokio::test]
async fn damage_is_not_taken_for_a_new_directory() {
    let disk = FaultyStorage::new(5);
    process(&disk, 1, false).begin(None).await.unwrap();
    disk.flip(&PathBuf::from("/").join(FILE), 12, 1).unwrap();
    let damaged = process(&disk, 2, false).begin(None).await;
    assert!(matches!(damaged, Err(DirectoryUseError::Damaged { .. })), "{damaged:?}");
}
