#!/usr/bin/env bash
# scratch_root.sh DIRECTORY SCRIPT: run by packages.sh with mounts of its own. Runs DIRECTORY/SCRIPT as root of a root
# directory that has this machine's files and, in /tmp, what is in DIRECTORY. What is changed there is changed in memory.
# SCRIPT has process number 1, a network with nothing but loopback, and a control group of its own. All of it is gone
# with it, the processes that it leaves included.
set -euo pipefail
directory=$1 script=$2

mkdir "$directory/memory"
mount -t tmpfs tmpfs "$directory/memory"
cd "$directory/memory"
mkdir upper work root groups
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/run
mount -t tmpfs tmpfs root/tmp
find "$directory" -mindepth 1 -maxdepth 1 ! -name memory -exec cp -r -t root/tmp {} +

mount -t cgroup2 cgroup2 groups
group=groups/busbar-packages.$$
mkdir "$group"
leave_group() {
  echo $$ >groups/cgroup.procs
  find "$group" -depth -type d -exec rmdir {} +
}
trap leave_group EXIT
echo $$ >"$group/cgroup.procs"

# The name of a group is seen from within as the root of all groups.
unshare --pid --fork --kill-child --net --cgroup bash -euo pipefail -c '
  mount -t proc proc root/proc
  mount -t sysfs sysfs root/sys
  mount -t cgroup2 cgroup2 root/sys/fs/cgroup
  ip link set lo up
  exec chroot root bash "/tmp/$0"
' "$script"
