#!/usr/bin/env bash
# man_pages.sh BUSBAR MAN_DIRECTORY: every verb has a page of its own, which names every flag of it; and the overview names
# every verb.
set -euo pipefail
busbar=$1
pages=$2
source "$(dirname "$0")/verbs.bash"

problems=0
complain() {
  echo "man_pages.sh: $*" >&2
  problems=1
}
# says PAGE TEXT: whether the page has it, however it is set.
says() { grep -qF -- "$2" <<<"$(sed 's/\\-/-/g; s/\\f[BRIP]//g' "$1")"; }

while read -r verb; do
  page=$pages/busbar-$verb.1
  if [[ ! -f $page ]]; then
    complain "the verb \"$verb\" has no man page: write docs/man/busbar-$verb.1 (docs/man/busbar-load.1 is a short one to" \
      "begin with), and add a line to VERBS in docs/man/busbar.1; it is installed by itself"
    continue
  fi
  while read -r flag; do
    says "$page" "$flag" || complain "docs/man/busbar-$verb.1 does not tell of $flag: add it to its OPTIONS"
  done < <(own_flags_of "$verb")
  says "$pages/busbar.1" "busbar-$verb (1)" ||
    complain "docs/man/busbar.1 does not name busbar-$verb (1): add a line to its VERBS"
done < <(verbs)
for page in "$pages"/*.1; do
  warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) || true
  [[ -z $warnings ]] || complain "$page: $warnings"
done
exit $problems
