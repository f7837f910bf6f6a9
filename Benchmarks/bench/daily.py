"""What is asked every day: `verify` on fifty hosts with a thousand files each, `status` and `log` after 5,000 deploys."""

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

        def ask(*options):
            run = Run([deptool, "status", "--ssh-config", str(farm.configuration), *options], path)
            assert run.output.startswith(f"{HOSTS} hosts are well:"), run.output
            return run

        rows = [
            [f"`verify` of {HOSTS} hosts, 1,000 files each", repeat(5, check).seconds()],
            ["`verify` of one of them", repeat(5, lambda: check("--limit", "host1")).seconds()],
            [f"`status` of {HOSTS} hosts", repeat(5, lambda: ask().seconds).seconds()],
            [f"`status --drift` of {HOSTS} hosts", repeat(5, lambda: ask("--drift").seconds).seconds()],
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
        clusters.Git(cluster).deploy_often(DEPLOYS)
        rows = [
            [f"`{' '.join(command)}`", Run([deptool, *command], path, times=31).sample.seconds()]
            for command in (["status", "--offline"], ["log"], ["log", "host3"], ["log", "-n", "100000"], ["plan"])
        ]
        return f"Offline, with 10 hosts of 420 files, on a store of {DEPLOYS:,} deploys:\n\n" + table(["what", "median"], rows)
