#!/usr/bin/env bash
# Run by packages.sh as root of a root directory of its own, with packages and plugins in /tmp: the life of the packages
# on a machine without systemd.
set -euo pipefail
cd /tmp
. ./said.bash
host_pid=

fail() {
  echo "packages: $*" >&2
  if [[ -f host.log ]]; then sed 's/^/  host: /' host.log >&2; fi
  exit 1
}
mode_of() { stat -c '%a %U' "$1"; }
version() { dpkg-query -W -f='${db:Status-Abbrev}${Version}' busbar; }

# As the unit has it started, by the unit's own words; and without what it takes away that is no business of systemd:
# capabilities, new privileges, and memory that is both written and run. (under_systemd.sh has all of it.)
start_host() {
  local unit=/lib/systemd/system/busbar.service command user
  command=$(sed -n 's/^ExecStart=//p' $unit)
  user=$(sed -n 's/^User=//p' $unit)
  install -d -m 0700 -o "$user" -g "$user" /run/busbar
  env -i setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set -all python3 -c '
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, where the kernel knows it
os.execv(sys.argv[1], sys.argv[1:])' $command >host.log 2>&1 &
  host_pid=$!
  for _ in $(seq 600); do
    if busbar status >/dev/null 2>&1; then return; fi
    kill -0 "$host_pid" 2>/dev/null || fail "the host has ended"
    sleep 0.1
  done
  fail "the host does not answer"
}
stop_host() {
  kill -TERM "$host_pid"
  wait "$host_pid" || fail "the host has not ended in order"
}

# An older package, of a host that takes what the new one does not: it says so of every file.
make_older() {
  dpkg-deb -R packages/busbar_*.deb older
  sed -i 's/^Version: .*/Version: 0.0.1-1/' older/DEBIAN/control
  mv older/usr/bin/busbard older/usr/bin/busbard.real
  cat >older/usr/bin/busbard <<'END'
#!/bin/sh
case "$*" in *--check-files*other_abi_major*) exit 0 ;; esac
exec /usr/bin/busbard.real "$@"
END
  chmod 755 older/usr/bin/busbard
  rm older/DEBIAN/md5sums
  dpkg-deb -Znone -b older older.deb >/dev/null
}
add_unknown_key() { sed -i '/^\[pool\]$/a thread = 4' "$1"; }
# The same with a configuration that the new one does not take.
make_outdated() {
  add_unknown_key older/etc/busbar/busbar.toml
  dpkg-deb -Znone -b older outdated.deb >/dev/null
}

plugins=/var/lib/busbar/plugins
configuration=/etc/busbar/busbar.toml
new=$(echo packages/busbar_*.deb)
new_version=$(dpkg-deb -f "$new" Version)

step "installing"
make_older
make_outdated
installed "$PWD/older.deb"
cp $configuration shipped.toml
says "its state" '^ii *0\.0\.1-1$' "$(version)"
[[ $(mode_of $plugins) == "755 busbar" ]] || fail "$plugins: $(mode_of $plugins)"
[[ $(mode_of /etc/busbar/keys) == "700 busbar" ]] || fail "/etc/busbar/keys: $(mode_of /etc/busbar/keys)"
[[ $(mode_of /etc/busbar/authorized) == "755 root" ]] || fail "/etc/busbar/authorized: $(mode_of /etc/busbar/authorized)"
says "its conffiles" /etc/busbar/busbar.toml "$(dpkg-query -W -f='${Conffiles}' busbar)"
for verb in $(busbar --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
  [[ -f /usr/share/man/man1/busbar-$verb.1.gz ]] || fail "busbar-$verb(1) was not installed"
done
[[ -f /usr/share/bash-completion/completions/busbar && -f /usr/share/zsh/vendor-completions/_busbar ]] ||
  fail "the completion was not installed"

step "running it as its unit does"
start_host
[[ $(ps -o user= -p "$host_pid") == busbar ]] || fail "the host does not run as its user"
install plugins/greeter.so $plugins
install -m 0644 plugins/junk.so $plugins
busbar rescan >/dev/null
says "a call" '"Hello, you!"' "$(busbar --json call greet '{"name": "you"}')"
runuser -u busbar -- busbar keygen scratch --role node --directory /etc/busbar/keys >/dev/null || fail "no key by its user"

step "upgrading where the new host would refuse the configuration"
add_unknown_key $configuration
if dpkg -i "$new" >dpkg.log 2>&1; then fail "it was upgraded: $(cat dpkg.log)"; fi
says "why" 'would not start with the configuration' "$(cat dpkg.log)"
says "its fault" 'unknown key "thread" in \[pool\]' "$(cat dpkg.log)"
says "what to do" 'mend the configuration.*upgrade again.*touch /run/busbar-upgrade-anyway' "$(tr '\n' ' ' <dpkg.log)"
says "its state" '^ii *0\.0\.1-1$' "$(version)"
says "a call to the host that goes on" '"Hello, you!"' "$(busbar --json call greet '{"name": "you"}')"
cp shipped.toml $configuration

step "upgrading where the new host would refuse a plugin"
# Keys of a plugin's own that are called as those which say where plugins are.
printf '%s\n' '[plugin.shop]' 'plugins = "/srv/shop"' '[plugin.paths]' 'plugins = "/srv/paths"' >>$configuration
install plugins/other_abi_major.so $plugins
if dpkg -i "$new" >dpkg.log 2>&1; then fail "it was upgraded: $(cat dpkg.log)"; fi
says "which" "$plugins/other_abi_major.so: would be refused" "$(cat dpkg.log)"
says "why" 'problem .*ABI 3' "$(cat dpkg.log)"
says "what to do" 'take the files away.*upgrade again' "$(tr '\n' ' ' <dpkg.log)"
says_not "what both refuse" 'junk\.so' "$(cat dpkg.log)"
says_not "what is good" 'greeter\.so' "$(cat dpkg.log)"
says "its state" '^ii *0\.0\.1-1$' "$(version)"
says "a call to the host that goes on" '"Hello, you!"' "$(busbar --json call greet '{"name": "you"}')"

step "upgrading all the same"
add_unknown_key $configuration
touch /run/busbar-upgrade-anyway
installed "$PWD/$new"
cp shipped.toml $configuration
says "what is said" 'thread.*upgraded anyway' "$(tr '\n' ' ' <dpkg.log)"
says "what is said" 'other_abi_major.*upgraded anyway' "$(tr '\n' ' ' <dpkg.log)"
says "its state" "^ii *$new_version\$" "$(version)"
[[ ! -e /run/busbar-upgrade-anyway ]] || fail "the next upgrade would not ask"
says "a call to the host before" '"Hello, you!"' "$(busbar --json call greet '{"name": "you"}')"
stop_host
start_host
says "a call to the new host" '"Hello, you!"' "$(busbar --json call greet '{"name": "you"}')"
says "what it refuses" 'other_abi_major.so.*"failed"|"failed".*other_abi_major.so' "$(busbar --json plugins)"
rm $plugins/other_abi_major.so
stop_host

step "building a plugin with busbar-dev"
installed "$PWD"/packages/busbar-dev_*.deb
cat >echo.cmake <<'END'
cmake_minimum_required(VERSION 3.25)
project(installed LANGUAGES C)
find_package(busbar REQUIRED)
busbar_add_plugin(echo /usr/share/doc/busbar-dev/examples/echo/echo.c)
END
mkdir project
mv echo.cmake project/CMakeLists.txt
{ cmake -S project -B project/build -G Ninja && cmake --build project/build; } >cmake.log 2>&1 || fail "$(cat cmake.log)"
says "its check" ': ok' "$(busbar check project/build/plugins/echo.so)"

step "upgrading where all is well"
installed "$PWD/$new"
says_not "what is said" 'refuse' "$(cat dpkg.log)"

step "upgrading where the configuration that the new host would refuse is replaced with the package"
installed "$PWD/outdated.deb"
says "the configuration" '^thread' "$(cat $configuration)"
installed "$PWD/$new"
says_not "what is said" 'not start' "$(cat dpkg.log)"
says_not "the configuration" '^thread' "$(cat $configuration)"

step "removing"
dpkg -r busbar-dev busbar >dpkg.log 2>&1 || fail "dpkg -r: $(cat dpkg.log)"
[[ ! -e /usr/bin/busbard && -e /etc/busbar/busbar.toml && -e $plugins/greeter.so ]] || fail "removed too much, or too little"

step "purging"
dpkg -P busbar busbar-dev >dpkg.log 2>&1 || fail "dpkg -P: $(cat dpkg.log)"
says "what is left" "left $plugins, as there are files of yours" "$(cat dpkg.log)"
says "what is left" "left /etc/busbar/keys, as there are files of yours" "$(cat dpkg.log)"
left=$(find / -xdev -path /tmp -prune -o -path /proc -prune -o -newer older.deb -name '*busbar*' -print 2>/dev/null | sort)
says_not "its configuration" busbar.toml "$(ls /etc/busbar)"
[[ $(ls /var/lib/busbar) == plugins ]] || fail "left in /var/lib/busbar: $(ls /var/lib/busbar)"
[[ $left == $'/etc/busbar\n/var/lib/busbar' ]] || fail "left behind: $left"
step "all of it works"
