#!/bin/bash
# Consumers at followers (KIP-392): confluent-kafka and the Java console consumer read from the replica
# in their rack, in a cluster of three nodes that this starts by itself. follower-reads.sh
. "$(dirname "$0")/broker.sh"
. "$INTEROP_HERE/kafka-jars.sh"
INTEROP_CLIENT=follower-reads
skip_unless python3
python_environment confluent-kafka confluent-kafka==2.16.1
if command -v java >/dev/null && kafka_jars; then export KAFKA_JARS; else unset KAFKA_JARS; fi
PROGRAM=$(find_callboard) || exit 1
exec "$PYTHON" "$INTEROP_HERE/follower_reads_checks.py" "$PROGRAM"
