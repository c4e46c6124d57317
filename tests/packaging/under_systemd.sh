#!/usr/bin/env bash
# Run by packages.sh as process 1 of a root directory of its own: becomes a real systemd there, which runs this again with
# `asked`, to see what the package's unit does: install, start, reload, stop, and start again what has crashed, stands
# still or is upgraded.
set -euo pipefail
cd /tmp
. ./said.bash

# Nothing but what is asked for: not what this machine's own systemd would set, mount or start.
become_systemd() {
  sleep infinity &  # keeps our output, which systemd closes
  rm -rf /{lib,etc}/systemd/system/*.target.wants /usr/sbin/policy-rc.d
  cat >/etc/systemd/system/asked.service <<END
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
WorkingDirectory=/tmp
ExecStart=/bin/bash /tmp/under_systemd.sh asked /proc/$!/fd/1
END
  exec env container=busbar-test /lib/systemd/systemd --system --unit=asked.service --log-target=journal --show-status=no
}

fail() {
  echo "packages: $*" >&2
  journalctl --unit busbar --no-pager --lines 50 | sed 's/^/  journal: /' >&2
  exit 1
}
shown() { systemctl show --property "$1" --value busbar; }
journal() { journalctl --unit busbar --no-pager --output cat; }
greeting() { busbar --json call greet '{"name": "you"}'; }
# eventually WHAT COMMAND...
eventually() {
  for _ in $(seq 600); do
    if "${@:2}" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  fail "$1: not in time"
}
serves_as_another_than() { [[ $(shown MainPID) != "$1" ]] && systemctl --quiet is-active busbar && greeting; }
# changes SECTION KEY VALUE: of the configuration.
changes() { sed -i "/^\[$1\]\$/a $2 = $3" $configuration; }
# drop_in LINES: to the unit, in place of those before; and as often as this starts it is no crash.
drop_in() {
  mkdir -p /etc/systemd/system/busbar.service.d
  printf '%s\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' "$@" >/etc/systemd/system/busbar.service.d/test.conf
  systemctl daemon-reload
}
calls_run() { busbar --json status | grep -Eq '"running": *1'; }
config_has() { busbar config show | grep -Eq -- "$1"; }
journal_has() { journal | grep -Eq -- "$1"; }

plugins=/var/lib/busbar/plugins
configuration=/etc/busbar/busbar.toml

it_is_started_when_installed() {
  installed "$PWD"/packages/busbar_*.deb
  [[ $(shown ActiveState) == active ]] || fail "the service is $(shown ActiveState), $(shown Result)"
  says "its text" '^serving 0 services' "$(shown StatusText)"
  eventually "a line in the journal" journal_has 'info +host: ready'
  says_not "the journal, which has the time itself" '20[0-9][0-9]-[0-9][0-9]-.*host: ready' "$(journal)"
}

it_is_kept_in_bounds() {
  local status
  status=$(cat "/proc/$(shown MainPID)/status")
  says "its user" "^Uid:\s$(id -u busbar)\s" "$status"
  says "its calls of the kernel" '^Seccomp:\s2' "$status"
  says "new privileges" '^NoNewPrivs:\s1' "$status"
  says "its capabilities" '^CapBnd:\s0+$' "$status"
}

it_serves_plugins() {
  install plugins/greeter.so plugins/behaviours.so $plugins
  busbar rescan >/dev/null
  says "a call" '"Hello, you!"' "$(greeting)"
  says "what the doctor finds, asked by root" '^0 problems' "$(busbar doctor || true)"
  says "and by the host's user" '^0 problems' "$(runuser -u busbar -- busbar doctor || true)"
}

# The thread that answers Prometheus goes last, which the unit allows.
it_is_restarted_with_what_needs_that() {
  drop_in
  changes http listen '"127.0.0.1:0"'
  changes log file '"/var/log/busbar/host.log"'
  systemctl restart busbar || fail "it was not restarted"
  says "its threads" '^ *10  *B  *busbar-http' "$(ps -L -o ni=,cls=,comm= -p "$(shown MainPID)")"
  eventually "a line in its log" grep -q 'host: ready' /var/log/busbar/host.log
}

it_is_reloaded() {
  mv /var/log/busbar/host.log /var/log/busbar/host.log.1
  changes log level '"debug"'
  systemctl reload busbar || fail "it was not reloaded"
  eventually "a log file of the old name" test -s /var/log/busbar/host.log
  eventually "its new configuration" config_has '^log.level +"debug"'
}

it_is_started_again_when_it_crashes() {
  local before
  before=$(shown MainPID)
  kill -KILL "$before"
  eventually "a start after it was killed" serves_as_another_than "$before"
}

it_is_started_again_when_it_stands_still() {
  local before
  drop_in WatchdogSec=2s TimeoutAbortSec=2s
  systemctl restart busbar
  before=$(shown MainPID)
  kill -STOP "$before"
  eventually "a start after it stood still" serves_as_another_than "$before"
  says "why" 'Watchdog timeout' "$(journalctl --unit busbar --no-pager)"
  drop_in
}

# The host asks for more time than the unit gives, as shutdown.timeout says.
it_ends_what_it_has_begun_when_stopped() {
  changes shutdown timeout '"30s"'
  drop_in TimeoutStopSec=3s
  systemctl restart busbar
  busbar --json call sleeps '{"ms": 8000}' --timeout 20000 >sleeps.log 2>&1 &
  local call=$!
  eventually "a call" calls_run
  systemctl stop busbar
  wait $call || fail "a call was not answered: $(cat sleeps.log)"
  [[ $(shown Result) == success ]] || fail "the stop ended with $(shown Result)"
}

it_is_not_started_again_with_a_wrong_configuration() {
  cp $configuration good.toml
  changes pool thread 4
  if systemctl start busbar; then fail "it was started with a wrong configuration"; fi
  [[ $(shown ActiveState) == failed && $(shown ExecMainStatus) == 2 ]] ||
    fail "it is $(shown ActiveState), with status $(shown ExecMainStatus)"
  eventually "its fault in the journal" journal_has 'unknown key "thread" in \[pool\]'
  cp good.toml $configuration
  systemctl start busbar
}

it_is_restarted_when_upgraded() {
  local before
  before=$(shown MainPID)
  installed "$PWD"/packages/busbar_*.deb
  serves_as_another_than "$before" >/dev/null || fail "it was not restarted"
}

it_is_stopped_when_removed() {
  dpkg -r busbar >dpkg.log 2>&1 || fail "dpkg -r: $(cat dpkg.log)"
  [[ $(shown ActiveState) != active && ! -e /run/busbar ]] || fail "it goes on"
  dpkg -P busbar >dpkg.log 2>&1 || fail "dpkg -P: $(cat dpkg.log)"
  [[ ! -e /var/log/busbar ]] || fail "left $(ls /var/log/busbar)"
}

if [[ ${1:-} != asked ]]; then become_systemd; fi
exec >>"$2" 2>&1
for each in it_is_started_when_installed it_is_kept_in_bounds it_serves_plugins it_is_restarted_with_what_needs_that \
  it_is_reloaded it_is_started_again_when_it_crashes it_is_started_again_when_it_stands_still \
  it_ends_what_it_has_begun_when_stopped it_is_not_started_again_with_a_wrong_configuration \
  it_is_restarted_when_upgraded it_is_stopped_when_removed; do
  step "${each//_/ }"
  $each
done
step "all of it works"
