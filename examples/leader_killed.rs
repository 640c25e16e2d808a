//! When a broker dies, a follower leads.
//!
//! Three nodes; a topic of six partitions with three replicas each, under load of producers that
//! wait until all in-sync replicas have a record on disk, and of readers that know which number
//! comes next. Then the node that leads orders-0 ends as `kill -9` would end it.
//!
//! What one should see:
//!
//! - the producers' longest wait for an acknowledgement around the kill is well below a second,
//!   and no client does anything but wait: none gets an error;
//! - the readers see every record once and in order, under a higher leader epoch;
//! - the node, started again, fetches what it missed and is in sync by itself.
//!
//! ```text
//! cargo run --example leader_killed
//! ```
#![allow(clippy::print_stdout)]

#[path = "stage/company.rs"]
mod company;
#[path = "stage/load.rs"]
#[allow(dead_code)]
mod load;
#[path = "stage/telling.rs"]
#[allow(dead_code)]
mod telling;
#[path = "stage/waits.rs"]
mod waits;

use std::time::Duration;

use anyhow::{Result, ensure};
use client::{Client, TopicName};
use company::Company;
use load::Load;
use telling::{Telling, in_ms};
use tokio::time::{Instant, sleep};
use waits::waits;

const PARTITIONS: i32 = 6;
/// Each partition gets a record this often.
const PACE: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<()> {
    let telling = Telling::begin("The node that leads is killed under load.");
    let mut company = Company::open().await?;
    let orders = company.topic("orders", PARTITIONS).await?;
    let client = company.client("load").await?;
    let mut load = Load::patient(&client, &orders, PARTITIONS, PACE).await?;
    telling.step(&format!(
        "three nodes, {PARTITIONS} partitions of three replicas: a record every {PACE:?} to each, \
         on the disks of all in-sync replicas before it is acknowledged"
    ));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("before: {}", waits(&load)?));
    let victim = company.leader(&client, &orders, 0).await?;
    let epoch = load.lanes()[0].last_epoch();
    kill(&telling, &mut company, &load, victim).await?;
    ensure!(load.lanes()[0].last_epoch() > epoch, "orders-0 is led under the old epoch");
    come_back(&telling, &mut company, &client, &orders, victim).await?;
    load.until_all_flow().await?;
    let acked = load.finish().await?;
    let there = load.check_all_is_there(&client).await?;
    telling.step(&format!("read back: {there} records, {acked} acknowledged; each once, in order"));
    company.cluster.stop().await;
    telling.end("A node died, and its clients waited for a moment.");
    Ok(())
}

async fn kill(telling: &Telling, company: &mut Company, load: &Load, victim: i32) -> Result<()> {
    let struck = Instant::now();
    company.cluster.kill(victim).await;
    telling.step(&format!("node {victim}, which leads orders-0, is killed"));
    load.until_all_flow().await?;
    telling.detail(&format!("all partitions flow again after {}", in_ms(struck.elapsed())));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("around the kill: {}", waits(load)?));
    Ok(())
}

async fn come_back(
    telling: &Telling,
    company: &mut Company,
    client: &Client,
    orders: &TopicName,
    victim: i32,
) -> Result<()> {
    let began = Instant::now();
    company.cluster.restart(victim).await?;
    telling.step(&format!("node {victim} is started again: up after {}", in_ms(began.elapsed())));
    company.until_all_in_sync(client, orders).await?;
    telling.detail(&format!("it is in sync everywhere after {}", in_ms(began.elapsed())));
    Ok(())
}
