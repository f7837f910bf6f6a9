"""How far the stream of `deptool logs -f` is behind eight hosts, beside that of `ssh HOST journalctl -f`."""

import os
import select
import subprocess
import time

from .lab import Cluster, Lab, deptool, directory
from .measure import duration, table

HOSTS = [f"web{number}" for number in range(1, 9)]
LINES = 1500

UNIT = """[Service]
ExecStart=/bin/sh -c 'while :; do date +stamp-%%s.%%N-; sleep 0.2; done'
[Install]
WantedBy=multi-user.target
"""


class Delays:
    """Of each line, from the time at which its program writes it to the time at which it comes out of the commands here."""

    def __init__(self, commands, cwd):
        self.values, self.hosts = [], set()
        processes = [subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for command in commands]
        rest = {process.stdout.fileno(): b"" for process in processes}
        began = None
        try:
            while len(self.values) < LINES:
                ready, _, _ = select.select(list(rest), [], [], 60)
                now = time.time()
                assert ready, f"nothing more came after {len(self.values)} lines"
                for descriptor in ready:
                    data = os.read(descriptor, 1 << 16)
                    assert data, "a stream ended"
                    *lines, rest[descriptor] = (rest[descriptor] + data).split(b"\n")
                    for line in lines:
                        if b"stamp-" not in line:
                            continue
                        self.hosts.add(line.split()[0] if len(commands) == 1 else descriptor)
                        # All hosts are there, and what was in the journal before has come.
                        if len(self.hosts) == len(HOSTS) and began is None:
                            began = now + 1
                        if began and now > began:
                            self.values.append(now - float(line.split(b"stamp-")[1].split(b"-")[0]))
        finally:
            for process in processes:
                process.terminate()
                process.wait()
        self.values.sort()

    def at(self, part):
        return self.values[min(len(self.values) - 1, int(len(self.values) * part))]


def measure():
    with Lab(*HOSTS, packages="") as lab, directory() as path:
        cluster = Cluster(path)
        for host in HOSTS:
            app = cluster.prod / host / "talk"
            (app / "systemd").mkdir(parents=True)
            (app / "systemd/talk.service").write_text(UNIT)
            (app / "manifest.json").write_text('{"systemd": {"units_enabled": ["talk.service"]}}')
        cluster.init()
        cluster.deploy(lab.configuration)
        ssh = [["ssh", "-F", str(lab.configuration), host, "journalctl -q -f -n 0 -o cat -u talk.service"] for host in HOSTS]
        rows = []
        base = None
        for name, commands in (
            ("eight times `ssh HOST journalctl -f`", ssh),
            ("`deptool logs talk -f`", [[deptool, "logs", "--ssh-config", str(lab.configuration), "talk", "-f"]]),
        ):
            delays = Delays(commands, path)
            base = base or delays.at(0.5)
            rows.append(
                [name, duration(delays.at(0.5)), f"{delays.at(0.5) / base:.2f}", duration(delays.at(0.99)), duration(delays.values[-1])]
            )
        return table(["stream", "median", "ssh = 1", "99 of 100 lines", "worst"], rows) + f"\n{LINES:,} lines each, 40 a second.\n"
