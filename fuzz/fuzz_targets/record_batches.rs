//! A section of record batches, as a producer sends it and a disk returns it. The checksum of each
//! first batch is put right, or the fuzzer would never get behind it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::record_batch::{RecordBatches, crc32c};

const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// The checksum stands at 17 and covers everything from 21 on.
const CRC_POSITION: usize = 17;
const CRC_COVERS_FROM: usize = 21;

fn with_right_checksum(data: &[u8]) -> Bytes {
    let mut bytes = data.to_vec();
    if let Some(length) = bytes.get(8..12).and_then(|length| length.try_into().ok()) {
        let end = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0).saturating_add(12);
        if let Some(covered) = bytes.get(CRC_COVERS_FROM..end) {
            let crc = crc32c(covered).to_be_bytes();
            bytes[CRC_POSITION..CRC_COVERS_FROM].copy_from_slice(&crc);
        }
    }
    Bytes::from(bytes)
}

fuzz_target!(|data: &[u8]| {
    for batch in RecordBatches::new(with_right_checksum(data)).flatten() {
        let Ok(records) = batch.records(OUTPUT_BYTES_MAX) else { continue };
        let bytes: usize = records
            .flatten()
            .map(|record| record.key.map_or(0, |k| k.len()) + record.value.map_or(0, |v| v.len()))
            .sum();
        assert!(bytes <= OUTPUT_BYTES_MAX, "{bytes} bytes came out of the batch");
        let _ = batch.header().check(batch.bytes());
        let _ = batch.check_records(OUTPUT_BYTES_MAX);
    }
});
