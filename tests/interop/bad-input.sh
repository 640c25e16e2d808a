#!/bin/bash
# Bad input and bad manners on the client port: plain sockets. bad-input.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=bad-input
skip_unless python3
interop_begin bad-input "${1:-}"
python3 "$INTEROP_HERE/bad_input.py" "$BOOTSTRAP" "$INTEROP_BROKER_PID"
