"""Running and timing programs, and tables of what came out."""

import os
import pty
import select
import subprocess
import sys
import time


# The kernel's figure for a process's memory starts with that of its parent, so a small process starts it and takes the time.
STARTER = """
import os, sys, time
report, times = int(sys.argv[1]), int(sys.argv[2])
os.set_inheritable(report, False)
for _ in range(times):
    began = time.monotonic()
    process = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ)
    status, usage = os.wait4(process, 0)[1:]
    os.write(report, f"{time.monotonic() - began} {status} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}\\n".encode())
"""


class Run:
    """One run of a program, or of a line for the shell: `seconds` by the wall clock, `cpu` seconds and `memory` in bytes (peak of
    resident) of it and of the children it waited for. Several runs, one right after the other: a `sample` of their seconds."""

    def __init__(self, command, directory=None, environment=None, code=0, stdin=subprocess.DEVNULL, times=1):
        words = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-ISc", STARTER, str(writing), str(times), *words], cwd=directory, env=environment, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[writing]
        )
        os.close(writing)
        self.output = process.communicate()[0].decode(errors="replace")
        with open(reading) as report:
            lines = [line.split() for line in report]
        for _, status, _, _ in lines:
            if (ended := os.waitstatus_to_exitcode(int(status))) != code:
                raise SystemExit(f"{command} ended with {ended}:\n{self.output}")
        if len(lines) != times:
            raise SystemExit(f"{command} was not started:\n{self.output}")
        self.sample = Sample([float(seconds) for seconds, _, _, _ in lines])
        self.seconds, self.cpu, self.memory = self.sample.median, float(lines[-1][2]), int(lines[-1][3]) * 1024


def at_prompt(command, directory, prompt, pause):
    """Runs `command` in a terminal, waits for its question, then `pause` seconds as a person does who reads, answers `y`, and
    returns the seconds from that to its end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execvp(command[0], command)
    shown = b""

    def read(timeout):
        nonlocal shown
        ready, _, _ = select.select([terminal], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            return False
        shown += data
        return bool(data)

    while prompt not in shown and read(30):
        pass
    until = time.monotonic() + pause
    while (left := until - time.monotonic()) > 0 and read(left):
        pass
    began = time.monotonic()
    os.write(terminal, b"y\n")
    while read(60):
        pass
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - began
    os.close(terminal)
    if status:
        raise SystemExit(f"{command} ended with {status}:\n{shown.decode(errors='replace')}")
    return seconds


class Sample:
    """Figures of several runs: their median, and the lowest and highest."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = self.values[len(self.values) // 2]

    def seconds(self):
        return f"{duration(self.median)} ({duration(self.values[0])} to {duration(self.values[-1])})"


def repeat(count, function, before=None):
    """A sample of what `function` returns, or of how long it takes; `before` is outside the measured time."""
    values = []
    for _ in range(count):
        if before:
            before()
        began = time.monotonic()
        value = function()
        values.append(time.monotonic() - began if value is None else value)
    return Sample(values)


def duration(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def size(count):
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count:,} bytes"


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
