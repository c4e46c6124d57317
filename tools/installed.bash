# Sourced by scripts that use Busbar as it is installed: a scratch directory that is gone at their end, an install prefix
# in it, and a host of its own, which is ended with them.
#   source tools/installed.bash NAME-OF-THE-SCRIPT BUILD_DIR
set -euo pipefail

script=$1
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$(cd "$2" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-$script.XXXXXX")
prefix=$scratch/usr
plugins=$scratch/plugins
host_pid=

finish() {
  status=$?
  if [[ -n $host_pid ]]; then kill "$host_pid" && wait "$host_pid" || true; fi
  if [[ $status -ne 0 ]]; then
    echo "$script.sh: failed; what was being done is above, the host's log below" >&2
    cat "$scratch/host.log" >&2 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap finish EXIT

step() { echo "$script.sh: $*"; }

# expect WHAT PATTERN COMMAND…: the command must succeed and say something that matches.
expect() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@" 2>&1) || { echo "$script.sh: $what: exit status $?, output: $out" >&2; return 1; }
  if ! grep -Eq -- "$pattern" <<<"$out"; then
    echo "$script.sh: $what: expected $pattern, found: $out" >&2
    return 1
  fi
  step "$what: ok"
}

# quietly NAME COMMAND…: shows what the command says only if it fails.
quietly() {
  local log=$scratch/$1.log
  shift
  "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

install_busbar() {
  step "installing $build_dir"
  quietly install cmake --install "$build_dir" --prefix "$prefix"
}

# Over the host's run directory, as scripts do.
busbar_json() { "$prefix/bin/busbar" --run-dir "$scratch/run" --json "$@"; }

# Returns once the host of `host_pid` answers; every verb but `status` then waits by itself for its first scan.
wait_for_host() {
  for _ in $(seq 300); do
    if busbar_json status >/dev/null 2>&1; then return; fi
    kill -0 "$host_pid"
    sleep 0.1
  done
  echo "$script.sh: the host has not answered for 30 seconds" >&2
  return 1
}

start_host() {
  step "starting the installed host"
  mkdir -p "$plugins"
  "$prefix/bin/busbard" --node "$script" --plugins "$plugins" --run-dir "$scratch/run" --state-dir "$scratch/state" \
    >"$scratch/host.log" 2>&1 &
  host_pid=$!
  wait_for_host
}

stop_host() {
  step "stopping the host"
  kill -TERM "$host_pid"
  wait "$host_pid"
  host_pid=
}
