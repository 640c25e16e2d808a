//! A disk that fails.
//!
//! Three nodes under load, as in `leader_killed`. Then every flush of the disk of the node that leads
//! orders-0 fails, as a dying disk's do.
//!
//! What one should see:
//!
//! - a failed flush is final: the replicas there stop, say so, and others lead; what had not been
//!   flushed was never acknowledged, so nothing that was is lost;
//! - the supervisors start the replicas again, as often as is reasonable, and then put them into
//!   quarantine; the node itself runs on;
//! - with another disk the node, started again, fetches everything and is in sync.
//!
//! ```text
//! cargo run --example failing_disk
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

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result};
use callboard::testing::FaultyOperation;
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
    let telling = Telling::begin("The disk of the node that leads fails under load.");
    let mut company = Company::open().await?;
    let orders = company.topic("orders", PARTITIONS).await?;
    let client = company.client("load").await?;
    let mut load = Load::patient(&client, &orders, PARTITIONS, PACE).await?;
    telling.step(&format!("three nodes, {PARTITIONS} partitions of three replicas, under load"));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("before: {}", waits(&load)?));
    let victim = company.leader(&client, &orders, 0).await?;
    fail(&telling, &company, &load, victim).await?;
    replace(&telling, &mut company, &client, &orders, victim).await?;
    load.until_all_flow().await?;
    let acked = load.finish().await?;
    let there = load.check_all_is_there(&client).await?;
    telling.step(&format!("read back: {there} records, {acked} acknowledged; each once, in order"));
    company.cluster.stop().await;
    telling.end("A disk died, and no record that was acknowledged was on it alone.");
    Ok(())
}

async fn fail(telling: &Telling, company: &Company, load: &Load, victim: i32) -> Result<()> {
    let struck = Instant::now();
    let disk = company.cluster.disk(victim).context("no such node")?;
    disk.fail(FaultyOperation::SyncData, 0, u64::MAX, ErrorKind::Other);
    telling.step(&format!("every flush of node {victim}, which leads orders-0, fails from now on"));
    load.until_all_flow().await?;
    telling.detail(&format!("all partitions flow again after {}", in_ms(struck.elapsed())));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("around the failure: {}", waits(load)?));
    Ok(())
}

async fn replace(
    telling: &Telling,
    company: &mut Company,
    client: &Client,
    orders: &TopicName,
    victim: i32,
) -> Result<()> {
    let began = Instant::now();
    company.cluster.kill(victim).await;
    company.cluster.replace_disk(victim);
    company.cluster.restart(victim).await?;
    telling
        .step(&format!("node {victim} gets a new disk and is up after {}", in_ms(began.elapsed())));
    company.until_all_in_sync(client, orders).await?;
    telling.detail(&format!("it is in sync everywhere after {}", in_ms(began.elapsed())));
    Ok(())
}
