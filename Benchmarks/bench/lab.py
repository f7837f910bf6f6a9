"""Throwaway hosts, clusters for them, and the tool."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from .delay import Link
from .measure import Run

top = pathlib.Path(__file__).resolve().parents[2]
deptool = os.environ.get("DEPTOOL", str(top / "build/deptool"))


@contextlib.contextmanager
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="deptool-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Lab:
    """Hosts that `Lab/lab` boots; `with` ends them."""

    def __init__(self, *names, packages="rsync"):
        self.names = names
        self.packages = packages

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.work = self.stack.enter_context(directory())
        self.path = self.work / "lab"
        self.stack.callback(self._call, "down", self.path)
        environment = {**os.environ, "LAB_PACKAGES": self.packages}
        self._call("up", self.path, *self.names, env=environment)
        self.addresses = {name: self._call("ip", self.path, name).strip() for name in self.names}
        self.configuration = self.path / "ssh_config"
        return self

    def __exit__(self, *error):
        self.stack.close()

    def _call(self, *arguments, **options):
        command = [top / "Lab/lab", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout

    def root(self, name):
        """The host's file system, from outside."""
        return self.path / "hosts" / name / "root"

    def run(self, name, command):
        """In the host, without SSH."""
        return self._call("exec", self.path, name, "sh", "-c", command)

    def through(self, link, name, extra=""):
        """An ssh configuration by which the hosts are behind `link`."""
        text = self.configuration.read_text()
        for host, address in self.addresses.items():
            text = text.replace(
                f"HostName {address}\n  Port 22\n",
                f"HostName 127.0.0.1\n  HostKeyAlias {address}\n  Port {link.ports[host]}\n{extra}",
            )
        path = self.work / name
        path.write_text(text if not extra else text.replace("  ControlMaster no\n", ""))
        return path


class Cluster:
    """A directory with a cluster `prod` and a store."""

    def __init__(self, path):
        self.path = path
        self.prod = path / "prod"

    def init(self):
        Run([deptool, "init", "prod"], self.path)

    def plan(self, times=1):
        return Run([deptool, "plan"], self.path, times=times)

    def command(self, configuration, *options):
        return [deptool, "deploy", "--no-confirm", "--ssh-config", str(configuration), *options]

    def deploy(self, configuration, *options):
        return Run(self.command(configuration, *options), self.path)
