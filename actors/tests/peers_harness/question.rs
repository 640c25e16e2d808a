//! What nodes of the tests ask each other, and the service that answers.

use actors::ports::net::PortFuture;
use actors::ports::peers::{Lane, PeerService};
use bytes::Bytes;

/// The bytes of a question: `echo`, `never`, `panic`, `answer <bytes>`, or `ask <bytes>`, which is
/// as long as it says.
pub fn question(words: &str) -> Bytes {
    match words.strip_prefix("ask ").and_then(|bytes| bytes.parse().ok()) {
        Some(bytes) => Bytes::from(vec![b'x'; bytes]),
        None => Bytes::copy_from_slice(words.as_bytes()),
    }
}

/// Does as it is asked.
pub struct Obedient;

impl PeerService for Obedient {
    fn answer(&self, _lane: Lane, envelope: Bytes) -> PortFuture<'static, Bytes> {
        Box::pin(async move {
            let words = if envelope.len() < 100 { &envelope[..] } else { b"echo" };
            match words {
                b"never" => std::future::pending().await,
                b"panic" => panic!("as asked"),
                b"later" => {
                    tokio::task::yield_now().await;
                    envelope
                }
                _ => match words.strip_prefix(b"answer ") {
                    Some(bytes) => {
                        let bytes = String::from_utf8_lossy(bytes).parse().unwrap_or(0);
                        Bytes::from(vec![b'y'; bytes])
                    }
                    None => envelope,
                },
            }
        })
    }
}

/// A lane in words.
pub fn lane_words(lane: Lane) -> String {
    match lane {
        Lane::Control => "control".to_owned(),
        Lane::Bulk(shard) => format!("bulk{shard}"),
    }
}

/// The lane of the words.
pub fn lane_of(words: &str) -> Lane {
    match words.strip_prefix("bulk").and_then(|shard| shard.parse().ok()) {
        Some(shard) => Lane::Bulk(shard),
        None => Lane::Control,
    }
}
