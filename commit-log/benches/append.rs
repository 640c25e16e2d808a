//! What an append costs beside the write itself, and what a read at the tail costs. Files lie in the
//! system's folder for temporary files; nothing is flushed unless the name says so.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use commit_log::{
    Append, AppendOrigin, CommitLog, LogResources, LogSettings, OpenHints, ReadMode, ReadRequest,
    RealStorage,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::{BatchHeader, ProducerStamp, RecordBatchBuilder};
use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

const NOW_MS: i64 = 1_800_000_000_000;

fn batch(value_bytes: usize, producer: ProducerStamp) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    let value = vec![b'x'; value_bytes];
    let content = RecordContent { key: None, value: Some(&value), headers: &[] };
    builder.append(NOW_MS, &content).expect("a small record");
    Bytes::from(builder.build(producer).expect("a small batch"))
}

fn append(batch: &Bytes) -> Append {
    Append {
        batch: batch.clone(),
        header: BatchHeader::parse(batch).expect("a batch"),
        leader_epoch: LeaderEpoch::ZERO,
        origin: AppendOrigin::Client,
        now_ms: NOW_MS,
    }
}

fn open(folder: &Path) -> CommitLog {
    let resources = LogResources::new(Arc::new(RealStorage));
    let hints = OpenHints { now_ms: NOW_MS, ..OpenHints::default() };
    let settings = LogSettings { segment_bytes: 64 << 20, ..LogSettings::default() };
    let opened = CommitLog::open(&resources, &folder.join("bench-0"), settings, hints);
    opened.expect("an empty folder").0
}

fn append_groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for (batches, value_bytes) in [(1, 100), (16, 100), (64, 100), (64, 1024), (1, 65_536)] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = open(folder.path());
        let appends = vec![append(&batch(value_bytes, ProducerStamp::NONE)); batches];
        group.throughput(Throughput::Elements(batches as u64));
        let name = BenchmarkId::from_parameter(format!("{batches} batches of {value_bytes} B"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| log.append(&appends));
            // a bench must not fill the disk
            let end = log.log_end_offset();
            log.advance_log_start(end).expect("the log end");
            log.apply_retention(NOW_MS, end).expect("the files are there");
            log.remove_deleted_files(i64::MAX).expect("the files are there");
        });
    }
    group.finish();
}

fn append_idempotent(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = open(folder.path());
    let mut sequence = 0;
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 idempotent batches of 100 B", |bencher| {
        let next = || {
            let appends: Vec<_> = (0..64)
                .map(|at| {
                    let producer = ProducerStamp {
                        id: ProducerId(7),
                        epoch: ProducerEpoch(0),
                        base_sequence: sequence + at,
                    };
                    append(&batch(100, producer))
                })
                .collect();
            sequence += 64;
            appends
        };
        bencher.iter_batched(next, |appends| log.append(&appends), BatchSize::PerIteration);
    });
    group.finish();
}

fn flush(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = open(folder.path());
    let appends = vec![append(&batch(1024, ProducerStamp::NONE)); 64];
    let mut group = criterion.benchmark_group("flush");
    group.throughput(Throughput::Elements(64));
    group.sample_size(20);
    group.bench_function("64 batches of 1 KiB, written and flushed", |bencher| {
        bencher.iter(|| {
            log.append(&appends);
            log.flush().expect("a disk that works")
        });
    });
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = open(folder.path());
    let appends = vec![append(&batch(100, ProducerStamp::NONE)); 64];
    for _ in 0..1000 {
        log.append(&appends);
    }
    let (reader, end) = (log.reader(), log.log_end_offset());
    let request = |from, bytes_max| ReadRequest {
        from,
        up_to: end,
        bytes_max,
        at_least_one_batch: true,
        mode: ReadMode::NoWait,
    };
    let mut group = criterion.benchmark_group("read");
    let last = end.plus(-1);
    group.bench_function("the last batch", |bencher| {
        bencher.iter(|| reader.read(request(last, 1 << 20)).expect("in memory"));
    });
    for bytes_max in [64 << 10, 1 << 20] {
        group.throughput(Throughput::Bytes(bytes_max as u64));
        let name = BenchmarkId::from_parameter(format!("on and on by {} KiB", bytes_max >> 10));
        let mut from = Offset::ZERO;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let outcome = reader.read(request(from, bytes_max)).expect("in memory");
                from = outcome.next_offset;
                if from.distance_from(end) > -20_000 {
                    from = Offset::ZERO;
                }
                outcome.batches.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append_groups, append_idempotent, flush, read);
criterion_main!(benches);
