//! Nodes as processes: this test program, run again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::ports::peers::Lane;
use metadata::Incarnation;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::node_process::NODE_VARIABLE;
use super::question::lane_words;
use super::{Outcome, PATIENCE, World};

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Vec<String>>>>>;

/// Where a process runs.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// A network namespace; `None` for the one of the tests.
    pub namespace: Option<String>,
    /// Its host there; `None` for loopback.
    pub host: Option<String>,
}

/// One process. It is killed when this is dropped.
pub struct NodeProcess {
    process: Child,
    host: String,
    pub port: u16,
    pub incarnation: Incarnation,
    orders: tokio::sync::Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
}

impl NodeProcess {
    async fn start(
        node: i32,
        cluster: u128,
        place: &Place,
        certificates: Option<&PathBuf>,
    ) -> Self {
        let certificates = certificates.map_or("-".to_owned(), |path| path.display().to_string());
        let host = place.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
        let program = std::env::current_exe().unwrap();
        let mut command = match &place.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut process = command
            .args(["--exact", "node_process", "--nocapture"])
            .env(NODE_VARIABLE, format!("{node} {cluster} {host} {certificates}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let waiting = Waiting::default();
        let (ready, is_ready) = oneshot::channel();
        waiting.lock().unwrap().insert(0, ready);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let Some(place) = line.find("@ ") else { continue };
                let mut words = line[place + 2..].split(' ').map(str::to_owned);
                let number = words.next().unwrap().parse().unwrap();
                let waits = answered.lock().unwrap().remove(&number);
                if let Some(waits) = waits {
                    let _ = waits.send(words.collect());
                }
            }
        });
        let words = tokio::time::timeout(PATIENCE, is_ready).await.unwrap().unwrap();
        let orders = tokio::sync::Mutex::new((process.stdin.take().unwrap(), 0));
        Self {
            process,
            host,
            port: words[0].parse().unwrap(),
            incarnation: Incarnation(Uuid::parse_str(&words[1]).unwrap()),
            orders,
            waiting,
        }
    }

    /// The words of the answer to an order.
    pub async fn order(&self, order: &str) -> Vec<String> {
        let (reply, answer) = oneshot::channel();
        let mut orders = self.orders.lock().await;
        orders.1 += 1;
        let number = orders.1;
        self.waiting.lock().unwrap().insert(number, reply);
        orders.0.write_all(format!("{number} {order}\n").as_bytes()).await.unwrap();
        orders.0.flush().await.unwrap();
        drop(orders);
        tokio::time::timeout(4 * PATIENCE, answer).await.unwrap().unwrap()
    }

    async fn outcome(&self, order: &str) -> Outcome {
        let words = self.order(order).await;
        let took = Duration::from_micros(words[2].parse().unwrap());
        let answer = match words[0].as_str() {
            "ok" => Ok(words[1].parse().unwrap()),
            _ => Err(words[1].clone()),
        };
        Outcome { answer, took }
    }

    /// Who listens at a port, as this node sees it.
    pub async fn discover(&self, port: u16) -> Outcome {
        self.outcome(&format!("discover {port}")).await
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        kill_process(id.and_then(Pid::from_raw).unwrap(), signal).unwrap();
    }
}

/// See the head of this file.
pub struct ProcessWorld {
    pub nodes: BTreeMap<i32, NodeProcess>,
    pub certificates: Option<PathBuf>,
    pub cluster: u128,
    /// Where nodes run that do not run beside the tests.
    pub places: BTreeMap<i32, Place>,
    hanging: Vec<NodeProcess>,
}

impl ProcessWorld {
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::new(),
            certificates: None,
            cluster: 1,
            places: BTreeMap::new(),
            hanging: Vec::new(),
        }
    }

    /// The same with TLS.
    pub fn with_certificates(certificates: PathBuf) -> Self {
        Self { certificates: Some(certificates), ..Self::new() }
    }
}

impl World for ProcessWorld {
    async fn start(&mut self, node: i32) -> Incarnation {
        let place = self.places.get(&node).cloned().unwrap_or_default();
        let certificates = self.certificates.as_ref();
        let process = NodeProcess::start(node, self.cluster, &place, certificates).await;
        let incarnation = process.incarnation;
        let before = self.nodes.insert(node, process);
        self.hanging.extend(before);
        incarnation
    }

    async fn introduce(&self, node: i32, others: &[i32]) {
        let entry = |other: &i32| {
            let process = &self.nodes[other];
            format!(" {other}={}:{}", process.host, process.port)
        };
        let entries = others.iter().map(entry);
        self.nodes[&node].order(&format!("introduce{}", entries.collect::<String>())).await;
    }

    async fn ask(&self, from: i32, to: (i32, Lane), words: &str, deadline: Duration) -> Outcome {
        let (node, lane, deadline) = (to.0, lane_words(to.1), deadline.as_millis());
        self.nodes[&from].outcome(&format!("ask {node} {lane} {deadline} {words}")).await
    }

    async fn linked(&self, from: i32, to: i32, start: Option<Incarnation>) -> Duration {
        let start = start.map_or("-".to_owned(), |start| start.0.to_string());
        let outcome = self.nodes[&from].outcome(&format!("linked {to} {start}")).await;
        assert_eq!(outcome.answer, Ok(0), "{from} to {to} at {start}");
        outcome.took
    }

    async fn kill(&mut self, node: i32) {
        let mut node = self.nodes.remove(&node).unwrap();
        node.process.kill().await.unwrap();
    }

    async fn freeze(&self, node: i32) {
        self.nodes[&node].signal(Signal::STOP);
    }

    async fn thaw(&self, node: i32) {
        self.nodes[&node].signal(Signal::CONT);
    }

    async fn kill_actor(&self, node: i32, actor: &str) {
        let words = self.nodes[&node].order(&format!("kill-actor {actor}")).await;
        assert_eq!(words[0], "ok", "{words:?}");
    }
}
