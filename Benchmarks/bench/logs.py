"""How far the stream of `deptool logs -f` of eight hosts is behind the hosts' own `journalctl -f`, beside eight of those over ssh."""

import os
import select
import subprocess
import time

from .lab import Cluster, Lab, deptool, directory, top
from .measure import Sample, duration, table

HOSTS = [f"web{number}" for number in range(1, 9)]
LINES = 1500

UNIT = """[Service]
ExecStart=/bin/sh -c 'while :; do date +stamp-%%s.%%N-; sleep 0.2; done'
[Install]
WantedBy=multi-user.target
"""
FOLLOW = ["journalctl", "-q", "-f", "-n", "0", "-o", "cat", "-u", "talk.service"]


def arrivals(streams, cwd):
    """When each line came out of each stream, by the time at which its program wrote it, which no two lines share. A stream is the
    output of several commands."""
    sources = {}
    processes = []
    for stream, commands in enumerate(streams):
        for command in commands:
            processes.append(subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            sources[processes[-1].stdout.fileno()] = [stream, b""]
    seen = [{} for _ in streams]
    try:
        while len(set.intersection(*(set(lines) for lines in seen))) < LINES:
            ready, _, _ = select.select(list(sources), [], [], 60)
            now = time.time()
            assert ready, "nothing more came"
            for descriptor in ready:
                source = sources[descriptor]
                data = os.read(descriptor, 1 << 16)
                assert data, "a stream ended"
                *lines, source[1] = (source[1] + data).split(b"\n")
                for line in lines:
                    if b"stamp-" in line:
                        seen[source[0]].setdefault(float(line.split(b"stamp-")[1].split(b"-")[0]), now)
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    return seen


def high(sample):
    return sample.values[len(sample.values) * 99 // 100]


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
        seen = arrivals(
            [
                [[top / "Lab/lab", "exec", lab.path, host, *FOLLOW] for host in HOSTS],
                [["ssh", "-F", lab.configuration, host, *FOLLOW] for host in HOSTS],
                [[deptool, "logs", "--ssh-config", lab.configuration, "talk", "-f", "-n", "0"]],
            ],
            path,
        )
        common = set.intersection(*(set(lines) for lines in seen))
        rows = []
        for name, lines in zip(("`journalctl -f` on each host", "`ssh HOST journalctl -f` to each", "`deptool logs talk -f -n 0`"), seen):
            delay = Sample([lines[stamp] - stamp for stamp in common])
            behind = Sample([lines[stamp] - seen[0][stamp] for stamp in common])
            rows.append([name] + [duration(abs(value)) for sample in (delay, behind) for value in (sample.median, high(sample), sample.values[-1])])
        header = ["stream", "behind the program, median", "99 of 100", "worst", "behind the host's `journalctl -f`, median", "99 of 100", "worst"]
        return table(header, rows) + f"\n{len(common):,} lines, 40 a second.\n"
