#!/bin/bash
# confluent-kafka (PyPI), which carries its own newest librdkafka. confluent-kafka.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=confluent-kafka
skip_unless python3
python_environment confluent-kafka confluent-kafka==2.16.1
interop_begin confluent-kafka "${1:-}"
"$PYTHON" "$INTEROP_HERE/confluent_kafka_checks.py" "$BOOTSTRAP"
