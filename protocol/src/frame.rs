//! Frames: a 4-byte size, a header, a body (source: "Protocol" of Kafka's documentation).
//!
//! ```text
//! request   size i32 │ api key i16 │ version i16 │ correlation id i32 │ client id │ [tags] │ body
//! response  size i32 │ correlation id i32 │ [tags] │ body
//! ```
//!
//! The size counts the bytes after itself.

use bytes::Bytes;
use thiserror::Error;

use crate::ErrorCode;
use crate::api_key::ApiKey;
use crate::api_versions::{ServedApis, request_header_version, response_header_version};
use crate::generated::headers::{RequestHeader, ResponseHeader};
use crate::message::{Message, Request};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoded, Encoder, WireString};

/// Bytes of the size in front of every frame.
pub const SIZE_BYTES: usize = 4;

/// Api key, version and correlation id: what every request frame begins with.
const FIXED_HEADER_BYTES: usize = 8;

/// Why the size in front of a frame is none. The connection is of no further use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameSizeError {
    /// Below zero, or too small for any frame.
    #[error("a frame of {size} bytes is shorter than its header")]
    TooSmall {
        /// The size as sent.
        size: i32,
    },
    /// Above the limit.
    #[error("a frame of {size} bytes is above the limit of {bytes_max}")]
    TooLarge {
        /// The size as sent.
        size: i32,
        /// The limit, in bytes, inclusive.
        bytes_max: usize,
    },
    /// The first bytes of another protocol, which would be a size above the limit.
    #[error("the peer speaks {protocol}, not the Kafka protocol")]
    OtherProtocol {
        /// What it speaks.
        protocol: &'static str,
    },
}

/// The number of bytes that follow `prefix`, at most `bytes_max`.
///
/// # Errors
/// Where it is no sensible size; nothing has been reserved then.
pub fn frame_size(prefix: [u8; SIZE_BYTES], bytes_max: usize) -> Result<usize, FrameSizeError> {
    let size = i32::from_be_bytes(prefix);
    match usize::try_from(size) {
        Ok(bytes) if bytes > bytes_max => Err(match prefix {
            [0x16, 0x03, _, _] => FrameSizeError::OtherProtocol { protocol: "TLS" },
            _ if prefix.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') => {
                FrameSizeError::OtherProtocol { protocol: "HTTP" }
            }
            _ => FrameSizeError::TooLarge { size, bytes_max },
        }),
        Ok(bytes) if bytes >= SIZE_BYTES => Ok(bytes),
        _ => Err(FrameSizeError::TooSmall { size }),
    }
}

/// Why a request frame is not served. A retry on the same connection never helps: each of them
/// ends it, but for [`RequestFrameError::ApiVersionsVersion`], which is answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestFrameError {
    /// The header is damaged.
    #[error("the request header is damaged: {0}")]
    Header(#[from] DecodeError),
    /// An API that we do not serve.
    #[error("api key {code} is not served")]
    UnknownApi {
        /// The key as sent.
        code: i16,
        /// The version as sent.
        version: i16,
    },
    /// A version that we do not serve.
    #[error("version {version} of {key} is not served")]
    UnsupportedVersion {
        /// The API.
        key: ApiKey,
        /// The version as sent.
        version: i16,
    },
    /// A version of ApiVersions that we do not serve. It is answered in version 0 with
    /// [`ServedApis::unsupported_version_response`], so that the client can ask again.
    #[error("version {version} of ApiVersions is not served")]
    ApiVersionsVersion {
        /// The version as sent.
        version: i16,
        /// What the answer must carry.
        correlation_id: i32,
    },
}

/// A request whose header has been read and whose body has not.
#[derive(Clone, Debug)]
pub struct RequestFrame {
    /// The API; one that is served.
    pub key: ApiKey,
    /// The version; one that is served.
    pub version: i16,
    /// What the response must carry.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<WireString>,
    body: Decoder,
}

impl RequestFrame {
    /// Reads the header of a frame, given without its size.
    ///
    /// # Errors
    /// Where the header is damaged, or `served` lacks the API or the version.
    pub fn decode(frame: Bytes, served: &ServedApis) -> Result<Self, RequestFrameError> {
        let (code, version, correlation_id) = fixed_header(&frame)?;
        let key = ApiKey::from_code(code).and_then(|key| served.get(key));
        let api = key.ok_or(RequestFrameError::UnknownApi { code, version })?;
        let key = api.key;
        if !api.serves(version) {
            return Err(match key {
                ApiKey::ApiVersions => {
                    RequestFrameError::ApiVersionsVersion { version, correlation_id }
                }
                _ => RequestFrameError::UnsupportedVersion { key, version },
            });
        }
        let mut body = Decoder::new(frame);
        let header = RequestHeader::decode(&mut body, request_header_version(key, version))?;
        Ok(Self { key, version, correlation_id, client_id: header.client_id, body })
    }

    /// Bytes of the body.
    #[must_use]
    pub const fn body_bytes(&self) -> usize {
        self.body.remaining()
    }

    /// Reads the body as the request of `R`'s API, which the caller has matched with `key`.
    ///
    /// # Errors
    /// Where the bytes are no such request. Bytes after it are passed over, as Kafka does:
    /// librdkafka sends three too many with a Metadata request for all topics.
    pub fn body<R: Request>(&self) -> Result<R, DecodeError> {
        debug_assert_eq!(self.key, R::API_KEY, "the body is read as another API's");
        R::decode(&mut self.body.clone(), self.version)
    }
}

fn fixed_header(frame: &Bytes) -> Result<(i16, i16, i32), DecodeError> {
    let mut decoder = Decoder::new(frame.slice(..frame.len().min(FIXED_HEADER_BYTES)));
    Ok((decoder.i16()?, decoder.i16()?, decoder.i32()?))
}

fn read_body<M: Message>(mut body: Decoder, version: i16) -> Result<M, DecodeError> {
    let message = M::decode(&mut body, version)?;
    body.finish()?;
    Ok(message)
}

/// A response whose header has been read and whose body has not.
#[derive(Clone, Debug)]
pub struct ResponseFrame {
    /// That of the request.
    pub correlation_id: i32,
    version: i16,
    body: Decoder,
}

impl ResponseFrame {
    /// Reads the header of a frame, given without its size, that answers a request of `key` in
    /// `version`.
    ///
    /// # Errors
    /// Where the header is damaged.
    pub fn decode(frame: Bytes, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let mut body = Decoder::new(frame);
        let header = ResponseHeader::decode(&mut body, response_header_version(key, version))?;
        Ok(Self { correlation_id: header.correlation_id, version, body })
    }

    /// Reads the body as the response of `R`'s API. An ApiVersions response with error 35 is read
    /// in version 0, the only one that a broker answers an unknown version in.
    ///
    /// # Errors
    /// Where the bytes are no such response, or others follow it.
    pub fn body<R: Request>(&self) -> Result<R::Response, DecodeError> {
        let refused = R::API_KEY == ApiKey::ApiVersions
            && self.body.clone().i16()? == ErrorCode::UnsupportedVersion.code();
        read_body(self.body.clone(), if refused { 0 } else { self.version })
    }
}

/// Why a frame could not be made. A retry with the same message and version never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameEncodeError {
    /// The version cannot carry the message.
    #[error(transparent)]
    Message(#[from] EncodeError),
    /// Above the limit.
    #[error("a frame of {size} bytes is above the limit of {bytes_max}")]
    TooLarge {
        /// Bytes after the size.
        size: usize,
        /// The limit, in bytes, inclusive.
        bytes_max: usize,
    },
}

/// A response as a frame, its size included: what answers a request of `R`'s API in `version`.
/// The size, less its own 4 bytes, is at most `bytes_max`, and at most 2³¹ − 1.
///
/// # Errors
/// Where `version` cannot carry the response, or it is too large.
pub fn encode_response<R: Request>(
    response: &R::Response,
    version: i16,
    correlation_id: i32,
    bytes_max: usize,
) -> Result<Encoded, FrameEncodeError> {
    let header_version = response_header_version(R::API_KEY, version);
    encode(&ResponseHeader { correlation_id }, header_version, response, version, bytes_max)
}

/// A request as a frame, its size included. The size, less its own 4 bytes, is at most
/// `bytes_max`, and at most 2³¹ − 1.
///
/// # Errors
/// Where `version` cannot carry the request, or it is too large.
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<WireString>,
    bytes_max: usize,
) -> Result<Encoded, FrameEncodeError> {
    let header = RequestHeader {
        request_api_key: R::API_KEY.code(),
        request_api_version: version,
        correlation_id,
        client_id,
    };
    let header_version = request_header_version(R::API_KEY, version);
    encode(&header, header_version, request, version, bytes_max)
}

fn encode<H: Message, B: Message>(
    header: &H,
    header_version: i16,
    body: &B,
    version: i16,
    bytes_max: usize,
) -> Result<Encoded, FrameEncodeError> {
    let mut encoder = Encoder::new();
    encoder.put_i32(0);
    header.encode(&mut encoder, header_version)?;
    body.encode(&mut encoder, version)?;
    let size = encoder.length() - SIZE_BYTES;
    match i32::try_from(size) {
        Ok(bytes) if size <= bytes_max => {
            encoder.patch_u32(0, bytes as u32);
            Ok(encoder.finish())
        }
        _ => Err(FrameEncodeError::TooLarge { size, bytes_max: bytes_max.min(i32::MAX as usize) }),
    }
}
