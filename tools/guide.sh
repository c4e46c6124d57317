#!/bin/bash
# tools/guide.sh GUIDE DIR: writes the files that a guide shows into DIR. A block of a file is fenced as ```LANGUAGE FILE;
# a file of several blocks is all of them, in their order, with an empty line between. Only what is no code has no file:
# ```text. What has not changed is not written again, so that nothing is rebuilt for it.
set -euo pipefail
guide=$1 dir=$2
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

awk -v dir="$fresh" '
  /^```[a-z]+ [^ ]+$/ {
    file = dir "/" $2
    if (file in seen) {
      print "" > file
    } else {
      folder = file
      sub("/[^/]*$", "", folder)
      system("mkdir -p \"" folder "\"")
      seen[file] = 1
    }
    next
  }
  /^```[a-z]/ && !/^```text$/ {
    print FILENAME ":" FNR ": a block of code without a file, which nobody would run" > "/dev/stderr"
    exit 1
  }
  /^```/ { file = ""; next }
  file != "" { print > file }
' "$guide"

cd "$fresh"
find . -type f | while read -r file; do
  mkdir -p "$dir/$(dirname "$file")"
  cmp -s "$file" "$dir/$file" || cp "$file" "$dir/$file"
done
