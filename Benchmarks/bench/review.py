"""`deptool plan --format html` of a large change, and what it has of private files."""

from . import clusters
from .lab import deptool, directory
from .measure import Run, duration, size, table

HOSTS = 50
FILES = 20


def measure():
    with directory() as path:
        cluster = clusters.make(path, HOSTS, 2, files=FILES)
        for host in range(HOSTS):
            (cluster.prod / f"host{host}/app1/manifest.json").write_text('{"private": true}\n')
        cluster.plan()
        git = clusters.Git(cluster)
        git.set_deployed(git.commit())
        for number, file in enumerate(sorted(cluster.prod.glob("host*/app0/file*"))):
            lines = file.read_text().splitlines()
            lines[3:6] = [f"changed {number} {line}" for line in range(4)]
            file.write_text("\n".join(lines) + "\n")
        for file in cluster.prod.glob("host*/app1/file0.conf"):
            file.write_text("never-shown\n" * 20)
        rows = []
        base = None
        for options in ([], ["--format", "markdown"], ["--format", "html"]):
            run = Run([deptool, "plan", *options], path, times=11)
            shown = Run([deptool, "plan", *options], path).output
            base = base or run.seconds
            rows.append(
                [f"`{' '.join(['plan', *options])}`", run.sample.seconds(), f"{run.seconds / base:.1f}", size(len(shown.encode()))]
                + [size(run.memory), shown.count("never-shown")]
            )
        return (
            f"{HOSTS} hosts, of which {HOSTS * FILES:,} files changed, and in a private app {HOSTS} more:\n\n"
            + table(["what", "median", "text = 1", "output", "memory", "private lines in it"], rows)
        )
