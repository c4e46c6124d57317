# Sourced by what runs in a scratch root: looks at what programs say, and fails with it.
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin

step() { printf 'packages: %s (%s s)\n' "$*" "$SECONDS"; }
# says WHAT PATTERN TEXT
says() { grep -Eq -- "$2" <<<"$3" || fail "$1: expected $2, found: $3"; }
says_not() { ! grep -Eq -- "$2" <<<"$3" || fail "$1: did not expect $2, found: $3"; }
installed() { dpkg --force-unsafe-io -i "$@" >dpkg.log 2>&1 || fail "dpkg -i $*: $(cat dpkg.log)"; }
# The index of all man pages, after each installation: it takes long, and proves nothing.
rm -f /var/lib/man-db/auto-update
