"""Ansible, pyinfra and bundlewrap bring the same change to the same two hosts. Installs them from PyPI, so it only runs when asked for."""

import os
import sys

from .lab import Lab, directory
from .latency import scene
from .measure import Run, Sample, table

RUNS = int(os.environ.get("RUNS", "5"))
FIRST = "deploy"
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Files
      ansible.builtin.copy:
        src: prod/{{ inventory_hostname }}/nsd/
        dest: /var/lib/deptool/apps/nsd/current/
      notify: Restart
  handlers:
    - name: Restart
      ansible.builtin.systemd_service:
        name: nsd
        state: restarted
"""
PYINFRA = """
from pyinfra import host
from pyinfra.operations import files, systemd

sync = files.sync(src=f"prod/{host.name}/nsd", dest="/var/lib/deptool/apps/nsd/current")
systemd.service(service="nsd", restarted=True, _if=sync.did_change)
"""


BUNDLE = """
import os
files = {}
svc_systemd = {"nsd": {}}
for directory, _, names in os.walk(f"{repo.path}/prod/{node.name}/nsd"):
    for name in names:
        path = os.path.join(directory, name)
        with open(path) as file:
            files["/var/lib/deptool/apps/nsd/current/" + path.split("/nsd/", 1)[1]] = {
                "content": file.read(), "content_type": "text", "triggers": {"svc_systemd:nsd:restart"}
            }
"""
NODES = """
nodes = {name: {"hostname": name, "os": "debian", "os_version": (12,), "bundles": ["nsd"]} for name in ("ns1", "ns2")}
"""


def measure():
    with Lab("ns1", "ns2", packages="rsync,python3,file") as lab, directory() as path:
        Run([sys.executable, "-m", "venv", str(path / "venv")])
        Run([str(path / "venv/bin/pip"), "install", "--quiet", "ansible-core", "pyinfra", "bundlewrap"])
        near, far = at(lab, path, 0), at(lab, path, 0.1)
    rows = []
    for name in near:
        rows.append([name])
        for samples in (near, far):
            rows[-1] += [samples[name].seconds(), f"{samples[name].median / samples[FIRST].median:.2f}"]
    return table(["what", "RTT 0", "× deploy", "RTT 100 ms", "× deploy"], rows)


def at(lab, path, rtt):
    _, names, configuration = scene(lab, path, rtt, 2)
    place = names.cluster.path
    (place / "playbook.yml").write_text(PLAYBOOK)
    (place / "pyinfra_deploy.py").write_text(PYINFRA)
    (place / "bundles/nsd").mkdir(parents=True)
    (place / "bundles/nsd/items.py").write_text(BUNDLE)
    (place / "nodes.py").write_text(NODES)
    (place / "groups.py").write_text("groups = {}\n")
    (place / "requirements.txt").write_text("bundlewrap\n")
    programs = path / "venv/bin"
    environment = {
        **os.environ, "ANSIBLE_SSH_ARGS": f"-F {configuration}", "ANSIBLE_LOCALHOST_WARNING": "false", "BW_SSH_ARGS": f"-F {configuration}",
        "BW_SCP_ARGS": f"-F {configuration}"
    }
    commands = {
        "pyinfra": [programs / "pyinfra", "-y", "--data", f"ssh_config_file={configuration}", "ns1,ns2", "pyinfra_deploy.py"],
        "bundlewrap": [programs / "bw", "apply", "ns1", "ns2"],
        "Ansible": [programs / "ansible-playbook", "-i", "ns1,ns2,", "playbook.yml"],
    }
    ways = {"deploy": lambda: names.deploy(configuration), "rsync, then restart": lambda: names.rsync(configuration)}
    for name, command in commands.items():
        ways[name] = lambda command=command: Run([str(word) for word in command], place, environment).seconds
    # In turns, since the machine is not the same from minute to minute.
    seconds = {name: ([], []) for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            names.change()
            seconds[name][0].append(way())
            seconds[name][1].append(way())
    figures = {name: Sample(changed) for name, (changed, _) in seconds.items()}
    return figures | {f"{name}, nothing to do": Sample(again) for name, (_, again) in seconds.items() if name != "rsync, then restart"}
