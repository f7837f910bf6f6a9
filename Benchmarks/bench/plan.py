"""`deptool plan` as a whole process: how it grows with files, with changes, and with what was deployed before."""

import itertools
import shutil

from . import clusters
from .lab import directory
from .measure import Run, Sample, duration, repeat, size, table

SIZES = [(2, 1, 19), (10, 10, 20), (100, 20, 20), (1000, 20, 20)]


def deployed(path, hosts, apps, files):
    """A cluster whose hosts run what is in it, its Git, and its first plan."""
    cluster = clusters.make(path, hosts, apps, files=files)
    first = cluster.plan()
    git = clusters.Git(cluster)
    git.set_deployed(git.commit())
    return cluster, git, first


def edit(cluster, files, number):
    """Changes the first files."""
    for path in files:
        (cluster.prod / path).write_text(f"{path} {number}\n" + "changed\n" * 100)


def settle(cluster):
    """The plan remembers what it saw, except of files that changed within the last moments."""
    Run(["sleep", "2.1"])
    cluster.plan()


def timed(cluster, count, before=None):
    """Plans, and what each took: one right after the other unless there is something to do before."""
    if not before:
        run = cluster.plan(count)
        return run.sample, run.memory
    runs = []

    def run():
        runs.append(cluster.plan())
        return runs[-1].seconds

    return repeat(count, run, before), max(run.memory for run in runs)


def measure():
    start = Run(["true"], times=31)
    text = f"`true` takes {duration(start.seconds)} so. By files, in apps of 20 files and a manifest:\n\n" + by_files()
    text += "\nBy changes, with 100 hosts and 42,000 files:\n\n" + by_changes()
    text += "\nBy history, with 10 hosts and 2,100 files:\n\n" + by_history()
    return text + "\nBy hosts, each deployed to by itself, so that it runs a commit of its own:\n\n" + by_commits()


def by_files():
    rows = []
    for hosts, apps, files in SIZES:
        with directory() as path:
            cluster, _, first = deployed(path, hosts, apps, files)
            settle(cluster)
            count = 31 if hosts < 100 else 11 if hosts < 1000 else 5
            nothing, memory = timed(cluster, count)
            numbers = itertools.count()
            one, _ = timed(cluster, count, lambda: edit(cluster, ["host1/app0/file0.conf"], next(numbers)))
            look = repeat(5, lambda: Run("find prod -size -1c > /dev/null", path).seconds)
            rows.append(
                [hosts, f"{hosts * apps * (files + 1):,}", nothing.seconds(), one.seconds(), duration(look.median), duration(first.seconds)]
                + [size(memory), size(first.memory)]
            )
    header = ["hosts", "files", "nothing changed", "one file changed", "`find` looks at all", "first import", "memory", "of the first import"]
    return table(header, rows)


def by_changes():
    rows = []
    with directory() as path:
        cluster, _, _ = deployed(path, 100, 20, 20)
        settle(cluster)
        every = sorted(str(file.relative_to(cluster.prod)) for file in cluster.prod.glob("*/*/file*"))
        numbers = itertools.count()
        for changes in (0, 1, 10, 100, 1000, 10000):
            sample, memory = timed(cluster, 5, lambda: edit(cluster, every[:changes], next(numbers)))
            settle(cluster)
            again, _ = timed(cluster, 5)
            rows.append([f"{changes:,}", sample.seconds(), again.seconds(), size(memory)])
    return table(["files changed since the deploy", "first plan of them", "plan again", "memory"], rows)


def by_history():
    rows = []
    for deploys in (10, 500, 5000):
        with directory() as path:
            cluster = clusters.make(path, 10, 10)
            cluster.plan()
            clusters.Git(cluster).deploy_often(deploys)
            settle(cluster)
            sample, memory = timed(cluster, 21)
            rows.append([f"{deploys:,}", sample.seconds(), size(memory)])
    return table(["earlier deploys", "nothing changed", "memory"], rows)


def by_commits():
    rows = []
    for hosts in (100, 200, 400, 800):
        with directory() as path:
            cluster = clusters.make(path, hosts, 1, files=1)
            git = clusters.Git(cluster)
            git("add", ".")
            for host in range(hosts):
                file = f"host{host}/app0/file0.conf"
                edit(cluster, [file], host)
                git("add", file)
                git("update-ref", f"refs/remotes/host{host}", git("commit-tree", "-m", "Deploy", git("write-tree")))
            first = cluster.plan()
            settle(cluster)
            rows.append([hosts, duration(first.seconds), timed(cluster, 11)[0].seconds()])
    return table(["hosts", "first plan", "nothing changed"], rows)
