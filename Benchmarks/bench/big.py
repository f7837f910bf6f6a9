"""A file of 1 GB to one host, beside what scp, tar and rsync take for it."""

import os
import pathlib
import threading
import time

from .lab import Cluster, Lab, Link, directory
from .measure import Run, Sample, duration, repeat, size, table

GIGABYTE = 1 << 30
RUNS = 3


def make_file(path):
    """Other bytes each time, and some more or less of them, none of which compress."""
    with open(path, "wb") as file:
        file.write(os.urandom(os.urandom(1)[0] + 1))
        for _ in range(GIGABYTE >> 20):
            file.write(os.urandom(1 << 20))


class AgentMemory:
    """The peak of what an agent keeps resident, in bytes, while this is open. The hosts' processes are this machine's, too."""

    def __init__(self, interval=0.05):
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
    setup = f"{remote} 'rm -rf /srv/copy; mkdir -p /srv/copy'"
    make_file(artifact)

    def clean():
        Run(setup)
        Run("sync")

    def copy(command):
        return repeat(RUNS, lambda: Run(command, path).seconds, clean)

    rows = []
    scp = copy(f"scp -q -F {lab.configuration} {artifact} big1:/srv/copy/artifact")

    def row(name, sample, *memory):
        rows.append([name, sample.seconds(), f"{scp.median / sample.median:.2f}", *memory, *[""] * (2 - len(memory))])

    row("`scp`", scp)
    row("tar over ssh", copy(f"tar -C {app} -c artifact | {remote} tar -C /srv/copy -x"))
    row("rsync", copy(f"rsync --archive --rsh 'ssh -F {lab.configuration}' {artifact} big1:/srv/copy/"))
    Run(setup)
    for transport in ("auto", "libssh2", "openssh"):
        imports, deploys, memory = [], [], []
        with AgentMemory() as agent:
            for _ in range(RUNS):
                make_file(artifact)
                Run("sync")
                imported = cluster.plan()
                deployed = cluster.deploy(lab.configuration, "--transport", transport)
                imports.append(imported.seconds)
                deploys.append(deployed.seconds)
                memory += [imported.memory, deployed.memory]
        if transport == "auto":
            row("plan: read, hashed, and kept in the store", Sample(imports))
        name = "deploy" if transport == "auto" else f"deploy with `--transport {transport}`"
        row(name, Sample(deploys), size(max(memory)), size(agent.peak))

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
