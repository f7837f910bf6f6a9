"""Fifty hosts and a thousand, all on this machine: both ends of every connection share its cores."""

import os

from .farm import Farm, busy
from .lab import Cluster, directory
from .measure import Run, Sample, duration, size, table

APPS = ("web", "monitoring")


def write(cluster, count, text):
    for host in range(1, count + 1):
        for app in APPS:
            path = cluster.prod / f"host{host}/{app}"
            path.mkdir(parents=True, exist_ok=True)
            for file in range(5):
                (path / f"file{file}.conf").write_text(f"{host} {app} {file}\n" * 50)
        (cluster.prod / f"host{host}/web/file0.conf").write_text(f"{text} {host}\n")


class Work:
    """Runs, and how much of the machine's time they took."""

    def __init__(self, count, function, before=lambda: None):
        self.runs, limits = [], []
        for _ in range(count):
            before()
            began = busy()
            self.runs.append(function())
            limits.append((busy() - began) / os.cpu_count())
        self.seconds = Sample(run.seconds for run in self.runs)
        self.limit = Sample(limits)
        self.memory = max(run.memory for run in self.runs)

    def row(self, name, *rest):
        ratio = f"{self.seconds.median / self.limit.median:.2f}"
        return [name, self.seconds.seconds(), duration(self.limit.median), ratio, size(self.memory), *rest]


def measure():
    rows = of(50, 5) + of(1000, 1)
    header = ["what", "median", "if both cores had worked all the time", "ratio", "memory here"]
    return table(header, rows)


def of(count, runs):
    rows = []
    with Farm(count) as farm, directory() as path:
        names = " ".join(f"host{i}" for i in range(1, count + 1))
        logins = f"echo {names} | xargs -n 1 -P 32 sh -c 'ssh -F {farm.configuration} $0 true'"
        rows.append(Work(runs, lambda: Run(logins)).row(f"`ssh HOST true` to {count:,}, 32 at once"))
        cluster = Cluster(path)
        write(cluster, count, "first")
        cluster.init()
        rows.append(Work(1, lambda: cluster.deploy(farm.configuration)).row(f"first deploy to {count:,}, the agent brought along"))
        number = iter(range(100))
        change = lambda: write(cluster, count, next(number))
        rows.append(Work(runs, lambda: cluster.deploy(farm.configuration), change).row(f"deploy of a file to each of {count:,}"))
        rows.append(Work(runs, lambda: cluster.deploy(farm.configuration)).row(f"deploy to {count:,}, nothing to do"))
    return rows
