# The hosts' root file systems: cached images, with each host's own files on top. A flavour is one function.
# shellcheck shell=bash disable=SC2154

cache=${XDG_CACHE_HOME:-$HOME/.cache}/deptool-lab
packages=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,procps,iproute2,netbase,bash,zsh,fish,busybox-static,nsd${LAB_PACKAGES:+,$LAB_PACKAGES}

# The flavours that tests boot, for `lab images`; without those of CPUs that only a release has agents for.
# shellcheck disable=SC2034  # `lab` reads it
flavours=(debian readonly var busybox aarch64 services programs podman)

image() { # [FLAVOUR]: prints the directory of the cached image, building it first if need be
  local flavour=${1:-$flavour} name lock
  [[ $(type -t "image_$flavour") == function ]] || die "no flavour '$flavour'"
  name=$cache/$suite-$({ echo "$flavour $packages"; declare -f image_debian small_root "image_$flavour"; } | sha256sum | head -c 10)
  if [[ ! -d $name ]]; then
    mkdir -p "$cache"
    exec {lock}>"$name.lock"
    flock "$lock"
    if [[ ! -d $name ]]; then
      say "building the $flavour image $name"
      build "$flavour" "$name"
    fi
    exec {lock}>&-
  fi
  echo "$name"
}

# Nothing stays behind of a build that fails or is interrupted, nor of one before that was killed. Not to be called before
# ||, which would have it go on after an error.
build() ( # FLAVOUR IMAGE
  discard "$2.tmp"
  set -m # what builds is a process group, to be ended as a whole
  "image_$1" "$2.tmp" </dev/null >"$2.log" 2>&1 &
  set +m
  # shellcheck disable=SC2064
  trap "tail -n 20 '$2.log' >&2; discard '$2.tmp'; die 'no image, see $2.log'" EXIT
  # shellcheck disable=SC2064
  trap "end_group $!; exit 1" HUP INT TERM
  wait $!
  mv -T "$2.tmp" "$2"
  trap - EXIT
)

end_group() { # PROCESS GROUP: mmdebstrap takes a moment to clean up
  local tries
  kill -- "-$1"
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 -- "-$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$1"
}

discard() { # DIRECTORY: with what is mounted below it, /proc and /dev while packages are installed
  unmount_below "$1"
  rm -rf --one-file-system "$1"
}

# Further arguments of mmdebstrap.
more=()

# A mirror that is away for a moment costs a moment, not the image.
patiently() { # DIRECTORY MMDEBSTRAP-ARGUMENT...: the last of them is the directory, too
  local pause
  for pause in 0 5 30 60; do
    sleep "$pause"
    discard "$1"
    if mmdebstrap --mode=root "${@:2}" "${more[@]}"; then return; fi
  done
  return 1
}

image_debian() { # DIRECTORY
  patiently "$1" --variant=minbase --include="$packages" --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' "$suite" "$1"
  # A container needs no login on the console and no settings of the kernel, and background jobs of the distribution disturb measurements.
  chroot "$1" systemctl --quiet mask console-getty.service container-getty@.service \
    systemd-networkd-wait-online.service systemd-modules-load.service
  chroot "$1" systemctl --quiet disable getty@.service fstrim.timer e2scrub_all.timer e2scrub_reap.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer nsd.service || true
  chroot "$1" useradd --create-home --gid users --shell /bin/bash operator
  echo 'operator ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/operator"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
  # Nothing is left to do after the update of /usr that a first boot would look for.
  touch "$1/etc/.updated" "$1/var/.updated"
  # The identity of a host is created with the host.
  rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id" "$1/etc/hostname" "$1/etc/resolv.conf"
}

# The programs of examples/web and examples/mesh, and programs that read directories of their own.
image_services() { # DIRECTORY
  packages+=,nginx-light,logrotate,wireguard-tools,wireguard-go,nftables,systemd-resolved,apparmor
  image_debian "$1"
  chroot "$1" systemctl --quiet disable systemd-resolved apparmor
}

# The programs of Manual/checks.md. None of them runs before a deploy starts it.
image_programs() { # DIRECTORY
  packages+=,nginx-light,haproxy,bind9,unbound,nftables,caddy,prometheus,postfix
  image_debian "$1"
  chroot "$1" systemctl --quiet disable nginx haproxy named unbound caddy prometheus postfix
}

# Hosts that run containers. These settings are needed since the hosts are containers themselves: no overlay file
# system on another one, /proc/sys read-only, and a kernel that limits processes by the other kind of cgroup.
image_podman() { # DIRECTORY
  packages+=,podman,crun,netavark,aardvark-dns,nftables
  image_debian "$1"
  mkdir -p "$1"/etc/containers/{containers.conf.d,systemd/container.d}
  printf '[Container]\nPodmanArgs=--cgroups=disabled\n' >"$1/etc/containers/systemd/container.d/lab.conf"
  printf '[containers]\npids_limit = 0\n' >"$1/etc/containers/containers.conf.d/lab.conf"
  printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
    >"$1/etc/containers/storage.conf"
  printf '[Service]\nType=oneshot\nExecStart=mount -o remount,rw,bind /proc/sys\n[Install]\nWantedBy=sysinit.target\n' \
    >"$1/etc/systemd/system/lab-writable-sysctl.service"
  chroot "$1" systemctl --quiet enable lab-writable-sysctl.service
  # The containers' own name server does not start without one to ask.
  echo 'nameserver 127.0.0.1' >"$1/etc/resolv.conf"
}

# In the manner of distributions whose /usr is an image: read-only, systemd, bash and coreutils, and no package manager,
# Perl or sudo.
image_readonly() { # DIRECTORY
  local debian
  debian=$(image debian)
  cp --archive --link "$debian" "$1"
  rm -rf "$1"/usr/bin/{apt*,dpkg*,perl*,python*,deb*,dash,sudo*,busybox,zsh*,fish*} "$1"/usr/lib/{apt,dpkg,python3*} "$1"/etc/sudoers.d \
    "$1"/usr/lib/*/perl* "$1"/usr/share/perl* "$1"/var/lib/{apt,dpkg} "$1"/etc/{apt,dpkg}
  ln -sf bash "$1/usr/bin/sh"
  printf '%s\n' '[Unit]' DefaultDependencies=no Before=sysinit.target \
    '[Service]' Type=oneshot 'ExecStart=mount -o bind,ro /usr /usr' >"$1/etc/systemd/system/readonly-usr.service"
  mkdir -p "$1/etc/systemd/system/sysinit.target.wants"
  ln -s ../readonly-usr.service "$1/etc/systemd/system/sysinit.target.wants"
}

# With /var as a mount of its own, as the Debian installer makes it on request: systemd reads its units before it is there.
image_var() { # DIRECTORY
  local debian
  debian=$(image debian)
  cp --archive --link "$debian" "$1"
  mkdir "$1/srv/var"
  cp --archive "$1/var/." "$1/srv/var"
  # The file of the other image, too, as long as it is linked.
  rm -rf "${1:?}"/var/* "$1/etc/fstab"
  echo '/srv/var /var none bind 0 0' >"$1/etc/fstab"
}

# Nothing but busybox, and dropbear with the libraries that it needs.
image_busybox() { small_root "$1" "$(dpkg --print-architecture)"; } # DIRECTORY

# The same for 64-bit ARM: everything in it runs under emulation.
image_aarch64() { # DIRECTORY
  emulate aarch64
  small_root "$1" arm64
}

# Debian has it from trixie on, where /bin is a symlink. Mirrors may lack the updates for such CPUs, which nothing here needs.
image_riscv64() { # DIRECTORY
  local more=("deb http://deb.debian.org/debian $suite main" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
  emulate riscv64
  small_root "$1" riscv64
}

# With hardware floating-point numbers, which the agent does without. 64-bit CPUs run it, too, and call it armv8l.
image_armv7l() { # DIRECTORY
  local more=("deb http://deb.debian.org/debian $suite main")
  emulate arm
  small_root "$1" armhf
}

small_root() { # DIRECTORY ARCHITECTURE
  patiently "$1" --variant=extract --architectures="$2" --include=busybox-static,dropbear-bin \
    --aptopt='Acquire::Retries "3"' "$suite" "$1"
  rm -rf "$1"/usr/share/{doc,man,locale,lintian} "$1"/var/lib/{apt,dpkg} "$1"/var/cache
  mkdir -p "$1"/{dev,proc,sys,run,root,sbin,tmp,usr/sbin,etc/ssh,etc/dropbear}
  chmod 1777 "$1/tmp"
  chroot "$1" /bin/busybox --install -s
  echo root:x:0:0:root:/root:/bin/sh >"$1/etc/passwd"
  echo root:x:0: >"$1/etc/group"
  echo /bin/sh >"$1/etc/shells"
  echo ID=busybox >"$1/etc/os-release" # systemd-nspawn asks for it
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
  cat >"$1/etc/inittab" <<'INIT'
::sysinit:/bin/sh -c 'cd /etc/dropbear && [ -e ed25519 ] || dropbearconvert openssh dropbear /etc/ssh/ssh_host_ed25519_key ed25519'
::respawn:/usr/sbin/dropbear -F -E -s -r /etc/dropbear/ed25519
INIT
}

# Lets the kernel run programs for another CPU, for as long as this machine is up, as the package of the emulator has it
# done where systemd runs.
emulate() { # CPU
  local formats=/proc/sys/fs/binfmt_misc
  [[ -e $formats/register ]] || mount -t binfmt_misc binfmt_misc "$formats" || [[ -e $formats/register ]]
  # Somebody else may do the same now.
  [[ -e $formats/qemu-$1 ]] || cat "/usr/lib/binfmt.d/qemu-$1.conf" >"$formats/register" || [[ -e $formats/qemu-$1 ]]
}

# Makes a disk of what an image has to be mounted as /var. Where there are no loop devices, the image's bind mount has to do.
make_disk() { # HOST-DIRECTORY
  [[ -d $1/root/srv/var ]] && losetup --find >/dev/null 2>&1 || return 0
  truncate --size=512M "$1/disk.new"
  mkfs.ext4 -q -d "$1/root/srv/var" "$1/disk.new"
  rm -rf "$1/root/srv/var"
  # Not below /dev: entries of devices are passed over in containers.
  echo '/srv/disk /var ext4 defaults 0 0' >"$1/root/etc/fstab"
  mv "$1/disk.new" "$1/disk"
}

personalize() { # ROOT NAME: what one host has of its own
  local home
  echo "$2" >"$1/etc/hostname"
  echo "127.0.1.1 $2" >>"$1/etc/hosts"
  tr -d - </proc/sys/kernel/random/uuid >"$1/etc/machine-id"
  ssh-keygen -A -f "$1" >/dev/null
  sed -i "s/ root@.*/ root@$2/" "$1"/etc/ssh/ssh_host_*.pub
  for home in root home/operator; do
    [[ -d $1/$home ]] || continue
    install -d -m 700 "$1/$home/.ssh"
    install -m 600 "$dir/key.pub" "$1/$home/.ssh/authorized_keys"
    chown -R --reference="$1/$home" "$1/$home/.ssh"
  done
}
