"""Stands in for Open vSwitch's programs: called by their names, everything they know is in OVS_RUNDIR.

The file `mode` there says what goes wrong. A fake ovs-vswitchd has its bridges while it holds the lock.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

RUN = Path(os.environ["OVS_RUNDIR"])
MODE = (RUN / "mode").read_text() if (RUN / "mode").exists() else ""


def vsctl(words):
    if words[-1] == "list-br":
        print((RUN / "bridges").read_text())
    elif "set" in words:
        (RUN / "waiting").write_text("")
    else:
        (RUN / "waiting").unlink(missing_ok=True)


def ofctl(words):
    verb = next(word for word in words if ("-" in word[1:] and not word.startswith("-")) or word == "bundle")
    bridge = words[words.index(verb) + 1]
    if verb.startswith("dump-"):
        file = RUN / f"{verb}.{bridge}"
        print("a heading")
        print(file.read_text() if file.exists() else "")
        if MODE == "changes" and verb == "dump-flows":
            file.write_text(f" priority={time.monotonic_ns()},actions=drop\n")
        return
    given = sys.stdin.read() if words[-1] == "-" else words[-1] + "\n"
    if verb == "bundle" and MODE == "refuses":
        sys.exit("OFPT_ERROR: nonsense")
    if not (RUN / f"{bridge}.mgmt").exists():
        sys.exit(f"{bridge} is not a bridge")
    with (RUN / f"{verb}.{bridge}").open("a") as output:
        output.write(given)


def appctl(words):
    pid = words[1].split(".")[-2]
    if words[2] == "bfd/show":
        print((RUN / "bfd").read_text() if (RUN / "bfd").exists() else "")
    else:
        with (RUN / "bfd-told").open("a") as output:
            output.write(" ".join([pid, *words[3:]]) + "\n")


def vswitchd(words):
    pidfile = Path(next(word.partition("=")[2] for word in words if word.startswith("--pidfile=")))
    first = not (RUN / "lock").exists()
    if MODE == "dies" and not first:
        sys.exit("cannot start")
    bridges = [RUN / f"{name}.mgmt" for name in (RUN / "bridges").read_text().split()]
    if daemon := os.fork():  # as --detach: the parent ends when its child is set up
        while not (RUN / f"up.{daemon}").exists() and not os.waitpid(daemon, os.WNOHANG)[0]:
            time.sleep(0.005)
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: leave([pidfile, *bridges]) if MODE != "hangs" else None)
    lock = (RUN / "lock").open("w")
    pidfile.write_text(f"{os.getpid()}\n")
    if not first:
        print("another ovs-vswitchd process is running, disabling this process", file=sys.stderr, flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if MODE == "dies late" and not first:
        os._exit(1)
    for bridge in bridges:
        bridge.unlink(missing_ok=True)
        bridge.write_text("")
    (RUN / f"up.{os.getpid()}").write_text("")
    while True:
        time.sleep(60)


def leave(files):
    for file in files:
        file.unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    program, _, name = Path(sys.argv[0]).name.partition("-")
    {"vsctl": vsctl, "appctl": appctl, "ofctl": ofctl, "vswitchd": vswitchd}[name](sys.argv[1:])
