#!/usr/bin/env python3
"""Writes the config tree from the inventory: on each host that does dns, a name server that knows all hosts."""
import json
import shutil
from pathlib import Path
from typing import NamedTuple

here = Path(__file__).parent


class Host(NamedTuple):
    name: str
    address: str
    roles: list[str]


def inventory() -> list[Host]:
    lines = (line.split("#")[0].split() for line in (here / "inventory").read_text().splitlines())
    return [Host(name, address, roles) for name, address, *roles in filter(None, lines)]


def nsd_conf(host: Host) -> str:
    return f"""\
server:
    identity: "{host.name}"
    server-count: 1
    zonesdir: "/var/lib/deptool/apps/nsd/current"
    log-only-syslog: yes
    username: ""
    pidfile: ""
    database: ""
    xfrdfile: ""
    xfrdir: "/run/nsd"
    zonelistfile: "/run/nsd/zone.list"
remote-control:
    control-enable: no
zone:
    name: "home.arpa"
    zonefile: "home.arpa.zone"
"""


def zone(hosts: list[Host]) -> str:
    lines = ["@ 300 IN SOA ns1 hostmaster 1 14400 3600 1209600 300"]
    for host in hosts:
        if "dns" in host.roles:
            lines.append(f"@ 300 IN NS {host.name}")
        lines.append(f"{host.name} 300 IN A {host.address}")
    return "\n".join(lines) + "\n"


hosts = inventory()
files = {}
for host in hosts:
    if "dns" in host.roles:
        app = f"{host.name}/nsd"
        files[f"{app}/manifest.json"] = json.dumps({"systemd": {"units_enabled": ["nsd.service"]}}) + "\n"
        files[f"{app}/systemd/nsd.service"] = (here / "nsd.service").read_text()
        files[f"{app}/nsd.conf"] = nsd_conf(host)
        files[f"{app}/home.arpa.zone"] = zone(hosts)

# A new tree replaces the old one when it is complete, without hosts removed from the inventory.
new = here / "prod.new"
shutil.rmtree(new, ignore_errors=True)
for path, text in files.items():
    (new / path).parent.mkdir(parents=True, exist_ok=True)
    (new / path).write_text(text)
shutil.rmtree(here / "prod", ignore_errors=True)
new.rename(here / "prod")
