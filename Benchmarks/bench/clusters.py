"""Clusters of many files, and stores that have deployed them often."""

import os
import subprocess
import time

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


    def deploy_often(self, count):
        """As if `count` deploys had each changed a file of one of the ten hosts, one on the other: their commits, made the quickest
        way, what the hosts run, and the history."""
        first = self.commit()
        began = int(time.time()) - 600 * count
        stream = []
        for number in range(count):
            stream.append(
                f"commit refs/heads/main\nmark :{number + 1}\ncommitter Ada <ada@example.com> {began + 600 * number} +0000\ndata 6\nDeploy\n"
                + (f"from {first}\n" if number == 0 else "")
                + f"M 100644 inline host{number % 10}/app0/file0.conf\ndata {len(str(number))}\n{number}\n\n"
            )
        marks = self.cluster.path / "marks"
        self("fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin="".join(stream))
        known = dict(line.split() for line in marks.read_text().splitlines())
        commits = [first] + [known[f":{number + 1}"] for number in range(count)]
        lines = []
        for number, commit in enumerate(commits[1:]):
            host, before, moment = f"host{number % 10}", commits[max(0, number - 9)], began + 600 * number
            lines.append(f"deploy\t{moment}\t{commit}\tprod\tAda <ada@example.com>\t{host}={before}=~app0\n")
            lines.append(f"end\t{moment + 1}\t{commit}\t{host}\tdone\t\n")
        (self.cluster.path / ".deptool/history").write_text("".join(lines))
        for number in range(10):
            (self.cluster.prod / f"host{(count + number) % 10}/app0/file0.conf").write_text(str(count + number - 10))
            self("update-ref", f"refs/remotes/host{(count + number) % 10}", commits[count - 9 + number])
