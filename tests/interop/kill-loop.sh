#!/bin/bash
# Kills under load, then every acked record read back once and in order. kill-loop.sh [KILLS]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=kill-loop
skip_unless python3
python_environment confluent-kafka confluent-kafka==2.16.1
PROGRAM=$(find_callboard) || exit 1
exec "$PYTHON" "$INTEROP_HERE/kill_loop.py" "$PROGRAM" "${1:-10}"
