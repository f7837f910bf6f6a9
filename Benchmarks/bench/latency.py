"""From the saved change to the running service: examples/dns, one zone changed, NSD restarted."""

import json
import re
import shutil
import time

from .lab import Cluster, Lab, Link, deptool, directory, top
from .measure import Run, Sample, at_prompt, repeat, table

RUNS = 7
# systemd counts restarts, and refuses when there are more than five in ten seconds.
PAUSE = 2.1
AGENTS = "/var/lib/deptool/bin"


class Names:
    """A cluster of name servers, and the ways to bring a change to them."""

    def __init__(self, lab, path, count):
        self.lab, self.serial = lab, 1
        self.hosts = lab.names[:count]
        self.cluster = Cluster(path)
        for host in self.hosts:
            shutil.copytree(top / "examples/dns/prod/ns1", self.cluster.prod / host)
            # The other ways restart NSD and neither check nor ask anything, so this one does the same.
            manifest = self.cluster.prod / host / "nsd/manifest.json"
            settings = json.loads(manifest.read_text())
            settings = {key: value for key, value in settings.items() if key not in ("checks", "health")}
            settings["systemd"].pop("on_change", None)
            manifest.write_text(json.dumps(settings))
        self.cluster.init()

    def change(self):
        """The same zone on every host, outside the measured time."""
        self.serial += 1
        for host in self.hosts:
            zone = self.cluster.prod / host / "nsd/zones/example.com.zone"
            zone.write_text(re.sub(r"(?m)^www     IN A .*", f"www     IN A    192.0.2.{self.serial % 250}", zone.read_text()))
        time.sleep(PAUSE)

    def deploy(self, configuration, *options):
        return self.cluster.deploy(configuration, *options).seconds

    def confirm(self, configuration):
        """From `y` on, at a prompt that was read for three seconds."""
        return at_prompt([deptool, "deploy", "--ssh-config", str(configuration)], self.cluster.path, b"[y/N", 3)

    def everywhere(self, command):
        """Runs a command for each host, at once, and returns the seconds until all have ended."""
        jobs = "".join(f'({command(host)}) & set -- "$@" $!\n' for host in self.hosts)
        return Run(jobs + "for job; do wait $job || exit; done", self.cluster.path).seconds

    def remote(self, configuration, command):
        return self.everywhere(lambda host: f"ssh -F {configuration} {host} {command}")

    def tar(self, configuration):
        app = "/var/lib/deptool/apps/nsd/current"
        return self.everywhere(
            lambda host: f"tar -C prod/{host}/nsd -c . | ssh -F {configuration} {host} 'tar -C {app} -x && systemctl restart nsd'"
        )

    def rsync(self, configuration):
        app = "/var/lib/deptool/apps/nsd/current"
        return self.everywhere(
            lambda host: f"rsync --archive --rsh 'ssh -F {configuration}' prod/{host}/nsd/ {host}:{app}/"
            f" && ssh -F {configuration} {host} systemctl restart nsd"
        )

    def forget_agents(self):
        self.change()
        for host in self.hosts:
            self.lab.run(host, f"rm -f {AGENTS}/*")

    def make_pristine(self):
        """As before Deptool ever came: Debian's NSD, which is not enabled."""
        for host in self.hosts:
            self.lab.run(host, "systemctl disable --quiet --now nsd; rm -rf /var/lib/deptool /etc/systemd/system/nsd.service")
            self.lab.run(host, "systemctl daemon-reload")
            # The store may not have the host yet.
            Run(f"{deptool} forget {host} || true", self.cluster.path)
        self.change()


class Master:
    """Live connections of the system's ssh, for others to go over."""

    def __init__(self, names, link, name):
        self.names = names
        path = names.lab.work / f"{name}-%C"
        self.configuration = names.lab.through(link, name, f"  ControlPath {path}\n  ControlMaster auto\n  ControlPersist 600\n")

    def __enter__(self):
        for host in self.names.hosts:
            Run(["ssh", "-F", str(self.configuration), "-N", "-f", host])
        return self.configuration

    def __exit__(self, *error):
        for host in self.names.hosts:
            Run(["ssh", "-F", str(self.configuration), "-O", "exit", host])


def measure():
    with Lab(*(f"ns{n}" for n in range(1, 9))) as lab, directory() as two, directory() as eight:
        columns = [two_hosts(lab, two, rtt) for rtt in (0, 0.1)]
        columns += [many_hosts(lab, eight, rtt) for rtt in (0, 0.1)]
    return report(*columns)


def scene(lab, path, rtt, count):
    """The first hosts of the lab, deployed to, at this distance: the link, the cluster, and how ssh gets there."""
    link = Link(lab.addresses, rtt)
    path = path / str(rtt)
    path.mkdir()
    names = Names(lab, path, count)
    names.make_pristine()
    configuration = lab.through(link, f"delayed-{count}-{rtt}")
    names.deploy(configuration)
    return link, names, configuration


def two_hosts(lab, path, rtt):
    link, names, configuration = scene(lab, path, rtt, 2)
    figures = {}

    def row(count=RUNS, **ways):
        """In turns, since the machine is not the same from minute to minute: what is done, and before it."""
        samples = {name: ([], []) for name in ways}
        for _ in range(count):
            for name, (function, before) in ways.items():
                before()
                link.reset()
                samples[name][0].append(function())
                if link.connections:
                    samples[name][1].append(link.round_trips())
        figures.update({name: (Sample(seconds), Sample(trips) if trips else None) for name, (seconds, trips) in samples.items()})

    row(
        cold=(lambda: names.deploy(configuration), names.change),
        confirmed=(lambda: names.confirm(configuration), names.change),
        agent=(lambda: names.deploy(configuration), names.forget_agents),
        openssh=(lambda: names.deploy(configuration, "--transport", "openssh"), names.change),
        nothing=(lambda: names.deploy(configuration), lambda: None),
        login=(lambda: names.remote(configuration, "true"), lambda: None),
        tar=(lambda: names.tar(configuration), names.change),
        rsync=(lambda: names.rsync(configuration), names.change),
    )
    # The files of tar and rsync are not those of the tool.
    names.change()
    names.deploy(configuration)
    row(5, pristine=(lambda: names.deploy(configuration), names.make_pristine))
    with Master(names, link, f"master-{rtt}") as shared:
        row(master=(lambda: names.deploy(shared), names.change), master_tar=(lambda: names.tar(shared), names.change))
    return figures


def many_hosts(lab, path, rtt):
    _, names, configuration = scene(lab, path, rtt, 8)
    return {
        "cold": (repeat(5, lambda: names.deploy(configuration), names.change), None),
        "tar": (repeat(5, lambda: names.tar(configuration), names.change), None),
        "login": (repeat(5, lambda: names.remote(configuration, "true")), None),
    }


def report(near, far, near8, far8):
    def row(name, key, near=near, far=far):
        cells = [name]
        for figures in (near, far):
            sample, trips = figures[key]
            cells += [sample.seconds(), f"{sample.median / figures['login'][0].median:.2f}"]
        trips = far[key][1]
        return [*cells, f"{trips.median:g}" if trips else ""]

    header = ["what", "RTT 0", "× ssh", "RTT 100 ms", "× ssh", "round trips"]
    rows = [
        row("`ssh HOST true`, to both hosts at once", "login"),
        row("deploy, nothing to do", "nothing"),
        row("**deploy, cold**: the agent is there, nothing connected", "cold"),
        row("**deploy, from `y`**, connected while it was read", "confirmed"),
        row("tar over ssh and restart", "tar"),
        row("rsync, then restart", "rsync"),
        row("**deploy, first contact**: the agent is not there", "agent"),
        row("deploy to a pristine host: `systemctl enable`, too", "pristine"),
        row("deploy over the system's ssh (`--transport openssh`)", "openssh"),
        row("**deploy over a live ControlMaster**", "master"),
        row("tar and restart over a live ControlMaster", "master_tar"),
    ]
    text = table(header, rows)
    text += "\nEight hosts at once:\n\n"
    return text + table(
        header[:-1],
        [
            row(name, key, near8, far8)[:-1]
            for name, key in (("`ssh HOST true`", "login"), ("deploy, cold", "cold"), ("tar over ssh and restart", "tar"))
        ],
    )
