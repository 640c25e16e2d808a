#!/bin/bash
# The console tools of Apache Kafka, as the scripts in its bin/ start them. java-console.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
. "$INTEROP_HERE/kafka-jars.sh"
INTEROP_CLIENT=java-console
skip_unless java
kafka_jars || install_failed "Apache Kafka's jars"
interop_begin java-console "${1:-}"
T=$RUN-topic

tool() { local name=$1; shift; kafka_tool "$name" --bootstrap-server "$BOOTSTRAP" "$@"; }
# read_all TOPIC COUNT [OPTIONS...]: that many records from the beginning.
read_all() {
  local topic=$1 count=$2; shift 2
  tool console-consumer --topic "$topic" --from-beginning --max-messages "$count" \
    --timeout-ms 20000 "$@" 2>/dev/null
}

api_versions() {
  local said; said=$(tool broker-api) || { echo "$said"; return 1; }
  echo "$said" | grep -q 'Produce(0): 0 to 13 \[usable: 13\]' || { echo "$said"; return 1; }
}

cluster_id() {
  kafka_tool cluster cluster-id --bootstrap-server "$BOOTSTRAP" | grep -q 'Cluster ID: .'
}

create_and_describe() {
  tool topics --create --topic "$T" --partitions 3 --replication-factor 1 \
    --config retention.ms=3600000 || return 1
  tool topics --list | grep -qx "$T" || return 1
  tool topics --describe --topic "$T" >"$INTEROP_WORK/described"
  cat "$INTEROP_WORK/described"
  grep -q 'PartitionCount: 3.*retention.ms=3600000' "$INTEROP_WORK/described" &&
    same 3 "$(grep -c 'Leader: [0-9]' "$INTEROP_WORK/described")"
}

more_partitions() {
  tool topics --alter --topic "$T" --partitions 4 || return 1
  tool topics --describe --topic "$T" | grep -q 'PartitionCount: 4'
}

configs() {
  local all; all=(--entity-type topics --entity-name "$T")
  tool configs --alter "${all[@]}" --add-config retention.ms=7200000,segment.bytes=1048576 &&
    tool configs --alter "${all[@]}" --delete-config segment.bytes || return 1
  tool configs --describe "${all[@]}" >"$INTEROP_WORK/configs"; cat "$INTEROP_WORK/configs"
  grep -q 'retention.ms=7200000' "$INTEROP_WORK/configs" &&
    ! grep -q 'segment.bytes=1048576' "$INTEROP_WORK/configs"
}

produce_and_consume() { # CODEC
  seq 1 500 | tool console-producer --topic "$T-$1" --compression-codec "$1" \
    --command-property enable.idempotence=true 2>/dev/null || return 1
  same "$(seq 1 500)" "$(read_all "$T-$1" 500)"
}

keys_and_headers() {
  printf 'color:blue,size:9\tk1\tv1\ncolor:red\tk2\tNIL\n' | tool console-producer \
    --topic "$T-keys" --reader-property parse.key=true --reader-property parse.headers=true \
    --reader-property null.marker=NIL 2>/dev/null || return 1
  same "$(printf 'color:blue,size:9\tk1\tv1\ncolor:red\tk2\tnull\n')" "$(read_all "$T-keys" 2 \
    --formatter-property print.key=true --formatter-property print.headers=true)"
}

offsets() {
  same "$T-gzip:0:500" "$(tool get-offsets --topic "$T-gzip")" &&
    same "$T-gzip:0:0" "$(tool get-offsets --topic "$T-gzip" --time earliest)" &&
    tool get-offsets --topic "$T-gzip" --time max-timestamp | grep -qE "^$T-gzip:0:[0-4]?[0-9]{1,2}$"
}

by_partition_and_offset() {
  same "$(seq 491 500)" "$(tool console-consumer --topic "$T-gzip" --partition 0 --offset 490 \
    --max-messages 10 --timeout-ms 20000 2>/dev/null)"
}

group_resumes() {
  local g=$RUN-group
  same "$(seq 1 200)" "$(read_all "$T-gzip" 200 --group "$g")" &&
    same "$(seq 201 300)" "$(read_all "$T-gzip" 100 --group "$g")"
}

group_is_described_reset_and_deleted() {
  local g=$RUN-group
  tool groups --list | grep -qx "$g" || return 1
  tool groups --describe --group "$g" 2>/dev/null | grep -q "$T-gzip *0 *300 *500 *200" ||
    { tool groups --describe --group "$g"; return 1; }
  tool groups --reset-offsets --group "$g" --topic "$T-gzip" --to-offset 50 --execute || return 1
  same "$(seq 51 60)" "$(read_all "$T-gzip" 10 --group "$g")" || return 1
  tool groups --delete --group "$g" || return 1
  ! tool groups --list | grep -qx "$g"
}

delete_records() {
  echo "{\"partitions\":[{\"topic\":\"$T-gzip\",\"partition\":0,\"offset\":100}],\"version\":1}" \
    >"$INTEROP_WORK/records.json"
  tool delete-records --offset-json-file "$INTEROP_WORK/records.json" || return 1
  same "$(seq 101 105)" "$(read_all "$T-gzip" 5)"
}

performance_tool() { # a load of 20,000 records of 100 bytes, not a measurement
  tool producer-perf --topic "$T-perf" --num-records 20000 --record-size 100 --throughput -1 \
    --command-property acks=all || return 1
  same "$T-perf:0:20000" "$(tool get-offsets --topic "$T-perf")"
}

delete_and_recreate() {
  tool topics --delete --topic "$T-gzip" && tool topics --create --topic "$T-gzip" || return 1
  same "$T-gzip:0:0" "$(tool get-offsets --topic "$T-gzip")"
}

wrong_wishes_are_refused() {
  tool topics --create --topic "$T" >"$INTEROP_WORK/refused" 2>&1 && return 1
  grep -q TopicExistsException "$INTEROP_WORK/refused" || { cat "$INTEROP_WORK/refused"; return 1; }
  tool topics --describe --topic "$RUN-unknown" >"$INTEROP_WORK/refused" 2>&1 && return 1
  grep -q 'does not exist' "$INTEROP_WORK/refused" || { cat "$INTEROP_WORK/refused"; return 1; }
}

check "API versions are listed and usable" api_versions
check "the cluster has an id" cluster_id
check "create, list and describe a topic" create_and_describe
check "more partitions" more_partitions
check "alter and delete settings" configs
for c in none gzip snappy lz4 zstd; do
  check "produce and consume, codec $c" produce_and_consume "$c"
done
check "keys, headers and null values" keys_and_headers
check "offsets: latest, earliest, newest timestamp" offsets
check "consume by partition and offset" by_partition_and_offset
check "a group resumes where it committed" group_resumes
check "describe, reset and delete a group" group_is_described_reset_and_deleted
check "delete records" delete_records
check "the performance tool's load arrives whole" performance_tool
check "delete and recreate under the same name" delete_and_recreate
check "wrong wishes are refused with their reason" wrong_wishes_are_refused
interop_end
