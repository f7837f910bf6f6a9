"""Clusters of many files, and stores that have deployed them often."""

import os
import subprocess

from .lab import Cluster

FILES = 20


def make(path, hosts, apps, files=FILES, first=0):
    """`files` of about a kilobyte in each app, and where there is any, its manifest."""
    cluster = Cluster(path)
    for host in range(first, first + hosts):
        for app in range(apps):
            directory = cluster.prod / f"host{host}/app{app}"
            directory.mkdir(parents=True)
            (directory / "manifest.json").write_text("{}\n")
            for file in range(files):
                line = f"{host} {app} {file}\n"
                (directory / f"file{file}.conf").write_text(line * (1000 // len(line)))
    cluster.init()
    return cluster


class Git:
    """What is in a cluster's store, by Git's own means."""

    def __init__(self, cluster):
        identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}
        store = str(cluster.path / ".deptool")
        self.environment = {
            **os.environ, **identity, "GIT_DIR": store, "GIT_WORK_TREE": str(cluster.prod), "GIT_INDEX_FILE": str(cluster.path / "index")
        }
        self.cluster = cluster

    def __call__(self, *arguments, stdin=None):
        process = subprocess.run(
            ["git", *arguments], cwd=self.cluster.prod, env=self.environment, input=stdin, stdout=subprocess.PIPE, check=True, text=True
        )
        return process.stdout.strip()

    def commit(self):
        """What is in the directory; the store has the files after a plan."""
        self("add", ".")
        return self("commit-tree", "-m", "Deploy", self("write-tree"))

    def set_deployed(self, commit):
        """As if every host ran it."""
        hosts = sorted(entry.name for entry in self.cluster.prod.iterdir())
        self("update-ref", "--stdin", stdin="".join(f"update refs/remotes/{host} {commit}\n" for host in hosts))

