//! Whoever is no node of the cluster reaches the cluster listener: it is kept out, and nobody who is
//! a node notices. One silent connection used to be enough to stop all others in ractor's listener.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actors::cluster_certificates::{NodeToCertify, certificate_file, key_file, make_certificates};
use actors::ports::peers::cluster_peers::{
    ClusterListenerError, ClusterListenerSettings, ClusterPeers,
};
use actors::ports::rng::OsRng;
use metadata::HostAndPort;
use protocol::BrokerId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peers_harness::process_world::ProcessWorld;
use crate::peers_harness::{PATIENCE, World};
use crate::{ALONE, CONTROL};

/// The verdicts of the hello, as the wire has them.
const GRANTED: u8 = 0;
const OTHER_CLUSTER: u8 = 1;
const OTHER_NODE: u8 = 2;

/// A greeting, byte for byte: for a link, from `node` of `cluster`, to `to`.
fn greeting(cluster: u128, node: i32, to: i32) -> Vec<u8> {
    let mut bytes = b"CALLBRD\n\x01\x00\x01".to_vec();
    bytes.extend(cluster.to_be_bytes());
    bytes.extend(node.to_le_bytes());
    bytes.extend(7_u128.to_be_bytes());
    bytes.extend(to.to_le_bytes());
    bytes
}

async fn call(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Waits until the other end has closed; what it said before, and when.
async fn until_closed(mut stream: TcpStream) -> (Vec<u8>, Duration) {
    let since = Instant::now();
    let mut said = Vec::new();
    // a reset is an end, too
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(closed.is_ok(), "it was not closed");
    (said, since.elapsed())
}

async fn verdict_on(port: u16, greeting: &[u8]) -> u8 {
    let mut stream = call(port, greeting).await;
    let mut welcome = [0; 47];
    stream.read_exact(&mut welcome).await.unwrap();
    welcome[10]
}

async fn assert_that_the_nodes_are_well(world: &ProcessWorld) {
    for (from, to) in [(1, 2), (2, 1)] {
        let outcome = world.ask(from, (to, CONTROL), "echo", PATIENCE).await;
        assert_eq!(outcome.answer, Ok(4));
        assert!(outcome.took < Duration::from_millis(300), "{:?}", outcome.took);
    }
}

#[tokio::test]
async fn who_speaks_another_language_or_nothing_at_all_is_shown_out() {
    let _alone = ALONE.lock().await;
    let mut world = ProcessWorld::new();
    world.pair().await;
    let port = world.nodes[&1].port;
    let http = call(port, b"GET / HTTP/1.1\r\nHost: callboard\r\n\r\n").await;
    assert_eq!(until_closed(http).await.0, b"");
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(call(port, b"CALLBRD\n").await);
    }
    assert_that_the_nodes_are_well(&world).await;
    let (_, one_too_many) = until_closed(call(port, b"").await).await;
    assert!(one_too_many < Duration::from_secs(1), "{one_too_many:?}");
    for stream in silent {
        until_closed(stream).await;
    }
    let three = world.start(3).await;
    world.introduce(3, &[1]).await;
    world.linked(1, 3, Some(three)).await;
    assert_that_the_nodes_are_well(&world).await;
}

#[tokio::test]
async fn who_is_of_another_cluster_or_means_another_node_is_told_so() {
    let _alone = ALONE.lock().await;
    let mut world = ProcessWorld::new();
    world.pair().await;
    let port = world.nodes[&1].port;
    assert_eq!(verdict_on(port, &greeting(2, 3, 1)).await, OTHER_CLUSTER);
    assert_eq!(verdict_on(port, &greeting(0, 3, 1)).await, OTHER_CLUSTER);
    assert_eq!(verdict_on(port, &greeting(1, 1, 1)).await, OTHER_NODE);
    assert_eq!(verdict_on(port, &greeting(1, 3, 2)).await, OTHER_NODE);
    world.cluster = 2;
    world.start(3).await;
    world.introduce(3, &[1]).await;
    world.introduce(1, &[2, 3]).await;
    let found = world.nodes[&3].discover(port).await.answer;
    assert_eq!(found, Ok(1), "who listens there is no secret");
    world.linked(1, 3, None).await;
    assert_that_the_nodes_are_well(&world).await;
}

#[tokio::test]
async fn who_is_let_in_and_then_says_nonsense_is_thrown_out() {
    let _alone = ALONE.lock().await;
    let mut world = ProcessWorld::new();
    world.pair().await;
    let port = world.nodes[&1].port;
    // an announced frame of 2^63 bytes, then one that is no frame, then silence
    for nonsense in [&[0x80, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0, 0, 0, 0, 0, 0, 0, 2, 255, 255], &[]]
    {
        let mut stream = call(port, &greeting(1, 9, 1)).await;
        let mut welcome = [0; 47];
        stream.read_exact(&mut welcome).await.unwrap();
        assert_eq!(welcome[10], GRANTED);
        stream.write_all(nonsense).await.unwrap();
        let (_, took) = until_closed(stream).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_that_the_nodes_are_well(&world).await;
    }
}

pub fn certify(directory: &Path, nodes: &[i32]) {
    let certify = |node: &i32| NodeToCertify { node: BrokerId(*node), hosts: Vec::new() };
    let nodes: Vec<NodeToCertify> = nodes.iter().map(certify).collect();
    make_certificates(directory, &nodes, SystemTime::now()).unwrap();
}

#[tokio::test]
async fn with_certificates_only_the_clusters_own_nodes_are_linked() {
    let _alone = ALONE.lock().await;
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    certify(ours.path(), &[1, 2]);
    certify(theirs.path(), &[3]);
    let mut world = ProcessWorld::with_certificates(ours.path().to_owned());
    world.pair().await;
    assert_that_the_nodes_are_well(&world).await;
    let (one, port) = (world.nodes[&1].incarnation, world.nodes[&1].port);
    assert_eq!(world.nodes[&2].discover(port).await.answer, Ok(1));
    until_closed(call(port, &greeting(1, 3, 1)).await).await;

    // a certificate of another authority
    world.certificates = Some(theirs.path().to_owned());
    world.start(3).await;
    world.introduce(3, &[1]).await;
    world.introduce(1, &[2, 3]).await;
    assert!(world.nodes[&3].discover(port).await.answer.is_err());
    assert!(world.nodes[&1].discover(world.nodes[&3].port).await.answer.is_err());

    // no certificate at all
    world.certificates = None;
    world.start(3).await;
    world.introduce(3, &[1]).await;
    assert!(world.nodes[&3].discover(port).await.answer.is_err());

    // another node's certificate
    world.certificates = Some(ours.path().to_owned());
    for file in [certificate_file, key_file] {
        let (own, stolen) = (file(BrokerId(2)), file(BrokerId(3)));
        std::fs::copy(ours.path().join(own), ours.path().join(stolen)).unwrap();
    }
    world.start(3).await;
    world.introduce(3, &[1]).await;
    world.introduce(1, &[2, 3]).await;
    let refused = world.nodes[&3].discover(port).await.answer;
    assert!(refused.clone().is_err_and(|why| why.contains("certificate")), "{refused:?}");
    let refused = world.nodes[&1].discover(world.nodes[&3].port).await.answer;
    assert!(refused.clone().is_err_and(|why| why.contains("certificate")), "{refused:?}");

    world.linked(1, 3, None).await;
    world.linked(2, 1, Some(one)).await;
    assert_that_the_nodes_are_well(&world).await;
}

#[tokio::test]
async fn without_certificates_no_other_machine_is_spoken_to_unless_somebody_says_so() {
    let open = async |host: &str, plaintext_allowed, advertised| {
        let bind = HostAndPort::new(host, 0);
        let settings = ClusterListenerSettings { bind, advertised, tls: None, plaintext_allowed };
        ClusterPeers::open(BrokerId(1), &settings, Arc::new(OsRng)).await.map(|_| ())
    };
    let refused = open("0.0.0.0", false, None).await;
    assert!(matches!(refused, Err(ClusterListenerError::Plaintext { .. })), "{refused:?}");
    let refused = open("0.0.0.0", true, None).await;
    assert!(
        matches!(refused, Err(ClusterListenerError::NoAdvertisedAddress { .. })),
        "{refused:?}"
    );
    assert!(open("0.0.0.0", true, Some(HostAndPort::new("node-1.example", 0))).await.is_ok());
    assert!(open("127.0.0.1", false, None).await.is_ok());
}
