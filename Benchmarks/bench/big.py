"""A file of 1 GB to one host, beside what scp, tar and rsync take for it."""

import os
import pathlib
import threading
import time

from .lab import Cluster, Lab, Link, directory
from .measure import Run, Sample, duration, repeat, size, table

GIGABYTE = 1 << 30
RUNS = 5


def make_file(path):
    with open(path, "wb") as file:
        for _ in range(GIGABYTE >> 20):
            file.write(os.urandom(1 << 20))


def alter(path):
    """Some other bytes, and some more or less of them."""
    with open(path, "r+b") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(GIGABYTE + int.from_bytes(os.urandom(2)))


class AgentMemory:
    """The peak of what an agent keeps resident, in bytes, while this is open. The hosts' processes are this machine's, too."""

    def __init__(self, interval=0.5):
        self.interval = interval

    def __enter__(self):
        self.peak, self.ended = 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()

    def _watch(self):
        while not self.ended.wait(self.interval):
            for process in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    if (process / "cmdline").read_bytes().startswith(b"/var/lib/deptool/bin/"):
                        for line in (process / "status").read_text().splitlines():
                            if line.startswith("VmHWM:"):
                                self.peak = max(self.peak, int(line.split()[1]) * 1024)
                except OSError:
                    pass


def measure():
    with Lab("big1") as lab, directory() as path:
        return in_lab(lab, path)


def in_lab(lab, path):
    cluster = Cluster(path)
    app = cluster.prod / "big1/app"
    app.mkdir(parents=True)
    artifact = app / "artifact"
    (app / "setting").write_text("1\n")
    cluster.init()
    cluster.deploy(lab.configuration)
    remote = f"ssh -F {lab.configuration} big1"
    make_file(artifact)
    memory = {}

    def deploy(name, *options):
        with AgentMemory() as agent:
            run = cluster.deploy(lab.configuration, *options)
        memory.setdefault(name, []).append((run.memory, agent.peak))
        return run.seconds

    ways = {
        "`scp`": lambda _: Run(f"scp -q -F {lab.configuration} {artifact} big1:/srv/copy/artifact").seconds,
        "tar over ssh": lambda _: Run(f"tar -C {app} -c artifact | {remote} tar -C /srv/copy -x").seconds,
        "rsync": lambda _: Run(f"rsync --archive --rsh 'ssh -F {lab.configuration}' {artifact} big1:/srv/copy/").seconds,
        "deploy": deploy,
        "deploy with `--transport openssh`": lambda name: deploy(name, "--transport", "openssh"),
    }
    # In turns, each after the same: what a GB costs in memory that is new to this machine changes while it is measured.
    plans, seconds = [], {name: [] for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            alter(artifact)
            plans.append(cluster.plan().seconds)
            Run(f"{remote} 'rm -rf /srv/copy; mkdir -p /srv/copy'")
            Run("sync")
            seconds[name].append(way(name))
    samples = {name: Sample(values) for name, values in seconds.items()}
    rows = []

    def row(name, sample):
        peaks = [size(max(peak)) for peak in zip(*memory.get(name, []))]
        rows.append([name, sample.seconds(), f"{samples['`scp`'].median / sample.median:.2f}", *(peaks or ["", ""])])

    for name, sample in samples.items():
        row(name, sample)
    row("plan: read, hashed, and kept in the store", Sample(plans))
    number = iter(range(2, 100))
    change = lambda: (app / "setting").write_text(f"{next(number)}\n")
    row("deploy of a line beside it", repeat(RUNS, lambda: cluster.deploy(lab.configuration).seconds, change))
    row("deploy, nothing to do", repeat(RUNS, lambda: cluster.deploy(lab.configuration).seconds))
    text = table(["1 GB to one host", "median", "`scp` = 1", "memory here", "memory of the agent"], rows)
    return text + "\n" + resumed(lab, cluster, artifact)


def resumed(lab, cluster, artifact):
    """A connection that is cut half-way, and what the next deploy sends."""
    make_file(artifact)
    link = Link(lab.addresses, 0)
    configuration = lab.through(link, "cut")
    link.limit = GIGABYTE // 2
    Run(["sh", "-c", f"! {' '.join(cluster.command(configuration))}"], cluster.path)
    link.limit = None
    # The host has to see the end of the connection first.
    time.sleep(2)
    link.reset()
    again = cluster.deploy(configuration)
    sent = sum(connection.sent for every in link.connections.values() for connection in every)
    return f"Cut after {size(GIGABYTE // 2)}, the next deploy sent {size(sent)} and took {duration(again.seconds)}.\n"
