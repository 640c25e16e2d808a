#!/bin/bash
# Kafka's own dump tool reads what a cleanly stopped broker of ours left on disk. dump-log.sh
# It needs the broker's files, so it starts a broker of its own and takes no address.
. "$(dirname "$0")/broker.sh"
. "$INTEROP_HERE/kafka-jars.sh"
INTEROP_CLIENT=dump-log
skip_unless java
skip_unless kcat
kafka_jars || install_failed "Apache Kafka's jars"
INTEROP_SETTINGS="$INTEROP_SETTINGS log.segment.bytes=1048576"
interop_begin dump-log
T=$RUN

# Some megabytes over several segments, with an idempotent producer, so that every kind of file
# of a partition exists: records, both indexes, a producer snapshot.
for codec in none lz4 zstd; do
  seq 1 100000 | timeout 60 kcat -b "$BOOTSTRAP" -P -t "$T" -z "$codec" -X enable.idempotence=true \
    -X linger.ms=5 || install_failed "the log to dump (its records)"
done
# A group's commit, for the format of the offsets topic.
timeout 30 kcat -b "$BOOTSTRAP" -q -G "$RUN-group" -X auto.offset.reset=earliest -c 1000 "$T" \
  >/dev/null 2>&1
stop_broker
PARTITION=$(find "$INTEROP_WORK/data" -type d -name "$T-0" | head -1)

dump() { kafka_tool dump-log --print-data-log --files "$(printf '%s,' "$@" | sed 's/,$//')"; }

segments_are_whole() {
  local said count
  said=$(dump "$PARTITION"/*.log) || { echo "$said" | tail -5; return 1; }
  echo "$said" | grep -qE 'isvalid: false|ERROR|Exception' && { echo "$said" | tail -5; return 1; }
  count=$(echo "$said" | grep -c '^| offset: '); same 300000 "$count"
}

several_segments() { [ "$(ls "$PARTITION"/*.log | wc -l)" -gt 1 ] || { ls -l "$PARTITION"; return 1; }; }

# indexes KIND: the tool checks each entry against the records beside it and names mismatches.
indexes() {
  local said; said=$(dump "$PARTITION"/*."$1" 2>&1) || { echo "$said" | tail -5; return 1; }
  echo "$said" | grep -qiE 'mismatch|corrupt|out of order|exception|not found' &&
    { echo "$said" | grep -iE -A3 'mismatch|corrupt|out of order|exception|not found' | head; return 1; }
  echo "$said" | grep -qE 'offset: [0-9]+' || { echo "$said" | tail -5; return 1; }
}

producer_snapshot() {
  local said files=("$PARTITION"/*.snapshot)
  [ -e "${files[0]}" ] || { ls -l "$PARTITION"; return 1; }
  said=$(dump "${files[-1]}" 2>&1); echo "$said" | tail -5
  echo "$said" | grep -q 'producerId: [0-9]* producerEpoch: 0'
}

offsets_topic() {
  local said
  said=$(find "$INTEROP_WORK/data" -path '*__consumer_offsets-*' -name '*.log' -size +0 |
    while read -r file; do kafka_tool dump-log --files "$file" --offsets-decoder; done)
  echo "$said" | tail -5
  echo "$said" | grep -q "$RUN-group.*$T.*\"offset\":1000"
}

check "every batch of every segment is valid and every record there" segments_are_whole
check "the log rolled" several_segments
check "the offset index agrees with the records" indexes index
check "the time index agrees with the records" indexes timeindex
check "the producer snapshot names its producers" producer_snapshot
check "the offsets topic has Kafka's own records" offsets_topic
interop_end
