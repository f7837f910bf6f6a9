# The resources of a host on this machine besides disk: addresses, an interface, a network namespace, a cgroup.
# shellcheck shell=bash

# A host holds a slot, a number unique on this machine from which the names of all these derive. The slot is a symlink
# to the host's directory: taken atomically, and dangling if that was deleted.
slots=/run/deptool-lab

# The hierarchies that systemd tracks processes in. The first is the unified one, the one that can kill and freeze;
# a machine that mounts it beside cgroup v1 may also have a named v1 hierarchy.
hierarchies() {
  awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts
  awk '$3 == "cgroup" && $4 ~ /name=systemd/ { print $2; exit }' /proc/self/mounts
}

locked() { # COMMAND...: one at a time on this machine; for short sections only
  local lock
  mkdir -p "$slots"
  exec {lock}>"$slots/lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

slot_of() { # HOST-DIRECTORY
  local link
  for link in "$slots"/[0-9]*; do
    [[ $(readlink "$link") != "$1" ]] || { basename "$link"; return; }
  done
  return 1
}

claim_slot() { # HOST-DIRECTORY
  local slot link
  for link in "$slots"/[0-9]*; do
    [[ -e $link ]] || release_slot "$(basename "$link")"
  done
  for ((slot = 0; slot < 16384; slot++)); do
    # A machine that is a lab's host itself, or has such a network of its own, keeps it.
    [[ -z $(ip -4 route show exact "$(address "$slot" 0)/30") ]] || continue
    # A process with another /run and the same kernel, in a chroot for example, sees our cgroups and not our slots.
    mkdir "$(cgroup "$slot")" 2>/dev/null || continue
    ! ln -sT "$1" "$slots/$slot" 2>/dev/null || return 0
    rmdir "$(cgroup "$slot")"
  done
  die "no address left in 10.213.0.0/16"
}

release_slot() { # SLOT
  power_off "$1"
  ip link delete "ve-lab$1" 2>/dev/null || true
  rm -f "$slots/$1"
}

address() { # SLOT 0|1|2: the network, this machine's and the host's end of it, a /30
  echo "10.213.$(($1 / 64)).$(($1 % 64 * 4 + $2))"
}

# The same of a /64: SLOT 1|2. Without a zero that the short form would leave out.
address6() { printf 'fd10:213:0:%x::%d\n' $(($1 + 1)) "$2"; }

cgroup() { echo "$(hierarchies | head -n 1)/deptool-lab-$1"; } # SLOT

running() { grep -qs '^populated 1' "$(cgroup "$1")/host/cgroup.events"; } # SLOT

# Two groups in the host's: `host` for the container, `supervisor` for what acts for it on this machine. Processes may
# not live beside groups that get controllers.
make_cgroups() { # SLOT
  local root controller
  for root in $(hierarchies); do mkdir -p "$root/deptool-lab-$1/"{supervisor,host}; done
  for controller in $(<"$(cgroup "$1")/cgroup.controllers"); do
    echo "+$controller" >"$(cgroup "$1")/cgroup.subtree_control" 2>/dev/null || true
  done
}

join_cgroup() { # SLOT supervisor|host
  local root
  for root in $(hierarchies); do echo "$BASHPID" >"$root/deptool-lab-$1/$2/cgroup.procs"; done
}

# The host's init: the one process in its cgroup that is pid 1 exactly one pid namespace below ours.
leader_of() { # SLOT
  local depth pids
  depth=$(($(grep '^NSpid:' /proc/self/status | wc -w) - 1))
  # Processes that end meanwhile make these commands fail, and do not matter.
  pids=$(find "$(cgroup "$1")" -name cgroup.procs -exec cat {} + 2>/dev/null) || true
  # shellcheck disable=SC2046,SC2086
  pids=$(grep -lsE "^NSpid:([[:space:]]+[0-9]+){$depth}[[:space:]]+1\$" $(printf '/proc/%s/status ' $pids)) || true
  [[ -n $pids ]] || return 1
  cut -d / -f 3 <<<"$pids"
}

# Also ends processes that work for the host here, such as a `lab up` that waits for it.
power_off() { # SLOT
  local group leader root tries
  group=$(cgroup "$1")
  [[ -d $group ]] || return 0
  # All of the host in one go, as when power goes: were it init first, the others would see it die and act on that.
  # systemd-nspawn lives on, to clean up after itself.
  if leader=$(leader_of "$1"); then
    { echo 1 >"$group/host/payload/cgroup.kill" || kill -KILL "$leader" || true; } 2>/dev/null
    echo 0 >"$group/cgroup.freeze"
    for ((tries = 0; tries < 100; tries++)); do
      running "$1" || break
      sleep 0.02
    done
  fi
  # `claim_slot` makes the group, finds the slot taken, and removes it again.
  { echo 1 >"$group/cgroup.kill"; } 2>/dev/null || [[ ! -d $group ]]
  for ((tries = 0; tries < 500; tries++)); do
    grep -qs '^populated 1' "$group/cgroup.events" || break
    sleep 0.02
  done
  for root in $(hierarchies); do
    find "$root/deptool-lab-$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf --one-file-system "/run/systemd/nspawn/propagate/lab$1"
}

# The host's network namespace outlives its processes, so that its interface is there before it boots. Each boot gets
# a fresh one, as a booting kernel has no connections; moving the interface over keeps the route to it in place.
connect() { # HOST-DIRECTORY SLOT
  local next=$1/netns.next
  [[ -e $1/netns ]] || touch "$1/netns"
  touch "$next"
  unshare --net="$next" true
  if ip link show "ve-lab$2" >/dev/null 2>&1; then
    nsenter --net="$1/netns" ip link set host0 netns "$next"
  else
    ip link add "ve-lab$2" type veth peer name host0 netns "$next"
    ip address add "$(address "$2" 1)/30" dev "ve-lab$2"
    ip address add "$(address6 "$2" 1)/64" dev "ve-lab$2" nodad
    ip link set "ve-lab$2" up
  fi
  nsenter --net="$next" ip address add "$(address "$2" 2)/30" dev host0
  nsenter --net="$next" ip address add "$(address6 "$2" 2)/64" dev host0 nodad
  nsenter --net="$next" ip link set host0 up
  nsenter --net="$next" ip link set lo up
  ! mountpoint -q "$1/netns" || umount "$1/netns"
  mount --bind "$next" "$1/netns"
  umount "$next"
  rm "$next"
}
