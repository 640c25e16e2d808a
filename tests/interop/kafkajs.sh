#!/bin/bash
# kafkajs (npm), which never speaks a flexible version. kafkajs.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
INTEROP_CLIENT=kafkajs
skip_unless node
skip_unless npm
HOME_OF_CLIENT=$INTEROP_CACHE/kafkajs
mkdir -p "$HOME_OF_CLIENT"
cp "$INTEROP_HERE/kafkajs/package.json" "$INTEROP_HERE/kafkajs/checks.js" "$HOME_OF_CLIENT/"
(cd "$HOME_OF_CLIENT" && npm install --no-audit --no-fund --loglevel=error >&2) ||
  install_failed kafkajs
interop_begin kafkajs "${1:-}"
node "$HOME_OF_CLIENT/checks.js" "$BOOTSTRAP"
