#!/bin/bash
# kafka-python (PyPI), a client in plain Python. kafka-python.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=kafka-python
skip_unless python3
python_environment kafka-python kafka-python==3.0.12 python-snappy==0.7.3 lz4==4.4.5 \
  zstandard==0.25.0
interop_begin kafka-python "${1:-}"
"$PYTHON" "$INTEROP_HERE/kafka_python_checks.py" "$BOOTSTRAP"
