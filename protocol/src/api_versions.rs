//! Which versions of which API we speak: the one table, made from the messages themselves, and the
//! part of it that a broker really serves.

use crate::api_key::ApiKey;
use crate::for_each_api;
use crate::generated::api_versions::{ApiVersion, ApiVersionsResponse};
use crate::message::{Message, Request, Versions};
use crate::{ErrorCode, generated};

/// One API and its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedApi {
    /// The API.
    pub key: ApiKey,
    /// The oldest version, inclusive.
    pub min: i16,
    /// The newest version, inclusive.
    pub max: i16,
    /// The first version with compact lengths, tagged fields and the longer headers (KIP-482).
    pub flexible_from: Option<i16>,
}

macro_rules! table {
    ($($key:ident $module:ident $request:ident $response:ident,)*) => {
        /// Every API that can be decoded and encoded, in the order of the keys.
        pub const CODED: &[ServedApi] =
            &[$(ServedApi::of::<generated::$module::$request>(),)*];

        /// The row of an API in [`CODED`].
        #[must_use]
        pub const fn coded(key: ApiKey) -> ServedApi {
            match key {
                $(ApiKey::$key => ServedApi::of::<generated::$module::$request>(),)*
            }
        }
    };
}

for_each_api!(table);

impl ServedApi {
    const fn of<R: Request>() -> Self {
        let Versions { min, max } = R::VERSIONS;
        Self { key: R::API_KEY, min, max, flexible_from: R::FLEXIBLE_FROM }
    }

    /// Whether requests of `version` are served.
    #[must_use]
    pub const fn serves(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The oldest version that an ApiVersions response names. Produce is advertised from 0 on
    /// though 0 to 2 are refused: librdkafka turns compression off where they are missing
    /// (KAFKA-18659).
    #[must_use]
    pub const fn advertised_min(&self) -> i16 {
        match self.key {
            ApiKey::Produce => 0,
            _ => self.min,
        }
    }
}

const fn is_flexible(key: ApiKey, version: i16) -> bool {
    match coded(key).flexible_from {
        Some(first) => version >= first,
        None => false,
    }
}

/// The version of the request header that goes with a version of a request: 1, or 2 with tagged
/// fields. It also holds for versions newer than those we know, whose headers can thus be read.
#[must_use]
pub const fn request_header_version(key: ApiKey, version: i16) -> i16 {
    if is_flexible(key, version) { 2 } else { 1 }
}

/// The version of the response header that goes with a version of a response: 0, or 1 with tagged
/// fields. That of ApiVersions is always 0, so that a client can read the answer to a version that
/// the broker does not know (KIP-511).
#[must_use]
pub const fn response_header_version(key: ApiKey, version: i16) -> i16 {
    match key {
        ApiKey::ApiVersions => 0,
        _ if is_flexible(key, version) => 1,
        _ => 0,
    }
}

/// The APIs that a broker serves, in the order of the keys. An API that does not work yet is left
/// out, and is then neither advertised nor accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedApis(Vec<ServedApi>);

impl ServedApis {
    /// Everything that can be decoded and encoded.
    #[must_use]
    pub fn all() -> Self {
        Self(CODED.to_vec())
    }

    /// The named ones alone.
    #[must_use]
    pub fn only(keys: &[ApiKey]) -> Self {
        Self(CODED.iter().filter(|api| keys.contains(&api.key)).copied().collect())
    }

    /// These, but for the named ones.
    #[must_use]
    pub fn without(mut self, keys: &[ApiKey]) -> Self {
        self.0.retain(|api| !keys.contains(&api.key));
        self
    }

    /// The versions of an API; `None` if it is not served.
    #[must_use]
    pub fn get(&self, key: ApiKey) -> Option<ServedApi> {
        self.0.iter().find(|api| api.key == key).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ServedApi> {
        self.0.iter()
    }

    /// The rows of an ApiVersions response.
    #[must_use]
    pub fn advertised(&self) -> Vec<ApiVersion> {
        let row = |api: &ServedApi| ApiVersion {
            api_key: api.key.code(),
            min_version: api.advertised_min(),
            max_version: api.max,
        };
        self.iter().map(row).collect()
    }

    /// The answer to an ApiVersions request in a version that is not served, to be encoded in
    /// version 0: error 35 and the rows, so that the client can ask again (KIP-511).
    #[must_use]
    pub fn unsupported_version_response(&self) -> ApiVersionsResponse {
        ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            api_keys: self.advertised(),
            ..ApiVersionsResponse::default()
        }
    }
}

/// The newest version that both sides know; `None` if there is none.
#[must_use]
pub fn newest_common(ours: Versions, theirs: Versions) -> Option<i16> {
    let newest = ours.max.min(theirs.max);
    (newest >= ours.min && newest >= theirs.min).then_some(newest)
}

const _: () = assert!(<generated::headers::RequestHeader as Message>::VERSIONS.max == 2);
