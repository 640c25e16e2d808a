//! One connection's requests and responses: frames in, requests routed, responses out in the order
//! of the requests.
//!
//! Consecutive Produces overlap; any other request starts after the earlier ones are answered. A
//! connection that waits for an answer goes on noticing that its client left.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use protocol::api_key::ApiKey;
use protocol::frame::{FrameSizeError, RequestFrame, RequestFrameError};
use protocol::primitives::{DecodeError, Encoded};
use thiserror::Error;
use tokio::select;
use tokio::time::Instant;

use super::deadline::ConnectionTimer;
use super::frame_reader::FrameReader;
use super::response_writer::ResponseWriter;
use crate::broker::Broker;
use crate::ports::net::ClientStream;
use crate::request_memory::RequestPermit;
use crate::requests::leader_hints::LeaderHints;
use crate::requests::produce::ProduceInFlight;
use crate::requests::{RequestContext, produce, route, unsupported_api_versions};

/// Bytes received ahead of the request that is being answered.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Why a connection ended.
#[derive(Debug, Error)]
pub enum ConnectionEnd {
    /// The client closed it.
    #[error("the client closed the connection")]
    ClosedByClient,
    /// No request came in time, or half of one.
    #[error("no whole request came in time")]
    Expired,
    /// What came is no request.
    #[error(transparent)]
    Frame(#[from] FrameSizeError),
    /// What came is no request that is served.
    #[error(transparent)]
    Request(#[from] RequestFrameError),
    /// The request's body is damaged.
    #[error("the body of a {key} request is damaged: {error}")]
    Body {
        /// Which API.
        key: ApiKey,
        /// What is wrong.
        error: DecodeError,
    },
    /// A request cannot be answered with an error code: `acks=0` has no response.
    #[error("a produce request without a response was refused")]
    RefusedWithoutResponse,
    /// A response that the protocol cannot carry.
    #[error("the response could not be encoded: {0}")]
    Encoding(#[from] protocol::frame::FrameEncodeError),
    /// The socket.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl ConnectionEnd {
    /// Whether the client sent what is no request, or half of one.
    #[must_use]
    pub const fn is_faulty(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Request(_) | Self::Body { .. } | Self::Expired => true,
            Self::ClosedByClient
            | Self::RefusedWithoutResponse
            | Self::Encoding(_)
            | Self::Socket(_) => false,
        }
    }
}

/// One connection.
pub struct Connection {
    broker: Arc<Broker>,
    stream: Box<dyn ClientStream>,
    context: RequestContext,
    frames: FrameReader,
    /// The share of the frame that begins the buffer.
    permit: Option<RequestPermit>,
    waiting_for_permit: Option<Pin<Box<dyn Future<Output = RequestPermit> + Send>>>,
    produces: VecDeque<ProduceInFlight>,
    responses: ResponseWriter,
    timer: ConnectionTimer,
}

/// What woke a connection.
enum Wake {
    Bytes(io::Result<usize>),
    Permit(RequestPermit),
    Answered(Result<Option<Encoded>, ConnectionEnd>),
    Expired,
}

impl Connection {
    /// A connection that has just been accepted.
    #[must_use]
    pub fn new(
        broker: Arc<Broker>,
        stream: Box<dyn ClientStream>,
        context: RequestContext,
    ) -> Self {
        let frames = FrameReader::new(broker.bounds.request_bytes_max);
        let timer = ConnectionTimer::start(broker.bounds.deadlines);
        Self {
            broker,
            stream,
            context,
            frames,
            permit: None,
            waiting_for_permit: None,
            produces: VecDeque::new(),
            responses: ResponseWriter::default(),
            timer,
        }
    }

    /// Serves until the connection ends.
    pub async fn run(mut self) -> ConnectionEnd {
        loop {
            if let Err(end) = self.turn().await {
                if end.is_faulty() {
                    self.broker.metrics.connections_faulty.inc();
                }
                self.context.members.on_connection_ended();
                return end;
            }
        }
    }

    async fn turn(&mut self) -> Result<(), ConnectionEnd> {
        while let Some((frame, permit)) = self.next_request()? {
            self.begin(frame, permit).await?;
        }
        self.write_ready_answers().await?;
        match self.wait().await {
            Wake::Bytes(read) => match read? {
                0 => Err(ConnectionEnd::ClosedByClient),
                bytes => {
                    self.broker.metrics.bytes_in.inc_by(bytes as u64);
                    Ok(())
                }
            },
            Wake::Permit(permit) => {
                self.permit = Some(permit);
                Ok(())
            }
            Wake::Answered(answer) => self.answered(answer),
            Wake::Expired => Err(ConnectionEnd::Expired),
        }
    }

    /// Waits for whatever comes first.
    async fn wait(&mut self) -> Wake {
        let may_read = self.waiting_for_permit.is_none() && self.may_begin();
        self.timer.before_wait(self.frames.is_inside_frame());
        let woken = select! {
            biased;
            answer = front_answer(&mut self.produces), if !self.produces.is_empty() => {
                Wake::Answered(answer)
            }
            permit = awaited(&mut self.waiting_for_permit), if self.waiting_for_permit.is_some() => {
                Wake::Permit(permit)
            }
            read = self.frames.fill(&mut *self.stream), if may_read => Wake::Bytes(read),
            () = self.timer.expired(), if self.produces.is_empty() => Wake::Expired,
        };
        if matches!(woken, Wake::Permit(_)) {
            self.waiting_for_permit = None;
        }
        self.timer.on_activity();
        woken
    }

    fn may_begin(&self) -> bool {
        self.produces.len() < self.broker.bounds.produces_in_flight_max
    }

    /// The next whole request, once it has its share of the memory.
    fn next_request(&mut self) -> Result<Option<(Bytes, RequestPermit)>, ConnectionEnd> {
        let Some(bytes) = self.frames.announced_bytes()? else { return Ok(None) };
        if !self.may_begin() || self.waiting_for_permit.is_some() {
            return Ok(None);
        }
        if self.permit.is_none() {
            self.permit = self.broker.request_memory.try_acquire(bytes);
        }
        if self.permit.is_none() {
            let broker = Arc::clone(&self.broker);
            let waiting = async move { broker.request_memory.acquire(bytes).await };
            self.waiting_for_permit = Some(Box::pin(waiting));
            return Ok(None);
        }
        let Some(frame) = self.frames.next_frame()? else { return Ok(None) };
        Ok(self.permit.take().map(|permit| (frame, permit)))
    }

    async fn begin(&mut self, frame: Bytes, permit: RequestPermit) -> Result<(), ConnectionEnd> {
        let request = match RequestFrame::decode(frame, &self.broker.served) {
            Ok(request) => request,
            Err(RequestFrameError::ApiVersionsVersion { correlation_id, .. }) => {
                self.finish_produces().await?;
                let response = unsupported_api_versions(&self.broker, correlation_id)?;
                self.queue(Some(response));
                return self.flush().await;
            }
            Err(error) => return Err(error.into()),
        };
        if request.key == ApiKey::Produce {
            let hints = LeaderHints::new(&self.broker, &self.context.listener);
            let in_flight = produce::begin(&self.broker, &request, permit, hints)
                .map_err(|error| ConnectionEnd::Body { key: request.key, error })?;
            self.produces.push_back(in_flight);
            return Ok(());
        }
        self.finish_produces().await?;
        let started = Instant::now();
        let response = self.answer(&request).await?;
        self.broker.metrics.answered(request.key, started.elapsed());
        drop(permit);
        self.queue(Some(response));
        let flushed = self.flush().await;
        self.context.held = None;
        flushed
    }

    /// Handles a request, while the client may send more or leave.
    async fn answer(&mut self, request: &RequestFrame) -> Result<Encoded, ConnectionEnd> {
        let Self { broker, stream, context, frames, .. } = self;
        let mut answering = std::pin::pin!(route(broker, context, request));
        loop {
            let may_read = frames.buffered_bytes() < READ_AHEAD_BYTES_MAX;
            select! {
                biased;
                answer = &mut answering => return answer,
                read = frames.fill(&mut **stream), if may_read => {
                    if read? == 0 {
                        return Err(ConnectionEnd::ClosedByClient);
                    }
                }
            }
        }
    }

    async fn finish_produces(&mut self) -> Result<(), ConnectionEnd> {
        while !self.produces.is_empty() {
            let answer = front_answer(&mut self.produces).await;
            self.answered(answer)?;
        }
        self.flush().await
    }

    /// Writes, in one go, every answer that is ready.
    async fn write_ready_answers(&mut self) -> Result<(), ConnectionEnd> {
        while !self.produces.is_empty() {
            let Some(answer) = ready_now(front_answer(&mut self.produces)).await else { break };
            self.answered(answer)?;
        }
        self.flush().await
    }

    /// The oldest produce has its answer.
    fn answered(
        &mut self,
        answer: Result<Option<Encoded>, ConnectionEnd>,
    ) -> Result<(), ConnectionEnd> {
        if let Some(produce) = self.produces.pop_front() {
            self.broker.metrics.answered(ApiKey::Produce, produce.started().elapsed());
        }
        self.queue(answer?);
        Ok(())
    }

    fn queue(&mut self, response: Option<Encoded>) {
        if let Some(response) = response {
            self.responses.push(response.chunks);
        }
    }

    async fn flush(&mut self) -> Result<(), ConnectionEnd> {
        let deadline = self.broker.bounds.deadlines.response_write;
        self.broker.metrics.bytes_out.inc_by(self.responses.waiting_bytes() as u64);
        Ok(self.responses.flush(&mut *self.stream, deadline).await?)
    }
}

/// The answer to the oldest produce; `None` for one without a response. Safe to cancel.
async fn front_answer(
    produces: &mut VecDeque<ProduceInFlight>,
) -> Result<Option<Encoded>, ConnectionEnd> {
    match produces.front_mut() {
        Some(front) => front.answer().await,
        None => Ok(None),
    }
}

async fn awaited(
    permit: &mut Option<Pin<Box<dyn Future<Output = RequestPermit> + Send>>>,
) -> RequestPermit {
    match permit {
        Some(waiting) => waiting.as_mut().await,
        None => std::future::pending().await,
    }
}

/// What the future gives, if it is ready.
async fn ready_now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
