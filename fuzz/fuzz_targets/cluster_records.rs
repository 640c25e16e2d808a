//! An entry or a snapshot of the metadata log. A damaged one must stop a node with an error that
//! names the place, never with a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = metadata::wire::decode_records(data);
    let _ = metadata::wire::decode_snapshot(data);
});
