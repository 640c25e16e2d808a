//! A record of `__consumer_offsets`, which another program may have written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [length, rest @ ..] = data else { return };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
    let _ = coordination::offsets_topic::decode(Some(Bytes::copy_from_slice(key)), value);
});
