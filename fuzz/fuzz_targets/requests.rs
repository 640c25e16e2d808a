//! A frame from a client. A panic, an endless loop or a large allocation would let one client end
//! the service of all others.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{ApiKey, Request};

/// Two bytes choose the API and the version, the rest is the body. What can be read must be
/// written and read again to the same bytes.
fn read_and_write<R: Request>(version: i16, body: Bytes) {
    let Ok(request) = R::from_bytes(body, version) else { return };
    let Ok(written) = request.to_encoded(version) else { return };
    let written = written.into_bytes();
    let again = R::from_bytes(written.clone(), version).expect("what was written can be read");
    let rewritten = again.to_encoded(version).expect("and written again").into_bytes();
    assert_eq!(written, rewritten, "{:?} version {version}", R::API_KEY);
}

macro_rules! read_as {
    ($($key:ident $module:ident $request:ident $response:ident,)*) => {
        fn read_as(key: ApiKey, version: i16, body: Bytes) {
            match key {
                $(ApiKey::$key => {
                    read_and_write::<protocol::generated::$module::$request>(version, body);
                })*
            }
        }
    };
}
protocol::for_each_api!(read_as);

fuzz_target!(|data: &[u8]| {
    let [key, version, body @ ..] = data else { return };
    if let Some(key) = ApiKey::from_code(i16::from(*key)) {
        read_as(key, i16::from(*version), Bytes::copy_from_slice(body));
    }
});
