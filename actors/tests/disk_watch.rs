//! When the watch over a disk speaks. If it spoke too early, a busy machine would move its leaders for
//! nothing; if it never did, everybody would wait for a disk that hangs.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::time::Duration;

use actors::disk_watch::DiskWatch;
use actors::file_work::FileWork;
use supervision::{Strategy, Supervisor, SupervisorSpec, Tree};
use tokio::time::{Instant, sleep, timeout};

const TIMEOUT: Duration = Duration::from_secs(1);

async fn watched() -> (FileWork, Tree, Supervisor) {
    let work = FileWork::new(Some(TIMEOUT));
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(DiskWatch::child("/data", &work));
    let tree = Tree::with_system_clock();
    let root = Supervisor::start(&tree, "maintenance", spec).await.unwrap();
    // the look with which it begins is over
    sleep(10 * TIMEOUT).await;
    (work, tree, root)
}

/// How long until the watch says so.
async fn until(work: &FileWork, hung: bool) -> Duration {
    let began = Instant::now();
    let mut says = work.subscribe();
    let said = timeout(100 * TIMEOUT, says.wait_for(|says| *says == hung)).await;
    said.expect("it says so").unwrap();
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_is_noticed_after_the_timeout_and_a_tick() {
    let (work, tree, _root) = watched().await;
    let stuck = work.begin(0);
    let took = until(&work, true).await;
    assert!(took >= TIMEOUT && took <= TIMEOUT * 5 / 4, "noticed after {took:?}");
    assert!(work.oldest() >= TIMEOUT);
    let shown = tree.snapshot().unwrap();
    assert_eq!(shown.find("disk_watch").unwrap().status.get("disk").unwrap(), "hung");
    drop(stuck);
    let took = until(&work, false).await;
    assert!(took >= TIMEOUT * 7 / 8 && took <= TIMEOUT * 5 / 4, "answered after {took:?}");
    assert_eq!((work.hangs(), work.oldest()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn time_that_the_process_missed_is_not_the_disks() {
    let (work, _tree, _root) = watched().await;
    let under_way = work.begin(0);
    sleep(TIMEOUT / 2).await;
    // stopped, and resumed: one look is late, and the next ones come as if nothing had been
    tokio::time::advance(100 * TIMEOUT).await;
    sleep(TIMEOUT / 4).await;
    assert!(!work.is_hung());
    drop(under_way);
    sleep(10 * TIMEOUT).await;
    assert_eq!(work.hangs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_was_killed_goes_on_where_it_was() {
    let (work, tree, root) = watched().await;
    let _stuck = work.begin(0);
    until(&work, true).await;
    let kill = || work.watch().actor().unwrap().kill();
    kill();
    sleep(TIMEOUT).await;
    assert!(tree.snapshot().unwrap().find("disk_watch").unwrap().restarts > 0);
    drop(_stuck);
    until(&work, false).await;
    // also one that rested
    sleep(10 * TIMEOUT).await;
    kill();
    sleep(10 * TIMEOUT).await;
    let _stuck = work.begin(0);
    until(&work, true).await;
    drop(root);
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_nothing_is_watched() {
    let work = FileWork::new(None);
    let _stuck = work.begin(0);
    sleep(100 * TIMEOUT).await;
    assert!(!work.is_hung() && work.oldest().is_zero());
}
