//! Two nodes in network namespaces of their own, and the cable between them is cut: nothing is
//! refused, nothing is closed, packets just do not arrive. ractor alone notices after a quarter of an
//! hour. Where the system gives no namespaces there is no cable to cut, and that is said.

use std::process::Command;
use std::time::Duration;

use crate::peers_harness::process_world::{Place, ProcessWorld};
use crate::peers_harness::{PATIENCE, World};
use crate::{ALONE, BULK, CONTROL};

/// A hub with a bridge, and two nodes that are plugged into it.
struct Cables {
    prefix: String,
}

fn ip(arguments: &str) -> bool {
    let run = Command::new("ip").args(arguments.split_whitespace()).output();
    run.is_ok_and(|output| output.status.success())
}

impl Cables {
    /// Lays them; `None` where that is not allowed.
    fn lay() -> Option<Self> {
        let cables = Self { prefix: format!("callboard{}", std::process::id()) };
        let hub = cables.namespace(0);
        let is_laid = ip(&format!("netns add {hub}"))
            && ip(&format!("-n {hub} link add bridge type bridge"))
            && ip(&format!("-n {hub} link set bridge up"))
            && [1, 2].into_iter().all(|node| cables.plug_in(node));
        is_laid.then_some(cables)
    }

    fn plug_in(&self, node: i32) -> bool {
        let (hub, own) = (self.namespace(0), self.namespace(node));
        ip(&format!("netns add {own}"))
            && ip(&format!("-n {hub} link add port{node} type veth peer name cable netns {own}"))
            && ip(&format!("-n {hub} link set port{node} master bridge up"))
            && ip(&format!("-n {own} addr add {}/24 dev cable", host(node)))
            && ip(&format!("-n {own} link set cable up"))
            && ip(&format!("-n {own} link set lo up"))
    }

    fn namespace(&self, node: i32) -> String {
        format!("{}-{node}", self.prefix)
    }

    fn cut(&self, node: i32) {
        assert!(ip(&format!("-n {} link set port{node} nomaster", self.namespace(0))));
    }

    fn mend(&self, node: i32) {
        assert!(ip(&format!("-n {} link set port{node} master bridge", self.namespace(0))));
    }

    /// What `from` sends to `to` goes to a machine that is not there.
    fn cut_one_way(&self, from: i32, to: i32) {
        let place = format!("{} lladdr 02:00:00:00:00:99 dev cable", host(to));
        assert!(ip(&format!("-n {} neigh replace {place}", self.namespace(from))));
    }

    fn mend_one_way(&self, from: i32, to: i32) {
        let place = format!("{} dev cable", host(to));
        assert!(ip(&format!("-n {} neigh del {place}", self.namespace(from))));
    }
}

impl Drop for Cables {
    fn drop(&mut self) {
        for node in 0..3 {
            ip(&format!("netns del {}", self.namespace(node)));
        }
    }
}

fn host(node: i32) -> String {
    format!("10.99.0.{node}")
}

#[tokio::test]
async fn a_cut_cable_is_noticed_at_both_ends_and_a_mended_one_is_used_again() {
    let _alone = ALONE.lock().await;
    let Some(cables) = Cables::lay() else {
        println!("no network namespaces here: no cable was cut");
        return;
    };
    let mut world = ProcessWorld::new();
    for node in [1, 2] {
        let namespace = Some(cables.namespace(node));
        world.places.insert(node, Place { namespace, host: Some(host(node)) });
    }
    let (one, two) = world.pair().await;
    for round in 0..4 {
        match round % 2 {
            0 => cables.cut(2),
            _ => cables.cut_one_way(1, 2),
        }
        let asked = world.ask(1, (2, CONTROL), "echo", PATIENCE);
        let (outcome, here, there) =
            tokio::join!(asked, world.linked(1, 2, None), world.linked(2, 1, None));
        println!("round {round}: noticed after {here:?} and {there:?}");
        assert!(outcome.answer.is_err(), "{outcome:?}");
        for noticed in [here, there] {
            assert!(noticed < Duration::from_millis(1_100), "round {round}: {noticed:?}");
        }
        match round % 2 {
            0 => cables.mend(2),
            _ => cables.mend_one_way(1, 2),
        }
        let here = world.linked(1, 2, Some(two)).await;
        println!("round {round}: linked again after {here:?}");
        assert!(here < Duration::from_secs(4), "round {round}: {here:?}");
        world.linked(2, 1, Some(one)).await;
        assert_eq!(world.ask(2, (1, BULK), "echo", PATIENCE).await.answer, Ok(4));
    }
}
