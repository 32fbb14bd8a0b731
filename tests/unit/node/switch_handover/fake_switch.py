"""Stands in for Open vSwitch's programs: called by their names, everything they know is in OVS_RUNDIR.

The file `mode` there says what goes wrong. A fake ovs-vswitchd has its bridges while it holds the lock of the
database server that it found. A server is known by what it wrote where it listens: its process.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

RUN = Path(os.environ["OVS_RUNDIR"])
MODE = (RUN / "mode").read_text() if (RUN / "mode").exists() else ""


def server_pid():
    """The server that listens, "" where there is none; one that stands still answers nobody."""
    place = RUN / "db.sock"
    pid = place.read_text() if place.exists() else ""
    if pid and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
        sys.exit("no answer")
    return pid


def vsctl(words):
    server_pid()
    if words[-1] == "list-br":
        print((RUN / "bridges").read_text())
    elif "init" in words:
        if MODE == "no answer":
            sys.exit("no answer")
        (RUN / "introduced").write_text(" ".join(words[words.index("set") :]))
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
    if verb == "bundle" and not all(line.startswith(("flow ", "group ")) for line in given.splitlines()):
        sys.exit("unsupported bundle message type")
    if verb == "bundle" and MODE == "refuses":
        sys.exit("OFPT_ERROR: nonsense")
    if not (RUN / f"{bridge}.mgmt").exists():
        sys.exit(f"{bridge} is not a bridge")
    with (RUN / f"{verb}.{bridge}").open("a") as output:
        output.write(given)


def appctl(words):
    pid = words[1].split(".")[-2]
    remotes = RUN / f"remotes.{pid}"
    if words[2] == "ovsdb-server/list-remotes":
        print(remotes.read_text())
    elif words[2] == "ovsdb-server/add-remote":
        if MODE == "refuses remotes":
            sys.exit("address in use")
        remotes.write_text(remotes.read_text() + words[3] + "\n")
    elif words[2] == "bfd/show":
        print((RUN / "bfd").read_text() if (RUN / "bfd").exists() else "")
    else:
        with (RUN / "bfd-told").open("a") as output:
            output.write(" ".join([pid, *words[3:]]) + "\n")


def tool(words):
    """A database is its version; what it is converted to is the schema's."""
    verb, *files = words
    content = [Path(file).read_text() if Path(file).exists() else "" for file in files]
    if verb == "needs-conversion":
        print("no" if content[0] == content[1] else "yes")
    elif verb == "convert":
        if MODE == "inconvertible":
            sys.exit("syntax error")
        Path(files[2]).write_text(content[1])
    elif verb == "compact":
        Path(files[1]).write_text(content[0])
    else:
        print("123 456" if verb == "db-cksum" else content[0])


def client(words):
    if MODE == "no lock":
        sys.exit("no lock")
    if MODE == "lock hangs":
        (RUN / "lock hangs.new").write_text(str(os.getpid()))
        (RUN / "lock hangs.new").rename(RUN / MODE)
        time.sleep(600)
    with (RUN / f"lock{server_pid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print('{"locked":true}', flush=True)
        time.sleep(600)


def server(words):
    own = ["-S", "-mfake_switch"]
    if not sys.argv[0].endswith(".py"):  # not a script any more, so that its arguments are those of a server
        os.execv(sys.executable, ["ovsdb-server", *own, *(word for word in words if word not in own)])
    Path("/proc/self/comm").write_text("ovsdb-server")
    pidfile = Path(next(word.partition("=")[2] for word in words if word.startswith("--pidfile=")))
    if MODE == "server dies":
        sys.exit("cannot serve")
    database = Path(next(word for word in words if word.startswith("/")))
    lock = database.with_name(f".{database.name}.~lock~").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    into, out = os.pipe()
    if os.fork():
        os.close(out)
        os.read(into, 1)  # as --detach
        os._exit(0)
    os.setsid()
    socket = RUN / "db.sock"
    socket.unlink(missing_ok=True)
    socket.write_text(str(os.getpid()))
    (RUN / f"remotes.{os.getpid()}").write_text("punix:db.sock\n")
    (RUN / f"ovsdb-server.{os.getpid()}.ctl").write_text("")
    pidfile.write_text(f"{os.getpid()}\n")
    os.close(out)
    while True:
        time.sleep(60)


def vswitchd(words):
    if words == ["--version"]:
        print("ovs-vswitchd (Open vSwitch) 3.5.0")
        return
    pidfile = Path(next(word.partition("=")[2] for word in words if word.startswith("--pidfile=")))
    first = not list(RUN.glob("up.*"))
    if MODE == "dies" and not first:
        sys.exit("cannot start")
    bridges = [RUN / f"{name}.mgmt" for name in (RUN / "bridges").read_text().split()]
    if daemon := os.fork():  # as --detach: the parent ends when its child is set up
        while not (RUN / f"up.{daemon}").exists() and not os.waitpid(daemon, os.WNOHANG)[0]:
            time.sleep(0.005)
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: leave([pidfile, *bridges]) if MODE != "hangs" else None)
    lock = (RUN / f"lock{server_pid()}").open("w")
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
    programs = [vsctl, appctl, ofctl, vswitchd, tool, client, server]
    {one.__name__: one for one in programs}.get(name, server)(sys.argv[1:])
