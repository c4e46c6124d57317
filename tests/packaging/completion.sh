#!/usr/bin/env bash
# completion.sh bash|zsh DIRECTORY_OF_BUSBAR COMPLETION_DIRECTORY: what the installed completion offers in that shell are
# the verbs and flags that the program's help names, and file names where it takes files.
set -euo pipefail
shell=$1
busbar=$2/busbar
export PATH=$2:$PATH COMPLETION=$3
source "$(dirname "$0")/verbs.bash"

# offered WORD…: the candidates for the last word, by the shell itself.
offered() {
  if [[ $shell == bash ]]; then
    bash -c 'source "$COMPLETION/busbar"; compopt() { :; }
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1"; printf "%s\n" "${COMPREPLY[@]}"' - "$@"
  else
    zsh -f -c 'compadd() { shift; print -l -- ${(P)1}; }; compset() { :; }; _files() { print -l -- *(N) }
      _gnu_generic() { print -l -- ${(f)"$($words[1] --help | grep -o -- "--[a-z-]*")"} }
      words=("$@"); CURRENT=$#; service=$1; source "$COMPLETION/_busbar"' - "$@"
  fi
}

problems=0
expect_all() { # WHAT WANTED OFFERED
  local missing
  missing=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3"))
  [[ -z $missing ]] && return
  echo "completion.sh: $shell does not offer $1: ${missing//$'\n'/ }" >&2
  problems=1
}

expect_all "these verbs" "$(verbs)" "$(offered busbar "")"
expect_all "flags before a verb" "$(own_flags_of)" "$(offered busbar --)"
while read -r verb; do
  expect_all "flags of $verb" "$(own_flags_of "$verb")" "$(offered busbar "$verb" --)"
  expect_all "flags of the program after $verb" "--json" "$(offered busbar --run-dir /tmp "$verb" --js)"
done < <(verbs)
expect_all "flags of busbard" "--config" "$(offered busbard --)"
cd "$3"
expect_all "files to check" "busbar" "$(offered busbar check "")"
expect_all "a file behind an option" "busbar" "$(offered busbar dev --config "")"
expect_all "actions of config" $'check\nshow\nreload' "$(offered busbar config "")"
expect_all "strategies" $'random\nleast_pending' "$(offered busbar call --strategy "")"
expect_all "levels of the log" $'trace\ndebug\ninfo\nwarn\nerror\ndefault' "$(offered busbar log-level "")"
expect_all "levels of a part of it" "debug" "$(offered busbar log-level host d)"
expect_all "roles" "deployer" "$(offered busbar keygen --role d)"
expect_all "files behind an action" "busbar" "$(offered busbar config check "")"
found=$(offered busbar call --timeout "")
[[ -z ${found//$'\n'/} ]] || { echo "completion.sh: $shell offers for a number: $found" >&2; problems=1; }
exit $problems
