//! A node as a process of its own: reads what to do from its input, a line each, and answers on its
//! output. Lines of others (the test program's own) do not begin with `@`.
//!
//! ```text
//! node      @ 0 <port> <incarnation>
//! parent    <n> ask <to> <lane> <deadline ms> <words …>     node   @ <n> ok|err <what> <took us>
//!           <n> linked <to> <incarnation or ->                     @ <n> ok 0 <took us>
//!           <n> introduce <id>=<host>:<port> …                     @ <n> ok 0 0
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actors::ports::peers::cluster_peers::{ClusterListenerSettings, ClusterPeers};
use actors::ports::peers::{AddressBook, PeerIdentity, Peers};
use actors::ports::rng::{OsRng, Rng};
use metadata::{ClusterId, HostAndPort, Incarnation};
use protocol::BrokerId;
use supervision::{OperatorCommand, Strategy, Supervisor, SupervisorSpec, Tree};
use uuid::Uuid;

use super::PATIENCE;
use super::question::{Obedient, lane_of, question};

/// Tells the test program that it is a node; `<id> <cluster> <host> <certificates or ->`.
pub const NODE_VARIABLE: &str = "CALLBOARD_PEERS_NODE";

/// Runs the node that the environment describes, until its input ends; at once if there is none.
pub fn run_if_asked() -> bool {
    let Ok(node) = std::env::var(NODE_VARIABLE) else { return false };
    let mut words = node.split(' ');
    let id = BrokerId(words.next().unwrap().parse().unwrap());
    let cluster_id = ClusterId(Uuid::from_u128(words.next().unwrap().parse().unwrap()));
    let host = words.next().unwrap();
    let certificates = words.next().filter(|words| *words != "-").map(PathBuf::from);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(id, cluster_id, host, certificates));
    true
}

async fn run(node: BrokerId, cluster_id: ClusterId, host: &str, tls: Option<PathBuf>) {
    let bind = HostAndPort::new(host, 0);
    let plaintext_allowed = host != "127.0.0.1";
    let settings = ClusterListenerSettings { bind, advertised: None, tls, plaintext_allowed };
    let peers = ClusterPeers::open(node, &settings, Arc::new(OsRng)).await.unwrap();
    let incarnation = Incarnation(OsRng.uuid());
    let me = PeerIdentity { cluster_id, node, incarnation };
    let mut spec = SupervisorSpec::new(Strategy::RestForOne);
    for child in peers.children(me, Arc::new(Obedient)) {
        spec = spec.child(child);
    }
    let tree = Tree::new(Arc::new(SystemTime::now));
    let supervisor = Supervisor::start(&tree, "cluster", spec).await.unwrap();
    let port = peers.local_address().unwrap().port;
    say(&format!("0 {port} {}", incarnation.0));
    let (orders, mut order) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = orders.send(line);
        }
    });
    while let Some(line) = order.recv().await {
        tokio::spawn(obey(Arc::clone(&peers), tree.clone(), line));
    }
    drop(supervisor);
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "@ {line}");
    let _ = output.flush();
}

async fn obey(peers: Arc<ClusterPeers>, tree: Tree, line: String) {
    let (number, order) = line.split_once(' ').unwrap();
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    let since = Instant::now();
    let outcome = match verb {
        "ask" => ask(&peers, rest).await,
        "linked" => linked(&peers, rest).await,
        "discover" => discover(&peers, rest).await,
        "introduce" => {
            peers.introduce(book(rest));
            Ok(0)
        }
        "kill-actor" => kill_actor(&tree, rest).await,
        "measure" => return say(&format!("{number} ok 0 0 {}", measure(&peers, rest).await)),
        _ => Err("unknown order".to_owned()),
    };
    let took = since.elapsed().as_micros();
    match outcome {
        Ok(length) => say(&format!("{number} ok {length} {took}")),
        Err(error) => say(&format!("{number} err {} {took}", error.replace(' ', "_"))),
    }
}

async fn ask(peers: &ClusterPeers, rest: &str) -> Result<usize, String> {
    let mut words = rest.splitn(4, ' ');
    let to = BrokerId(words.next().unwrap().parse().unwrap());
    let lane = lane_of(words.next().unwrap());
    let deadline = Duration::from_millis(words.next().unwrap().parse().unwrap());
    let envelope = question(words.next().unwrap());
    let answer = peers.call(to, lane, envelope, deadline).await;
    answer.map(|answer| answer.len()).map_err(|error| format!("{error:?}"))
}

async fn linked(peers: &ClusterPeers, rest: &str) -> Result<usize, String> {
    let (to, start) = rest.split_once(' ').unwrap();
    let to = BrokerId(to.parse().unwrap());
    let start = Uuid::parse_str(start).ok().map(Incarnation);
    let mut links = peers.links();
    let wanted = links.wait_for(|links| links.get(&to).copied() == start);
    match tokio::time::timeout(PATIENCE, wanted).await {
        Ok(_) => Ok(0),
        Err(_) => Err("it did not happen".to_owned()),
    }
}

async fn discover(peers: &ClusterPeers, rest: &str) -> Result<usize, String> {
    let seed = HostAndPort::new("127.0.0.1", rest.parse().unwrap());
    let found = peers.discover(&seed, Duration::from_secs(4)).await;
    found.map(|who| usize::try_from(who.node.0).unwrap()).map_err(|error| error.to_string())
}

fn book(rest: &str) -> AddressBook {
    let entry = |words: &str| {
        let (node, address) = words.split_once('=').unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let address = HostAndPort::new(host, port.parse().unwrap());
        (BrokerId(node.parse().unwrap()), address)
    };
    rest.split_whitespace().map(entry).collect()
}

async fn kill_actor(tree: &Tree, name: &str) -> Result<usize, String> {
    let path = match name {
        "node_server" | "cluster_link" => format!("links/{name}"),
        gateway => format!("links/gateways/{gateway}"),
    };
    let killed = tree.operate(&path, OperatorCommand::Kill).await;
    killed.map(|()| 0).map_err(|error| error.to_string())
}

/// `<to> <lane> <how many> <at once> <words …>`: median and 99th percentile of the times, and all.
async fn measure(peers: &Arc<ClusterPeers>, rest: &str) -> String {
    let mut words = rest.splitn(5, ' ');
    let to = BrokerId(words.next().unwrap().parse().unwrap());
    let lane = lane_of(words.next().unwrap());
    let count: usize = words.next().unwrap().parse().unwrap();
    let at_once: usize = words.next().unwrap().parse().unwrap();
    let envelope = question(words.next().unwrap());
    let since = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..at_once {
        let (peers, envelope) = (Arc::clone(peers), envelope.clone());
        tasks.push(tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..count / at_once {
                let since = Instant::now();
                peers.call(to, lane, envelope.clone(), PATIENCE).await.unwrap();
                took.push(since.elapsed().as_micros());
            }
            took
        }));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    took.sort_unstable();
    let all = since.elapsed().as_micros();
    format!("{} {} {all}", took[took.len() / 2], took[took.len() * 99 / 100])
}
