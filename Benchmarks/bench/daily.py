"""What is asked every day: `verify` on fifty hosts with a thousand files each, `status` and `log` after 5,000 deploys."""

import time

from . import clusters
from .farm import Farm
from .lab import deptool, directory
from .measure import Run, repeat, size, table

HOSTS = 50
DEPLOYS = 5000


def measure():
    return verify() + "\n" + offline()


def verify():
    with Farm(HOSTS) as farm, directory() as path:
        cluster = clusters.make(path, HOSTS, 10, files=99, first=1)
        cluster.deploy(farm.configuration)
        command = [deptool, "verify", "--ssh-config", str(farm.configuration)]
        runs = []

        def check(*options):
            runs.append(Run([*command, *options], path))
            return runs[-1].seconds

        rows = [
            [f"`verify` of {HOSTS} hosts, 1,000 files each", repeat(5, check).seconds()],
            ["`verify` of one of them", repeat(5, lambda: check("--limit", "host1")).seconds()],
            [
                f"`ssh HOST true` to {HOSTS}, 32 at once",
                repeat(5, lambda: Run(f"seq {HOSTS} | xargs -n 1 -P 32 sh -c 'ssh -F {farm.configuration} host$0 true'").seconds).seconds(),
            ],
            [
                "`sha1sum` of one host's files, on the host",
                repeat(5, lambda: Run(f"ssh -F {farm.configuration} host1 'find /var/lib/deptool/ -type f -exec sha1sum {{}} + > /dev/null'").seconds).seconds(),
            ],
        ]
        return table(["what", "median"], rows) + f"\nMemory here: {size(max(run.memory for run in runs))}.\n"


def offline():
    with directory() as path:
        cluster = clusters.make(path, 10, 2)
        cluster.plan()
        git = clusters.Git(cluster)
        commits = [git.commit()]
        lines = []
        began = int(time.time()) - 600 * DEPLOYS
        # The commits of the deploys, one on the other, as `git fast-import` makes them quickest.
        stream = []
        for number in range(DEPLOYS):
            host = f"host{number % 10}"
            stream.append(
                f"commit refs/heads/main\nmark :{number + 1}\ncommitter Ada <ada@example.com> {began + 600 * number} +0000\ndata 6\nDeploy\n"
                + (f"from {commits[0]}\n" if number == 0 else "")
                + f"M 100644 inline {host}/app0/file0.conf\ndata {len(str(number))}\n{number}\n\n"
            )
        marks = path / "marks"
        git("fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin="".join(stream))
        known = dict(line.split() for line in marks.read_text().splitlines())
        commits += [known[f":{number + 1}"] for number in range(DEPLOYS)]
        for number in range(DEPLOYS):
            host, before, commit = f"host{number % 10}", commits[max(0, number - 9)], commits[number + 1]
            moment = began + 600 * number
            lines.append(f"deploy\t{moment}\t{commit}\tprod\tAda <ada@example.com>\t{host}={before}=~app0\n")
            lines.append(f"end\t{moment + 1}\t{commit}\t{host}\tdone\t\n")
        (path / ".deptool/history").write_text("".join(lines))
        for number in range(10):
            git("update-ref", f"refs/remotes/host{number}", commits[-10 + number])
        rows = [
            [f"`{' '.join(command)}`", repeat(31, lambda: Run([deptool, *command], path).seconds).seconds()]
            for command in (["status"], ["log"], ["log", "host3"], ["log", "-n", "100000"], ["plan"])
        ]
        return f"Offline, with 10 hosts of 420 files, on a store of {DEPLOYS:,} deploys:\n\n" + table(["what", "median"], rows)
