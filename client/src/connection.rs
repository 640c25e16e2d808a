//! One connection to one broker: requests out, responses in, matched by correlation id.
//!
//! ```text
//!  begin ──▶ outgoing queue ──▶ writer task ──▶ socket
//!    │ registers the id                           │
//!  Answer ◀── waiting[id] ◀──── reader task ◀─────┘
//! ```
//!
//! At most `in_flight_max` requests wait for an answer; who has one more waits for a place. A
//! request that is not answered within its deadline closes the connection, because a broker
//! answers in order and nothing behind it will come either. Whoever ends the connection fails
//! every request that waits. Dropping the last handle ends both tasks.

mod frame_reader;
mod frame_writer;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::ErrorCode;
use protocol::api_key::ApiKey;
use protocol::api_versions::newest_common;
use protocol::frame::{ResponseFrame, encode_request};
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::message::{Message, Request, Versions};
use protocol::primitives::{Encoded, WireString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, Result};
use crate::settings::ClientSettings;

/// A frame on its way out.
struct Outgoing {
    frame: Encoded,
    /// Told once the frame has been handed to the operating system.
    written: Option<oneshot::Sender<()>>,
}

/// A request that waits for its answer.
struct Waiting {
    api: ApiKey,
    version: i16,
    reply: oneshot::Sender<Result<ResponseFrame>>,
    /// Ends with the answer.
    _place: OwnedSemaphorePermit,
}

#[derive(Default)]
struct WaitingRequests {
    by_id: HashMap<i32, Waiting>,
    next_id: i32,
    /// Why the connection is of no further use.
    closed: Option<Error>,
}

/// What the tasks and the handles of a connection share.
struct Shared {
    address: Arc<str>,
    waiting: Mutex<WaitingRequests>,
    closed: AtomicBool,
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, WaitingRequests> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails whatever waits, now and from now on. The first reason stays.
    fn close(&self, error: &Error) {
        self.closed.store(true, Ordering::Release);
        let mut waiting = self.waiting();
        if waiting.closed.is_none() {
            tracing::debug!(address = %self.address, %error, "connection closed");
            waiting.closed = Some(error.clone());
        }
        for (_, request) in waiting.by_id.drain() {
            // nobody listens if the caller has gone
            let _ = request.reply.send(Err(error.clone()));
        }
    }
}

/// A connection. See the head of this file.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Outgoing>,
    places: Arc<Semaphore>,
    versions: HashMap<i16, Versions>,
    client_id: WireString,
    request_timeout: Duration,
    tasks: [AbortHandle; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A request under way.
pub(crate) struct Answer<R: Request> {
    shared: Arc<Shared>,
    reply: oneshot::Receiver<Result<ResponseFrame>>,
    timeout: Duration,
    deadline: Instant,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> Answer<R> {
    /// Waits for the response.
    pub(crate) async fn receive(self) -> Result<R::Response> {
        let address = || Arc::clone(&self.shared.address);
        let frame = match timeout_at(self.deadline, self.reply).await {
            Ok(Ok(frame)) => frame?,
            Ok(Err(_)) => {
                return Err(Error::ConnectionLost { address: address(), source: None });
            }
            Err(_) => {
                let (api, after) = (R::API_KEY, self.timeout);
                let error = Error::RequestTimedOut { api, address: address(), after };
                self.shared.close(&error);
                return Err(error);
            }
        };
        frame.body::<R>().map_err(|source| Error::Decode { api: R::API_KEY, source })
    }
}

impl Connection {
    /// Connects to `host:port` and asks the broker which versions it serves.
    pub(crate) async fn open(address: &Arc<str>, settings: &ClientSettings) -> Result<Self> {
        let connect = |source| Error::Connect { address: Arc::clone(address), source };
        let stream = match timeout(settings.connect_timeout, settings.dialer.dial(address)).await {
            Ok(stream) => stream.map_err(|error| connect(Arc::new(error)))?,
            Err(elapsed) => return Err(connect(Arc::new(elapsed.into()))),
        };
        let shared = Arc::new(Shared {
            address: Arc::clone(address),
            waiting: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let (outgoing, frames) = mpsc::channel(settings.in_flight_max);
        let bytes_max = settings.response_bytes_max;
        let reader = tokio::spawn(frame_reader::run(stream.reader, Arc::clone(&shared), bytes_max));
        let writer = tokio::spawn(frame_writer::run(stream.writer, Arc::clone(&shared), frames));
        let mut connection = Self {
            shared,
            outgoing,
            places: Arc::new(Semaphore::new(settings.in_flight_max)),
            versions: HashMap::new(),
            client_id: WireString::from(settings.client_id.as_str()),
            request_timeout: settings.request_timeout,
            tasks: [reader.abort_handle(), writer.abort_handle()],
        };
        connection.versions = connection.ask_versions().await?;
        Ok(connection)
    }

    async fn ask_versions(&self) -> Result<HashMap<i16, Versions>> {
        let request = ApiVersionsRequest {
            client_software_name: WireString::from_static("callboard-client"),
            client_software_version: WireString::from_static(env!("CARGO_PKG_VERSION")),
        };
        let newest = ApiVersionsRequest::VERSIONS.max;
        let mut response = self.ask_versions_in(&request, newest).await?;
        if response.error_code == ErrorCode::UnsupportedVersion.code() {
            // a broker older than the version; every broker answers version 0
            response = self.ask_versions_in(&request, 0).await?;
        }
        let subject = || crate::error::Subject::Request;
        Error::check(ApiKey::ApiVersions, subject, response.error_code, None)?;
        let rows = response.api_keys.iter();
        Ok(rows.map(|row| (row.api_key, Versions::new(row.min_version, row.max_version))).collect())
    }

    async fn ask_versions_in(
        &self,
        request: &ApiVersionsRequest,
        version: i16,
    ) -> Result<ApiVersionsResponse> {
        self.begin_in(request, version, self.request_timeout).await?.receive().await
    }

    /// Whether the connection is of no further use.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Ends the connection; whoever waits for an answer gets this error.
    pub(crate) fn close(&self, error: &Error) {
        self.shared.close(error);
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// The newest version of the request that both sides speak, at most `newest`.
    pub(crate) fn version<R: Request>(&self, newest: i16) -> Result<i16> {
        let ours = Versions::new(R::VERSIONS.min, R::VERSIONS.max.min(newest));
        let theirs = self.versions.get(&R::API_KEY.code());
        theirs.and_then(|theirs| newest_common(ours, *theirs)).ok_or_else(|| {
            Error::UnsupportedApi {
                api: R::API_KEY,
                address: Arc::clone(&self.shared.address),
                ours,
            }
        })
    }

    /// Sends a request in the newest common version and waits for the response.
    pub(crate) async fn request<R: Request>(&self, request: &R) -> Result<R::Response> {
        self.request_in(request, i16::MAX).await
    }

    /// As [`Self::request`], in at most this version.
    pub(crate) async fn request_in<R: Request>(
        &self,
        request: &R,
        newest: i16,
    ) -> Result<R::Response> {
        let version = self.version::<R>(newest)?;
        self.begin_in(request, version, self.request_timeout).await?.receive().await
    }

    /// Puts a request on its way. When this returns, its place among the connection's requests
    /// is settled; the response is waited for elsewhere.
    pub(crate) async fn begin_in<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<Answer<R>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.lost())?;
        let slot = self.outgoing.reserve().await.map_err(|_| self.lost())?;
        let (reply, receiver) = oneshot::channel();
        let id = {
            let mut waiting = self.shared.waiting();
            if let Some(error) = &waiting.closed {
                return Err(error.clone());
            }
            let id = waiting.next_id;
            waiting.next_id = id.wrapping_add(1) & i32::MAX;
            let entry = Waiting { api: R::API_KEY, version, reply, _place: place };
            waiting.by_id.insert(id, entry);
            id
        };
        match self.encode(request, version, id) {
            Ok(frame) => slot.send(Outgoing { frame, written: None }),
            Err(error) => {
                self.shared.waiting().by_id.remove(&id);
                return Err(error);
            }
        }
        Ok(Answer {
            shared: Arc::clone(&self.shared),
            reply: receiver,
            timeout,
            deadline: Instant::now() + timeout,
            request: PhantomData,
        })
    }

    /// Sends a request that the broker does not answer (a Produce with `acks=0`). The receiver is
    /// told when the operating system has it.
    pub(crate) async fn send_unanswered<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<oneshot::Receiver<()>> {
        let slot = self.outgoing.reserve().await.map_err(|_| self.lost())?;
        if let Some(error) = &self.shared.waiting().closed {
            return Err(error.clone());
        }
        let (written, receiver) = oneshot::channel();
        slot.send(Outgoing { frame: self.encode(request, version, -1)?, written: Some(written) });
        Ok(receiver)
    }

    fn encode<R: Request>(&self, request: &R, version: i16, id: i32) -> Result<Encoded> {
        let client_id = Some(self.client_id.clone());
        Ok(encode_request(request, version, id, client_id, i32::MAX as usize)?)
    }

    pub(crate) fn lost(&self) -> Error {
        let closed = self.shared.waiting().closed.clone();
        closed.unwrap_or_else(|| Error::ConnectionLost {
            address: Arc::clone(&self.shared.address),
            source: None,
        })
    }
}

#[cfg(test)]
mod tests;
