"""What a change costs the users of a service, and what checks and probes cost a deploy: nginx, its configuration changed."""

import http.client
import threading
import time

from .lab import Cluster, Lab, directory
from .measure import Sample, repeat, table

CHANGES = 200
RUNS = 11
CLIENTS = 8
MANIFEST = """{
  "systemd": { "units_enabled": ["nginx.service"], "on_change": { "nginx.service": { "reload": ["site.conf"] } } },
  "symlinks": { "/etc/nginx/conf.d/site.conf": "site.conf" }%s
}
"""
SITE = """server {
    listen 8080;
    keepalive_requests 1000000;
    location / { return 200 "%d\\n"; }
}
"""
CHECK = ',\n  "checks": [["/usr/sbin/nginx", "-t", "-q"]]'
PROBE = ',\n  "health": [{ "http": "http://127.0.0.1:8080/" }]'


class Client(threading.Thread):
    """Asks again and again over connections that it keeps, until the server ends them between two requests, as HTTP allows."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.going, self.answered, self.failed = address, True, 0, 0

    def run(self):
        connection = None
        while self.going:
            isFresh = connection is None
            if isFresh:
                connection = http.client.HTTPConnection(self.address, 8080, timeout=10)
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or not body:
                    self.failed += 1
                self.answered += 1
                if response.getheader("Connection") == "close":
                    connection = None
            except (OSError, http.client.HTTPException):
                # A kept connection may have been closed just now: a client asks once more on a new one (RFC 9110, 9.2.2).
                connection = None
                if isFresh:
                    self.failed += 1


def timed(function):
    began = time.monotonic()
    function()
    return time.monotonic() - began


def measure():
    with Lab("web1", packages="nginx-light") as lab, directory() as path:
        app = path / "prod/web1/nginx"
        app.mkdir(parents=True)
        cluster = Cluster(path)
        number = 0

        def write(more=""):
            nonlocal number
            number += 1
            (app / "site.conf").write_text(SITE % number)
            (app / "manifest.json").write_text(MANIFEST % more)

        write()
        cluster.init()
        cluster.deploy(lab.configuration)

        def state():
            return lab.run("web1", "systemctl show --value -p MainPID,InvocationID,NRestarts nginx | xargs").strip()

        before = state()
        clients = [Client(lab.addresses["web1"]) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        began = time.monotonic()
        for _ in range(CHANGES):
            write()
            cluster.deploy(lab.configuration)
        took = time.monotonic() - began
        for client in clients:
            client.going = False
        for client in clients:
            client.join()
        answered, failed = sum(client.answered for client in clients), sum(client.failed for client in clients)
        rows = [
            ["changes, each deployed by itself", f"{CHANGES} in {took:.0f} s"],
            ["requests meanwhile, of 8 clients that keep their connections", f"{answered:,}"],
            ["requests that failed", failed],
            ["restarts; other main processes", "0; 0" if state() == before else f"{before} became {state()}"],
        ]
        text = table(["nginx, reloaded by `on_change`", ""], rows)

        own = repeat(RUNS, lambda: timed(lambda: lab.run("web1", "nginx -t -q")))
        empty = repeat(RUNS, lambda: timed(lambda: lab.run("web1", "true")))
        # In turns, since the machine is never the same.
        kinds = {"neither": "", "a check": CHECK, "a probe": PROBE, "both": CHECK + PROBE}
        times = {kind: [] for kind in kinds}
        for _ in range(RUNS):
            for kind, more in kinds.items():
                write(more)
                times[kind].append(cluster.deploy(lab.configuration).seconds)
        samples = {kind: Sample(values) for kind, values in times.items()}
        plain = samples["neither"].median
        text += "\n" + table(
            ["a deploy with", "median", "more than with neither"],
            [[kind, sample.seconds(), f"{(sample.median - plain) * 1000:.0f} ms"] for kind, sample in samples.items()],
        )
        return text + f"\n`nginx -t -q` itself takes {(own.median - empty.median) * 1000:.0f} ms there.\n"
