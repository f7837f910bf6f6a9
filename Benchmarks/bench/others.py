"""Ansible and pyinfra bring the same change to the same two hosts. Installs both from PyPI, so it only runs when asked for."""

import os
import sys

from .lab import Lab, directory
from .latency import scene
from .measure import Run, repeat, table

RUNS = 5
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


def measure():
    with Lab("ns1", "ns2", packages="rsync,python3") as lab, directory() as path:
        Run([sys.executable, "-m", "venv", str(path / "venv")])
        Run([str(path / "venv/bin/pip"), "install", "--quiet", "ansible-core", "pyinfra"])
        rows = {}
        for rtt in (0, 0.1):
            for name, sample in at(lab, path, rtt).items():
                rows.setdefault(name, [name]).append(sample.seconds())
    return table(["what", "RTT 0", "RTT 100 ms"], rows.values())


def at(lab, path, rtt):
    _, names, configuration = scene(lab, path, rtt, 2)
    place = names.cluster.path
    (place / "playbook.yml").write_text(PLAYBOOK)
    (place / "pyinfra_deploy.py").write_text(PYINFRA)
    programs = path / "venv/bin"
    environment = {**os.environ, "ANSIBLE_SSH_ARGS": f"-F {configuration}", "ANSIBLE_LOCALHOST_WARNING": "false"}
    pyinfra = [programs / "pyinfra", "-y", "--data", f"ssh_config_file={configuration}", "ns1,ns2", "pyinfra_deploy.py"]
    ansible = [programs / "ansible-playbook", "-i", "ns1,ns2,", "playbook.yml"]

    def of(command):
        return lambda: Run([str(word) for word in command], place, environment).seconds

    figures = {
        "deploy, cold": repeat(RUNS, lambda: names.deploy(configuration), names.change),
        "pyinfra": repeat(RUNS, of(pyinfra), names.change),
        "Ansible": repeat(RUNS, of(ansible), names.change),
    }
    names.change()
    figures["deploy, nothing to do"] = repeat(RUNS, lambda: names.deploy(configuration), lambda: names.deploy(configuration))
    figures["pyinfra, nothing to do"] = repeat(RUNS, of(pyinfra), of(pyinfra))
    figures["Ansible, nothing to do"] = repeat(RUNS, of(ansible), of(ansible))
    return figures
