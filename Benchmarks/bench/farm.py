"""Hundreds of hosts in one: logins with a name, an /etc and a /var/lib/deptool of their own, behind a few sshds."""

import pathlib
import re

from .lab import Lab

SSHDS = 4
SHELL = """#!/bin/sh
# sshd runs this as: farm-shell -c COMMAND
exec unshare --mount sh -c 'mount --bind "/srv/$USER/etc" /etc; mount --bind "/srv/$USER/var" /var/lib/deptool; exec sh -c "$0"' "$2"
"""
SETUP = """
set -e
cat > /usr/local/bin/farm-shell
chmod +x /usr/local/bin/farm-shell
mkdir -p /var/lib/deptool
cp -a /etc /srv/etc
for i in $(seq {count}); do
    mkdir -p /srv/host$i/var
    cp -al /srv/etc /srv/host$i/etc
    rm /srv/host$i/etc/hostname /srv/host$i/etc/machine-id
    echo host$i > /srv/host$i/etc/hostname
    printf '%032x\\n' $i > /srv/host$i/etc/machine-id
    echo "host$i:*:0:0::/root:/usr/local/bin/farm-shell" >> /etc/passwd
done
for i in $(seq {sshds}); do
    systemd-run --quiet /usr/sbin/sshd -D -p $((3000 + i))
done
for i in $(seq {sshds}); do
    until ss -Htln | grep -q ":$((3000 + i)) "; do sleep 0.1; done
done
"""


class Farm(Lab):
    def __init__(self, count):
        super().__init__("farm")
        self.count = count

    def __enter__(self):
        super().__enter__()
        (self.root("farm") / "root/farm-shell").write_text(SHELL)
        self.run("farm", f"exec < /root/farm-shell\n{SETUP.format(count=self.count, sshds=SSHDS)}")
        text = self.configuration.read_text()
        address = self.addresses["farm"]
        hosts = "".join(
            f"Host host{i}\n  User host{i}\n  Port {3001 + i % SSHDS}\n  HostKeyAlias {address}\n" for i in range(1, self.count + 1)
        )
        self.configuration = self.work / "farm_config"
        self.configuration.write_text(hosts + re.sub(r"Host farm\n", "Host farm host*\n", text))
        return self


def busy():
    """Seconds of CPU that the whole machine has spent on anything."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:8]]
    user, nice, system, _, _, irq, softirq = fields
    return (user + nice + system + irq + softirq) / 100
