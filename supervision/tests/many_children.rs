//! Ten thousand children under one supervisor: if any step cost time in proportion to their
//! number, connections would be accepted slower the more there are.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use futures_util::future::join_all;
use harness::{Diary, Order, PATIENCE, addressed};
use std::sync::Arc;
use supervision::{
    Address, ChildSpec, DynamicSupervisor, DynamicSupervisorSpec, NoticeEvent, RestartType,
    Strategy, Supervisor, SupervisorSpec, Tree,
};
use tokio::sync::watch;

const COUNT: usize = 10_000;

async fn many() -> (Tree, Diary, DynamicSupervisor, Vec<Address<Order>>, Supervisor) {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let children = DynamicSupervisor::new(DynamicSupervisorSpec::new(COUNT));
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(ChildSpec::dynamic_supervisor("children", &children));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    let names = (0..COUNT).map(|number| &*format!("{number}").leak());
    let (specs, addresses): (Vec<ChildSpec>, Vec<Address<Order>>) =
        names.map(|name| addressed(name, &diary)).unzip();
    let starts = specs.into_iter().map(|spec| {
        let spec = spec.restart(RestartType::Temporary);
        children.start_child(spec, PATIENCE)
    });
    for started in join_all(starts).await {
        started.unwrap();
    }
    (tree, diary, children, addresses, root)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_come_and_go_by_name() {
    let (tree, diary, children, addresses, root) = many().await;
    let snapshot = tree.snapshot().unwrap();
    assert_eq!(snapshot.find("children").unwrap().children.len(), COUNT);
    assert!(addresses.iter().all(Address::is_available));
    let stops = (0..COUNT).map(|number| children.stop_child(format!("{number}"), PATIENCE));
    for stopped in join_all(stops).await {
        stopped.unwrap();
    }
    let gone = diary.lines().iter().filter(|line| line.ends_with(": gone")).count();
    assert_eq!(gone, COUNT);
    assert!(tree.snapshot().unwrap().find("children").unwrap().children.is_empty());
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_end_with_their_supervisor_and_all_in_order() {
    let (_tree, diary, _children, addresses, root) = many().await;
    root.shutdown(PATIENCE).await;
    let lines = diary.lines();
    for ending in [": ended", ": gone"] {
        assert_eq!(lines.iter().filter(|line| line.ends_with(ending)).count(), COUNT);
    }
    assert!(!addresses.iter().any(Address::is_available));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_end_by_themselves_and_leave_nothing() {
    let (tree, diary, _children, addresses, root) = many().await;
    let stops = Arc::new(watch::Sender::new(0));
    let counter = stops.clone();
    tree.subscribe(Arc::new(move |notice| {
        if matches!(notice.event, NoticeEvent::Stopped { .. }) {
            counter.send_modify(|stops| *stops += 1);
        }
    }));
    for address in &addresses {
        address.send(Order::End(None)).unwrap();
    }
    let mut stops = stops.subscribe();
    tokio::time::timeout(PATIENCE, stops.wait_for(|stops| *stops == COUNT)).await.unwrap().unwrap();
    let gone = diary.lines().iter().filter(|line| line.ends_with(": gone")).count();
    assert_eq!(gone, COUNT);
    assert!(tree.snapshot().unwrap().find("children").unwrap().children.is_empty());
    root.shutdown(PATIENCE).await;
}
