//! Compressed records from outside: bombs, streams cut short, damaged bytes, foreign framings. If
//! this breaks, a batch of a few hundred bytes can cost a broker gigabytes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use bytes::Bytes;
use protocol::compression::{Compression, CompressionError, UnknownCompression};

const COMPRESSED: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn text(bytes: usize) -> Vec<u8> {
    let words = [&b"offset "[..], b"epoch ", b"record ", b"segment ", b"leader "];
    let mut state = 7_usize;
    let mut output = Vec::new();
    while output.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        output.extend_from_slice(words[(state >> 33) % words.len()]);
        output.push((state >> 40) as u8);
    }
    output.truncate(bytes);
    output
}

fn compressed(compression: Compression, input: &[u8]) -> Bytes {
    Bytes::from(compression.compress(input).unwrap())
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for compression in Compression::ALL {
        for bytes in [1, 100, 32 * 1024, 32 * 1024 + 1, 300_000] {
            let input = text(bytes);
            let output = compression.decompress(&compressed(compression, &input), bytes).unwrap();
            assert_eq!(output, input, "{compression} {bytes}");
        }
    }
}

#[test]
fn numbers_and_names_are_kafkas() {
    for (codec, name) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        let compression: Compression = name.parse().unwrap();
        assert_eq!(compression.codec(), codec as i16);
        assert_eq!(Compression::from_codec(codec as i16), Some(compression));
        assert_eq!(compression.to_string(), *name);
    }
    assert!((5..8).all(|codec| Compression::from_codec(codec).is_none()));
    let refused = "brotli".parse::<Compression>();
    assert_eq!(refused, Err(UnknownCompression { name: "brotli".into() }));
}

#[test]
fn output_of_exactly_the_cap_is_allowed_and_one_byte_more_is_not() {
    let input = text(70_000);
    for compression in Compression::ALL {
        let stream = compressed(compression, &input);
        assert!(compression.decompress(&stream, 70_000).is_ok(), "{compression}");
        let refused = compression.decompress(&stream, 69_999);
        assert!(
            matches!(refused, Err(CompressionError::TooLarge { output_bytes_max: 69_999, .. })),
            "{compression}"
        );
    }
}

#[test]
fn bombs_are_refused_at_the_cap() {
    let zeros = vec![0; 64 << 20];
    for compression in COMPRESSED {
        let bomb = compressed(compression, &zeros);
        assert!(bomb.len() < zeros.len() / 15, "{compression} {}", bomb.len());
        let refused = compression.decompress(&bomb, 1 << 20);
        assert!(matches!(refused, Err(CompressionError::TooLarge { .. })), "{compression}");
    }
}

#[test]
fn a_snappy_block_that_claims_four_gigabytes_is_refused_before_it_costs_them() {
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
    let refused = Compression::Snappy.decompress(&Bytes::copy_from_slice(&claim), 1 << 20);
    assert!(matches!(refused, Err(CompressionError::TooLarge { .. })));
    let refused = Compression::Snappy.decompress(&Bytes::copy_from_slice(&claim), usize::MAX);
    assert!(matches!(refused, Err(CompressionError::CutShort { .. })));
}

#[test]
fn a_bare_snappy_block_is_read_as_well_as_the_framing() {
    let input = text(10_000);
    let bare = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    let output = Compression::Snappy.decompress(&Bytes::from(bare), 10_000).unwrap();
    assert_eq!(output, input);
}

#[test]
fn snappy_and_gzip_streams_one_after_the_other_are_one_stream() {
    for compression in [Compression::Snappy, Compression::Gzip, Compression::Zstd] {
        let (first, second) = (text(40_000), text(123));
        let stream =
            [&compressed(compression, &first)[..], &compressed(compression, &second)[..]].concat();
        let output = compression.decompress(&Bytes::from(stream), 1 << 20).unwrap();
        assert_eq!(output, [first, second].concat(), "{compression}");
    }
}

#[test]
fn streams_cut_short_never_pass_for_whole_ones() {
    let input = text(100_000);
    for compression in COMPRESSED {
        let stream = compressed(compression, &input);
        for length in (0..stream.len()).step_by(stream.len() / 500 + 1) {
            // a stream of several blocks may end readably between two of them; the records
            // inside are then too few for their count
            match compression.decompress(&stream.slice(..length), 1 << 20) {
                Ok(output) => {
                    assert_eq!(compression, Compression::Snappy, "{length}");
                    assert!(output.len() < input.len());
                }
                Err(CompressionError::TooLarge { .. }) => panic!("{compression} {length}"),
                Err(CompressionError::CutShort { .. } | CompressionError::Damaged { .. }) => {}
            }
        }
    }
}

#[test]
fn damage_at_any_byte_never_panics_or_passes_the_cap() {
    let input = text(3_000);
    for compression in COMPRESSED {
        let stream = compressed(compression, &input);
        let mut refused = 0;
        for position in 0..stream.len() {
            for damage in [0x01, 0x80, 0xff] {
                let mut bytes = stream.to_vec();
                bytes[position] ^= damage;
                match compression.decompress(&Bytes::from(bytes), 4_000) {
                    Ok(output) => assert!(output.len() <= 4_000),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 0, "{compression}");
    }
}

#[test]
fn noise_under_every_codec_is_an_error_and_no_more() {
    let noise = Bytes::from(text(5_000));
    for compression in COMPRESSED {
        for start in 0..200 {
            assert!(compression.decompress(&noise.slice(start..), 1 << 20).is_err());
        }
    }
}
