//! A disk that does not answer.
//!
//! Three nodes under load, as in `leader_killed`. Then the disk of the node that leads orders-0 hangs:
//! nothing fails, but no write and no flush returns, as with a controller that resets or a volume
//! whose network is gone. The process lives, its heartbeats go on.
//!
//! What one should see:
//!
//! - the node notices after `callboard.disk.hang.timeout.ms` (a second), says so, and others lead;
//!   the producers wait for that and no longer, and none gets an error;
//! - if the node decided for the cluster, another one does;
//! - when the disk answers again, the node says so and is in sync by itself.
//!
//! ```text
//! cargo run --example hung_disk
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

use anyhow::{Context, Result, ensure};
use client::{BrokerId, Client, TopicName};
use company::Company;
use load::Load;
use telling::{Telling, in_ms};
use tokio::time::{Instant, sleep};
use waits::waits;

const PARTITIONS: i32 = 6;
/// Each partition gets a record this often.
const PACE: Duration = Duration::from_millis(10);
/// How long the disk hangs: longer than any client would wait for it.
const HANGS: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<()> {
    let telling = Telling::begin("The disk of the node that leads hangs under load.");
    let company = Company::open().await?;
    let orders = company.topic("orders", PARTITIONS).await?;
    let client = company.client("load").await?;
    let mut load = Load::patient(&client, &orders, PARTITIONS, PACE).await?;
    telling.step(&format!("three nodes, {PARTITIONS} partitions of three replicas, under load"));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("before: {}", waits(&load)?));
    let victim = company.leader(&client, &orders, 0).await?;
    hang(&telling, &company, &load, &client, &orders, victim).await?;
    heal(&telling, &company, &client, &orders, victim).await?;
    load.until_all_flow().await?;
    let acked = load.finish().await?;
    let there = load.check_all_is_there(&client).await?;
    telling.step(&format!("read back: {there} records, {acked} acknowledged; each once, in order"));
    company.cluster.stop().await;
    telling.end("A disk hung, and its node's clients did not wait for it.");
    Ok(())
}

async fn hang(
    telling: &Telling,
    company: &Company,
    load: &Load,
    client: &Client,
    orders: &TopicName,
    victim: i32,
) -> Result<()> {
    let struck = Instant::now();
    let decides = company.cluster.node(victim).context("no such node")?.broker().quorum.view();
    company.cluster.hang_disk(victim);
    let too = if decides.active_term.is_some() { ", and decides for the cluster," } else { "" };
    telling
        .step(&format!("the disk of node {victim}, which leads orders-0{too} hangs from now on"));
    let victim = BrokerId(victim);
    let others_lead = "others lead, and the node is nowhere in sync";
    company
        .until(client, orders, others_lead, |partitions| {
            partitions.iter().all(|partition| {
                let has_leader = partition.leader.is_some_and(|leader| leader != victim);
                has_leader && !partition.in_sync_replicas.contains(&victim)
            })
        })
        .await?;
    telling.detail(&format!("others lead everything after {}", in_ms(struck.elapsed())));
    load.until_all_flow().await?;
    telling.detail(&format!("all partitions flow again after {}", in_ms(struck.elapsed())));
    ensure!(struck.elapsed() < HANGS, "the clients waited for the disk");
    sleep(HANGS.saturating_sub(struck.elapsed())).await;
    telling.step(&format!("around it: {}", waits(load)?));
    Ok(())
}

async fn heal(
    telling: &Telling,
    company: &Company,
    client: &Client,
    orders: &TopicName,
    victim: i32,
) -> Result<()> {
    let began = Instant::now();
    company.cluster.heal_disk(victim);
    telling.step(&format!("the disk of node {victim} answers again"));
    company.until_all_in_sync(client, orders).await?;
    telling.detail(&format!("it is in sync everywhere after {}", in_ms(began.elapsed())));
    Ok(())
}
