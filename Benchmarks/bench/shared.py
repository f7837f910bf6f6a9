"""`deptool plan` of a thousand hosts that share forty apps by symlinks, beside the same hosts with copies, and one host with one copy."""

import itertools

from .lab import Cluster, directory
from .measure import Run, duration, repeat, size, table
from .plan import settle, timed

HOSTS = 1000
APPS = 40
FILES = 5


def app(directory, number):
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text("{}\n")
    for file in range(FILES):
        (directory / f"file{file}.conf").write_text(f"{number} {file}\n" * 100)


def make(path, hosts, are_shared):
    """All hosts run what is there."""
    cluster = Cluster(path)
    if are_shared:
        for number in range(APPS):
            app(path / f"shared/app{number}", number)
    for host in range(hosts):
        home = cluster.prod / f"host{host}"
        home.mkdir(parents=True)
        for number in range(APPS):
            if are_shared:
                (home / f"app{number}").symlink_to(f"../../shared/app{number}")
            else:
                app(home / f"app{number}", number)
    cluster.init()
    return cluster, cluster.plan()


def measure():
    rows = []
    bases = []
    for name, hosts, are_shared in (
        ("1 host with one copy", 1, False), (f"{HOSTS:,} hosts with copies", HOSTS, False), (f"{HOSTS:,} hosts with symlinks", HOSTS, True)
    ):
        with directory() as path:
            cluster, first = make(path, hosts, are_shared)
            settle(cluster)
            nothing, memory = timed(cluster, 7)
            file = path / ("shared" if are_shared else "prod/host0") / "app0/file0.conf"
            numbers = itertools.count()
            one, _ = timed(cluster, 5, lambda: file.write_text(f"{next(numbers)}\n" + "changed\n" * 100))
            look = repeat(5, lambda: Run("find prod -size -1c > /dev/null", path).seconds)
            bases.append(nothing.median)
            rows.append(
                [name, duration(first.seconds), nothing.seconds(), *(f"{nothing.median / base:.2f}" for base in bases[:2])]
                + [""] * (2 - len(bases)) + [one.seconds(), duration(look.median), size(memory)]
            )
    header = ["cluster", "first plan", "plan again", "one copy = 1", "copies = 1"]
    header += ["one file changed, for all that have it", "`find` looks at all", "memory"]
    return f"{APPS} apps of {FILES} files and a manifest:\n\n" + table(header, rows)
