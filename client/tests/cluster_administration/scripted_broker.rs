//! A broker on loopback that answers as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use protocol::api_versions::ServedApis;
use protocol::frame::{RequestFrame, encode_response};
use protocol::generated::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use protocol::generated::metadata::{MetadataRequest, MetadataResponse, MetadataResponseBroker};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{ApiKey, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An answer in the version of its request.
type Answer = Box<dyn FnOnce(&RequestFrame) -> Bytes + Send>;

#[derive(Default)]
struct Script {
    answers: VecDeque<(ApiKey, Answer)>,
    asked: Vec<RequestFrame>,
}

/// Broker 1 of a cluster of one, with a script for whatever is not metadata.
#[derive(Clone, Default)]
pub struct ScriptedBroker {
    script: Arc<Mutex<Script>>,
}

impl ScriptedBroker {
    /// The next request of this kind is answered so.
    pub fn answer<R: Request>(self, response: R::Response) -> Self
    where
        R::Response: Send + 'static,
    {
        let answer = move |frame: &RequestFrame| respond::<R>(frame, &response);
        self.script.lock().unwrap().answers.push_back((R::API_KEY, Box::new(answer)));
        self
    }

    /// Starts, and gives the address. APIs in `older` are served up to that version only.
    pub async fn start(&self, older: &[(ApiKey, i16)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut versions = ServedApis::all().advertised();
        for row in &mut versions {
            let limit = older.iter().find(|(key, _)| key.code() == row.api_key);
            row.max_version = limit.map_or(row.max_version, |(_, max)| *max);
        }
        let broker = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(broker.clone().serve(stream, port, versions.clone()));
            }
        });
        format!("127.0.0.1:{port}")
    }

    /// The requests of this kind that came, in their order.
    pub fn asked<R: Request>(&self) -> Vec<R> {
        let script = self.script.lock().unwrap();
        let asked = script.asked.iter().filter(|frame| frame.key == R::API_KEY);
        asked.map(|frame| frame.body().unwrap()).collect()
    }

    async fn serve(self, mut stream: TcpStream, port: u16, versions: Vec<ApiVersion>) {
        while let Ok(size) = stream.read_u32().await {
            let mut frame = vec![0; size as usize];
            stream.read_exact(&mut frame).await.unwrap();
            let frame = RequestFrame::decode(Bytes::from(frame), &ServedApis::all()).unwrap();
            let answer = match frame.key {
                ApiKey::ApiVersions => {
                    let api_keys = versions.clone();
                    let response =
                        ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() };
                    respond::<ApiVersionsRequest>(&frame, &response)
                }
                ApiKey::Metadata => respond::<MetadataRequest>(&frame, &metadata(port)),
                _ => self.next_answer(frame),
            };
            stream.write_all(&answer).await.unwrap();
        }
    }

    fn next_answer(&self, frame: RequestFrame) -> Bytes {
        let mut script = self.script.lock().unwrap();
        let (key, answer) = script.answers.pop_front().expect("nothing more was expected");
        assert_eq!(key, frame.key);
        let bytes = answer(&frame);
        script.asked.push(frame);
        bytes
    }
}

fn metadata(port: u16) -> MetadataResponse {
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: WireString::from("127.0.0.1"),
        port: i32::from(port),
        rack: None,
    };
    MetadataResponse { brokers: vec![broker], controller_id: 1, ..MetadataResponse::default() }
}

fn respond<R: Request>(frame: &RequestFrame, response: &R::Response) -> Bytes
where
    R::Response: Message,
{
    let (version, id) = (frame.version, frame.correlation_id);
    encode_response::<R>(response, version, id, 1 << 20).unwrap().into_bytes()
}
