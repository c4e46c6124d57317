# Sourced: what the program $busbar takes, as its own help says.

# Each verb on a line.
verbs() {
  local found
  found=$("$busbar" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
  if [[ -z $found ]]; then
    echo "found no verbs in what busbar --help says" >&2
    exit 1
  fi
  echo "$found"
}

# The long flags of a verb, or of the program where none is named, but for --help.
own_flags_of() { "$busbar" "$@" --help | sed -n '/^Options:/,/^$/p' | grep -oE '^ +(-[a-zA-Z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | grep -vx -- --help || true; }
