//! Several want one resource: if two held its lease at a time, or a lost one was never freed, a
//! partition would be corrupted or never come back.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use supervision::{LeaseTable, LeaseTimeout};

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn the_next_holder_waits_for_the_last_clone() {
    let table = LeaseTable::new();
    let lease = table.acquire("log", LONG).await.unwrap();
    let flush_in_flight = lease.clone();
    assert_eq!(*lease.key(), "log");
    drop(lease);
    let short = Duration::from_secs(1);
    assert_eq!(table.acquire("log", short).await.unwrap_err(), LeaseTimeout { waited: short });
    assert!(table.is_held(&"log"));
    assert!(table.try_acquire("log").is_none());
    let other = table.acquire("other log", short).await.unwrap();
    let (next, ()) = tokio::join!(table.acquire("log", LONG), async {
        drop(flush_in_flight);
    });
    assert_eq!(*next.unwrap().key(), "log");
    assert_eq!(*other.key(), "other log");
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_holds_or_wants_cost_nothing() {
    let table = LeaseTable::new();
    let lease = table.acquire("log", LONG).await.unwrap();
    assert!(table.acquire("log", Duration::from_secs(1)).await.is_err());
    drop(lease);
    assert!(table.is_empty());
    drop(table.try_acquire("log"));
    assert!(table.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_never_more_than_one_holder() {
    let (table, inside) = (LeaseTable::new(), Arc::new(AtomicU32::new(0)));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (table, inside) = (table.clone(), inside.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    let lease = table.acquire("log", LONG).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    drop(lease);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(table.is_empty());
}
