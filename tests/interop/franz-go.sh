#!/bin/bash
# franz-go (Go module), which always speaks the newest version both sides know. franz-go.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=franz-go
skip_unless go
PROGRAM=$INTEROP_CACHE/franz-go-checks
(cd "$INTEROP_HERE/franz-go" && go build -o "$PROGRAM" . >&2) || install_failed franz-go
interop_begin franz-go "${1:-}"
"$PROGRAM" "$BOOTSTRAP"
