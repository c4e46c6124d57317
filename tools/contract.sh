#!/usr/bin/env bash
# Every rule of docs/contract.md has a test by its number: `C_D7` in the name of a test, or `C-D7` in the comment at it
# (above it, or behind it on its line). Only tests that are built count. Rules that are not kept yet are named below.
#   tools/contract.sh --list   shows each rule with how many tests it has
set -euo pipefail
cd "$(dirname "$0")/.."
contract=docs/contract.md
commands=build/dev/compile_commands.json
[[ -f $commands ]] || cmake --preset dev >/dev/null

# RULE why it has no test
declare -A later=(
  [C-R8]="who a caller is can be proved only by keys, which nodes do not have yet"
)

mapfile -t rules < <(sed -nE 's/^\| (C-[MRDG][0-9]+) \|.*/\1/p' "$contract")
mapfile -t built < <(sed -nE "s|^ *\"file\": \"$PWD/(tests/[^\"]*\.cpp)\".*|\1|p" "$commands" | sort -u)
if ((${#rules[@]} == 0 || ${#built[@]} == 0)); then
  echo "tools/contract.sh: ${#rules[@]} rules in $contract and ${#built[@]} tests in $commands, expected some of both" >&2
  exit 1
fi

# One line "RULE FILE:LINE" for each rule that a test names.
named=$(awk '
  function tell(text) {
    while (match(text, /C[-_][MRDG][0-9]+/)) {
      rule = substr(text, RSTART, RLENGTH)
      sub("_", "-", rule)
      print rule, FILENAME ":" FNR
      text = substr(text, RSTART + RLENGTH)
    }
  }
  FNR == 1 { above = "" }
  /^TEST(_F|_P)?\(/ { if ($0 !~ /DISABLED_/) tell(above " " $0); above = ""; next }
  { above = /^\/\// ? above " " $0 : "" }
' "${built[@]}" | sort -u)

failed=0
complain() {
  echo "tools/contract.sh: $*" >&2
  failed=1
}

declare -A tests known
while read -r rule _; do tests[$rule]=$((${tests[$rule]:-0} + 1)); done <<<"$named"
for rule in "${rules[@]}"; do
  [[ -z ${known[$rule]:-} ]] || complain "$rule stands twice in $contract"
  known[$rule]=yes
  count=${tests[$rule]:-0}
  if [[ "${1:-}" == --list ]]; then echo "$rule $count${later[$rule]:+  later: ${later[$rule]}}"; fi
  if [[ -n ${later[$rule]:-} ]]; then
    ((count == 0)) || complain "$rule has a test, but is named as one for later: ${later[$rule]}"
  elif ((count == 0)); then
    complain "$rule has no test: name one ${rule/-/_}_… or put $rule into the comment at it"
  fi
done
for rule in "${!later[@]}"; do
  [[ -n ${known[$rule]:-} ]] || complain "$rule is named as one for later, but does not stand in $contract"
done
# Anywhere in the tests, so that no remark outlives its rule.
while IFS=: read -r file line rule; do
  [[ -n ${known[${rule/_/-}]:-} ]] || complain "$file:$line names $rule, which does not stand in $contract"
done < <(git grep -noE 'C[-_][MRDG][0-9]+' -- tests)

((failed == 0)) || exit 1
echo "contract: ${#rules[@]} rules, ${#later[@]} of them for later, the others with $(wc -l <<<"$named") tests by their numbers"
