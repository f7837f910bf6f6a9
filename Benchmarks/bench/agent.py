"""The agent: how large, how quick to start, how much memory, how many system calls."""

import re

from .big import AgentMemory
from .lab import Lab, directory, top
from .latency import Names
from .measure import size, table

# In the place of the agent, which is then beside it.
TRACED = "#!/bin/sh\nexec strace --follow-forks --summary-only --output /root/calls $0.real \"$@\"\n"


def measure():
    with Lab("ns1", packages="strace") as lab, directory() as path:
        names = Names(lab, path, 1)
        names.deploy(lab.configuration)
        agent = lab.run("ns1", "ls /var/lib/deptool/bin/*").strip()
        rows = [[f"size, {file.name}", f"{file.stat().st_size:,} bytes"] for file in sorted((top / "build/agents").glob("linux-*"))]
        count = 200
        for name, command in (("start and end", agent), ("start and end of `/bin/true`", "/bin/true")):
            loop = f"i=0; while [ $i -lt {count} ]; do {command} < /dev/null > /dev/null 2>&1; i=$((i+1)); done"
            seconds = float(lab.run("ns1", f"bash -c 'TIMEFORMAT=%R; time sh -c \"$0\" 2> /dev/null' '{loop}' 2>&1"))
            rows.append([name, f"{seconds / count * 1000:.2f} ms"])
        names.change()
        with AgentMemory(0.002) as memory:
            names.deploy(lab.configuration)
        rows.append(["memory, peak of resident", size(memory.peak)])
        lab.run("ns1", f"mv {agent} {agent}.real")
        (lab.root("ns1") / agent[1:]).write_text(TRACED)
        lab.run("ns1", f"chmod +x {agent}")
        names.change()
        names.deploy(lab.configuration)
        calls = lab.run("ns1", "sleep 1; cat /root/calls")
        counts = re.findall(r"(?m)^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ )? *(\w+)$", calls)
        total = sum(int(number) for number, name in counts if name != "total")
        rows.append(["system calls of a deploy of one zone, systemctl's and the checks' too", f"{total:,}"])
        most = sorted(((int(number), name) for number, name in counts if name != "total"), reverse=True)[:12]
        rows.append(["the most frequent", ", ".join(f"{name} {number}" for number, name in most)])
        return table(["what", "figure"], rows)
