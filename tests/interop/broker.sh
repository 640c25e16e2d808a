#!/bin/bash
# Sourced by the scripts of this folder: which broker to talk to, and how a check is reported.
#
#   interop_begin CLIENT [BOOTSTRAP]   sets BOOTSTRAP; without an address, starts a broker of our own
#   check NAME COMMAND...              runs the command (a function or a program), prints one line
#   skip_unless PROGRAM                leaves with "SKIPPED: ..." and status 0 when it is not there
#   interop_end                        prints the sum and leaves with 1 if a check failed
#
# A line is "ok - CLIENT: what holds" or "not ok - CLIENT: what should hold", followed by what the
# command said. Environment: INTEROP_BROKER (the program; default: the newest one under target/),
# INTEROP_CACHE (where clients are installed; default target/interop), INTEROP_SETTINGS (broker
# settings of a broker started here, separated by blanks).

set -u
INTEROP_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
INTEROP_ROOT=$(cd "$INTEROP_HERE/../.." && pwd)
INTEROP_CACHE=${INTEROP_CACHE:-$INTEROP_ROOT/target/interop}
# A first rebalance that waits three seconds for more members is right in production; here every
# group of every client would wait for it.
INTEROP_SETTINGS=${INTEROP_SETTINGS-group.initial.rebalance.delay.ms=0}
INTEROP_PASSED=0 INTEROP_FAILED=0 INTEROP_CLIENT=? INTEROP_BROKER_PID='' INTEROP_WORK=''
mkdir -p "$INTEROP_CACHE"

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

find_callboard() {
  local newest
  if [ -n "${INTEROP_BROKER:-}" ]; then echo "$INTEROP_BROKER"; return; fi
  newest=$(ls -t "${CARGO_TARGET_DIR:-$INTEROP_ROOT/target}"/{release,debug}/callboard 2>/dev/null | head -1)
  [ -n "$newest" ] || { echo "no callboard under target/: cargo build --release first" >&2; return 1; }
  echo "$newest"
}

# start_broker DIR: a broker with its data and its log in DIR; sets BOOTSTRAP and ADMIN.
start_broker() {
  local program port admin setting arguments=() tries
  program=$(find_callboard) || return 1
  port=$(free_port); admin=$(free_port)
  for setting in $INTEROP_SETTINGS; do arguments+=(--set "$setting"); done
  "$program" serve --data-dir "$1/data" --listeners "PLAINTEXT://127.0.0.1:$port" \
    --admin-listener "127.0.0.1:$admin" "${arguments[@]}" >"$1/broker.log" 2>&1 </dev/null &
  INTEROP_BROKER_PID=$!; BOOTSTRAP=127.0.0.1:$port; ADMIN=127.0.0.1:$admin
  for tries in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
    kill -0 "$INTEROP_BROKER_PID" 2>/dev/null || break
    sleep 0.1
  done
  echo "callboard does not listen on $BOOTSTRAP:" >&2; tail -20 "$1/broker.log" >&2
  return 1
}

stop_broker() {
  [ -n "$INTEROP_BROKER_PID" ] || return 0
  kill "$INTEROP_BROKER_PID" 2>/dev/null; wait "$INTEROP_BROKER_PID" 2>/dev/null
  INTEROP_BROKER_PID=''
}

interop_clean() {
  stop_broker
  [ -z "$INTEROP_WORK" ] || rm -rf "$INTEROP_WORK"
}

interop_begin() {
  INTEROP_CLIENT=$1; INTEROP_WORK=$(mktemp -d)
  # Names of topics and groups of this run begin with it: scripts may share a broker.
  RUN=$1-$$-$RANDOM
  trap interop_clean EXIT
  trap 'exit 130' INT TERM
  BOOTSTRAP=${2:-}
  if [ -z "$BOOTSTRAP" ]; then start_broker "$INTEROP_WORK" || exit 1; fi
  echo "# $INTEROP_CLIENT against $BOOTSTRAP"
}

skip_unless() {
  command -v "$1" >/dev/null 2>&1 && return 0
  echo "SKIPPED: $INTEROP_CLIENT, because $1 is not installed on this machine"
  exit 0
}

# install_failed WHAT: a client that cannot be had is a failure, not a reason to be silent.
install_failed() {
  echo "not ok - $INTEROP_CLIENT: $1 could not be installed"
  exit 1
}

# A virtual environment per client, so that no client's dependencies disturb another's.
python_environment() { # NAME PACKAGE...
  local home=$INTEROP_CACHE/python-$1; shift
  [ -x "$home/bin/python" ] || python3 -m venv "$home" >/dev/null || install_failed "python's venv"
  "$home/bin/python" -m pip install -q --disable-pip-version-check "$@" >&2 || install_failed "$*"
  PYTHON=$home/bin/python
}

check() {
  local name=$1 output=$INTEROP_WORK/output; shift
  if "$@" >"$output" 2>&1; then
    INTEROP_PASSED=$((INTEROP_PASSED + 1)); echo "ok - $INTEROP_CLIENT: $name"
  else
    INTEROP_FAILED=$((INTEROP_FAILED + 1)); echo "not ok - $INTEROP_CLIENT: $name"
    tail -15 "$output" | sed 's/^/#   /'
  fi
}

# same WANTED GOT: for checks, says what differs.
same() {
  [ "$1" = "$2" ] && return 0
  printf 'wanted: %.400s\ngot:    %.400s\n' "$1" "$2"; return 1
}

interop_end() {
  echo "# $INTEROP_CLIENT: $INTEROP_PASSED passed, $INTEROP_FAILED failed"
  [ "$INTEROP_FAILED" = 0 ] || exit 1
  exit 0
}
