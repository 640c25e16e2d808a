//! A network that is cut, and healed.
//!
//! Three nodes under load, as in `leader_killed`. Then the links between the node that leads
//! orders-0 and the two others are cut, without a word to anybody: it runs on, its clients still
//! reach it, and it does not know yet that it leads no more.
//!
//! What one should see:
//!
//! - the two others notice the silence, and one of them leads within two seconds;
//! - the node that was cut off acknowledges nothing from then on: it cannot, because no other
//!   replica takes its records, and that is what an acknowledgement waits for;
//! - when the network heals it cuts what nobody else has off its logs, by leader epoch, fetches what
//!   it missed, and is in sync by itself;
//! - every acknowledged record is there once, in order, and on all three nodes alike.
//!
//! ```text
//! cargo run --example cut_network
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
use client::{BrokerId, Client, TopicName};
use company::Company;
use load::Load;
use telling::{Telling, in_ms};
use tokio::time::{Instant, sleep};
use waits::waits;

const PARTITIONS: i32 = 6;
/// Each partition gets a record this often.
const PACE: Duration = Duration::from_millis(10);
/// How long the network is cut.
const CUT: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<()> {
    let telling = Telling::begin("The node that leads is cut off from the others under load.");
    let company = Company::open().await?;
    let orders = company.topic("orders", PARTITIONS).await?;
    let client = company.client("load").await?;
    let mut load = Load::patient(&client, &orders, PARTITIONS, PACE).await?;
    telling.step(&format!("three nodes, {PARTITIONS} partitions of three replicas, under load"));
    sleep(Duration::from_secs(2)).await;
    telling.step(&format!("before: {}", waits(&load)?));
    let victim = company.leader(&client, &orders, 0).await?;
    cut(&telling, &company, &load, victim).await?;
    heal(&telling, &company, &client, &orders, victim).await?;
    load.until_all_flow().await?;
    let acked = load.finish().await?;
    let there = load.check_all_is_there(&client).await?;
    telling.step(&format!("read back: {there} records, {acked} acknowledged; each once, in order"));
    company.cluster.stop().await;
    telling.end("Two of three went on, and the third returned.");
    Ok(())
}

async fn cut(telling: &Telling, company: &Company, load: &Load, victim: i32) -> Result<()> {
    let struck = Instant::now();
    company.cluster.cut_off(victim);
    telling.step(&format!("node {victim}, which leads orders-0, is cut off from the others"));
    load.until_all_flow().await?;
    telling.detail(&format!("all partitions flow again after {}", in_ms(struck.elapsed())));
    sleep(CUT.saturating_sub(struck.elapsed())).await;
    telling.step(&format!("around the cut: {}", waits(load)?));
    Ok(())
}

async fn heal(
    telling: &Telling,
    company: &Company,
    client: &Client,
    orders: &TopicName,
    victim: i32,
) -> Result<()> {
    let healed = Instant::now();
    company.cluster.heal();
    telling.step("the network is healed");
    let back = company
        .until(client, orders, "three replicas in sync", |partitions| {
            let back = |partition: &client::Partition| {
                partition.in_sync_replicas.contains(&BrokerId(victim))
            };
            partitions.iter().all(back)
        })
        .await?;
    let after = in_ms(healed.elapsed());
    telling.detail(&format!("node {victim} is in sync everywhere after {after}"));
    ensure!(back.iter().all(|partition| partition.in_sync_replicas.len() == 3), "{back:?}");
    Ok(())
}
