#!/bin/bash
# kcat (librdkafka of the distribution) as a user at a shell prompt has it. kcat.sh [BOOTSTRAP]
# kcat has no administration: topics come by auto-creation.
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=kcat
command -v kcat >/dev/null || apt-get install -y -q kcat >/dev/null 2>&1
skip_unless kcat
interop_begin kcat "${1:-}"
T=$RUN-topic

k() { timeout 30 kcat -b "$BOOTSTRAP" "$@"; }
# read_all TOPIC [OPTIONS...]: every record from the beginning to the end, values only.
read_all() { local t=$1; shift; k -q -C -t "$t" -o beginning -e "$@"; }

lists_brokers() { k -L | grep -q '1 brokers'; }

creates_by_producing() {
  echo first | k -P -t "$T" || return 1
  k -L -t "$T" | grep -q "topic \"$T\" with 1 partitions" && same first "$(read_all "$T")"
}

lists_the_topic() { k -L -J | python3 -c "
import json, sys
topics = {t['topic']: t for t in json.load(sys.stdin)['topics']}
assert topics['$T']['partitions'][0]['isrs'], topics['$T']"; }

# Below acks=all a record may be answered before consumers see it, so the reader asks again.
acks() {
  local tries
  seq 1 100 | k -P -t "$T-acks$1" -X acks="$1" || return 1
  for tries in 1 2 3 4 5; do
    same "$(seq 1 100)" "$(read_all "$T-acks$1")" && return 0
  done
  return 1
}

codec() {
  seq 1 2000 | k -P -t "$T-$1" -z "$1" || return 1
  same "$(seq 1 2000)" "$(read_all "$T-$1")"
}

idempotent() {
  seq 1 5000 | k -P -t "$T-idempotent" -X enable.idempotence=true || return 1
  same "$(seq 1 5000)" "$(read_all "$T-idempotent")"
}

keys_nulls_and_headers() {
  printf 'k1:v1\n:v2\nk3:\n' | k -P -t "$T-nulls" -K: -Z -H color=blue -H empty= || return 1
  local got; got=$(read_all "$T-nulls" -f '%K|%k|%S|%s|%h\n')
  same "2|k1|2|v1|color=blue,empty=
-1||2|v2|color=blue,empty=
2|k3|-1||color=blue,empty=" "$got"
}

large_record() { # SIZE
  head -c "$1" /dev/zero | tr '\0' x >"$INTEROP_WORK/large"
  k -P -t "$T-large" -X message.max.bytes=4000000 "$INTEROP_WORK/large" || return 1
  same "$1" "$(read_all "$T-large" -c 1 -f '%S' -X fetch.message.max.bytes=4000000)"
}

# One MiB of value is over max.message.bytes (1048588) by the batch's own bytes.
oversized_record_is_refused() {
  head -c 1048576 /dev/zero | tr '\0' x >"$INTEROP_WORK/oversized"
  k -P -t "$T-oversized" -X message.max.bytes=4000000 "$INTEROP_WORK/oversized" 2>"$INTEROP_WORK/error"
  grep -qi 'message size too large' "$INTEROP_WORK/error" || { cat "$INTEROP_WORK/error"; return 1; }
  echo small | k -P -t "$T-oversized" && same small "$(read_all "$T-oversized")"
}

by_offset() {
  same "$(seq 91 100)" "$(k -q -C -t "$T-acksall" -p 0 -o 90 -e)" &&
    same "$(seq 96 100)" "$(k -q -C -t "$T-acksall" -p 0 -o -5 -e)" &&
    same "$(seq 11 13)" "$(k -q -C -t "$T-acksall" -p 0 -o 10 -c 3)"
}

by_timestamp() {
  local t=$T-time between
  seq 1 3 | k -P -t "$t" || return 1
  sleep 0.05; between=$(date +%s%3N); sleep 0.05
  seq 4 6 | k -P -t "$t" || return 1
  same "$(seq 4 6)" "$(k -q -C -t "$t" -o "s@$between" -e)" &&
    same "$(seq 1 3)" "$(k -q -C -t "$t" -o beginning -o "e@$between" -e)" &&
    same "$t [0] offset 3" "$(k -Q -t "$t:0:$between")" &&
    same "$t [0] offset 0" "$(k -Q -t "$t:0:-2")" && same "$t [0] offset 6" "$(k -Q -t "$t:0:-1")"
}

# A group of one reads to the end, commits on leaving, and goes on where it was.
group_resumes() {
  local g=$RUN-group t=$T-group first second
  seq 1 50 | k -P -t "$t" || return 1
  first=$(k -q -G "$g" -X auto.offset.reset=earliest -c 20 "$t") || return 1
  second=$(k -q -G "$g" -X auto.offset.reset=earliest -c 30 "$t") || return 1
  same "$(seq 1 50)" "$(printf '%s\n%s\n' "$first" "$second")"
}

unknown_topic_is_an_error() {
  local said; said=$(k -C -t "$RUN-unknown" -e -X allow.auto.create.topics=false 2>&1)
  echo "$said" | grep -qi 'unknown topic' || { echo "$said"; return 1; }
}

offset_out_of_range_is_reset() {
  same "$(seq 1 100)" "$(k -q -C -t "$T-acksall" -p 0 -o 5000 -e -X auto.offset.reset=earliest)"
}

check "the broker lists itself" lists_brokers
check "producing creates a topic" creates_by_producing
check "the list of topics is complete" lists_the_topic
for a in 0 1 all; do check "acks=$a" acks "$a"; done
for c in gzip snappy lz4 zstd; do check "codec $c" codec "$c"; done
check "idempotent producer, 5000 records in order" idempotent
check "null keys, null values and headers" keys_nulls_and_headers
check "a record of 1,000,000 bytes" large_record 1000000
check "an oversized record is refused, the topic goes on" oversized_record_is_refused
check "consume by offset, from the end and counted" by_offset
check "consume and query by timestamp" by_timestamp
check "a group resumes where it committed" group_resumes
check "an unknown topic is an error when it may not be created" unknown_topic_is_an_error
check "an offset out of range follows auto.offset.reset" offset_out_of_range_is_reset
interop_end
