#!/bin/bash
# tools/ten-minutes.sh [BUILD_DIR]: does what docs/ten-minutes.md says. The commands of its blocks (`sh FILE`) are run as they
# stand, in one shell, in the order of their files; each line of the block `text FILE` of the same name must be in what they have
# said, where "…" stands for anything. Left out is 0-machine.sh: in place of what it builds a build (default: build/dev) is
# installed where the text has it, $HOME/busbar, for a home that is a scratch directory. --show shows what is run.
set -euo pipefail
if [[ "${1:-}" != --timed ]]; then exec timeout --kill-after=10 300 "$0" --timed "$@"; fi
shift
here=$(cd "$(dirname "$0")" && pwd)
show=false
if [[ "${1:-}" == --show ]]; then
  show=true
  shift
fi
source "$here/installed.bash" ten-minutes "${1:-$here/../build/dev}"

# As a new user has it.
export HOME=$scratch TMPDIR=$scratch/tmp CMAKE_BUILD_TYPE=Debug  # the last for the compiler's time alone
prefix=$HOME/busbar
mkdir "$TMPDIR"
unset CMAKE_PREFIX_PATH busbar_DIR XDG_RUNTIME_DIR

block=             # which is being run
said=$scratch/said # what it says
exec 3>&2

# Whatever has become of the text: shows where it has failed, and ends what it has started.
at_exit() {
  local ended=$? job
  set +e
  exec >&3 2>&3
  if ((ended != 0)) && [[ -n $block ]]; then
    echo "ten-minutes.sh: $(basename "$block"): what it has said, and the hosts:"
    cat "$said"
    tail -n 20 "$scratch"/tmp/*/[ab]/log 2>/dev/null
  fi
  for job in $(jobs -p); do kill -9 "$job" 2>/dev/null; done
  wait 2>/dev/null
  (exit "$ended")
  finish
}
trap at_exit EXIT

# pattern LINE: as an extended regular expression; blanks may be more.
pattern() { sed -E 's/[][(){}.*+?^$|\\]/\\&/g; s/…/.*/g; s/ +/ +/g' <<<"$1"; }

# Compares what the block has said with what the text shows of it.
compare() {
  local line shown=${block%.sh}.out
  [[ -e $shown ]] || return 0
  while IFS= read -r line; do
    if ! grep -Eq -- "$(pattern "$line")" "$said"; then
      echo "ten-minutes.sh: $(basename "$block"): docs/ten-minutes.md shows \"$line\", which is not there" >&2
      return 1
    fi
  done <"$shown"
}

install_busbar
"$here/guide.sh" "$source_dir/docs/ten-minutes.md" "$scratch/blocks"
blocks=("$scratch"/blocks/[1-9]*.sh)
((${#blocks[@]} >= 9)) || { echo "ten-minutes.sh: found ${#blocks[@]} blocks of commands in docs/ten-minutes.md" >&2; exit 1; }
for block in "${blocks[@]}"; do
  begun=$SECONDS
  if $show; then sed 's/^/$ /' "$block"; fi
  source "$block" >"$said" 2>&1  # in this shell: the text goes on with what it has set and started
  if $show; then cat "$said"; fi
  compare
  step "$(basename "$block" .sh): ok ($((SECONDS - begun)) s)"
done
block=
step "all of it works"
