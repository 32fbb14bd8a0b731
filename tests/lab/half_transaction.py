"""Kill a package manager in the middle of its transaction, at a moment that the file system tells."""

from __future__ import annotations

from .cloud import Lab

_UNIT = "lab-half-transaction"
#: Waits until a file says a word, then kills every process of these names. The kernel wakes it at a change in
#: the file's folder, before whatever else wants to run. What it waits for may be over in a millisecond, and a
#: look through all processes takes longer: it takes it when a package manager reads its configuration.
_PROGRAM = """
import contextlib, ctypes, os, pathlib, signal, struct, sys
OPEN, CREATE, MODIFY, CLOSE_WRITE, MOVED_TO = 0x20, 0x100, 0x2, 0x8, 0x80
path, word, *names = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
watch = libc.inotify_init()

def look_at(folder, mask):
    return libc.inotify_add_watch(watch, str(folder).encode(), mask)

def woken():
    seen, data, place = set(), os.read(watch, 65536), 0
    while place < len(data):
        folder, _, _, size = struct.unpack_from("iIII", data, place)
        seen.add(folder)
        place += 16 + size
    return seen

def managers():
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            argv = (process / "cmdline").read_bytes().split(b"\\0")
            if any(pathlib.Path(os.fsdecode(one)).name in names for one in argv[:2]):
                yield int(process.name), b" ".join(argv)

target = look_at(os.path.dirname(path), CREATE | MODIFY | CLOSE_WRITE | MOVED_TO)
if target < 0:
    sys.exit(f"cannot watch the folder of {path}: {os.strerror(ctypes.get_errno())}")
for folder in ("/etc/dnf", "/etc/apt", "/etc/dpkg"):
    look_at(folder, OPEN)
with contextlib.suppress(OSError):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
with contextlib.suppress(OSError):
    os.nice(-20)
print("waiting", flush=True)
known = dict(managers())
while True:
    with contextlib.suppress(OSError):
        if word.encode() in pathlib.Path(path).read_bytes()[:4096]:
            break
    if target not in woken():
        known = dict(managers())
for process in (*known, *dict(managers())):
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)
        print("killed", process, os.fsdecode(known.get(process, b"")), flush=True)
"""
_MANAGERS = ("dnf", "dnf-3", "apt-get", "dpkg")


def arm(lab: Lab, node: str, path: str, word: str = "") -> None:
    """Have the node's package managers killed as soon as a file is there and says a word.

    Args:
        lab: The cloud.
        node: The machine.
        path: A file of a package that the transaction moves.
        word: What it says once it is the new one.
    """
    disarm(lab, node)
    watcher = ["/usr/bin/python3", "-c", _PROGRAM, path, word, *_MANAGERS]
    lab.exec(node, ["systemd-run", "--quiet", f"--unit={_UNIT}", "--property=Type=exec", *watcher])


def disarm(lab: Lab, node: str) -> str:
    """End the watch; what it killed, one line each."""
    lab.exec(node, ["systemctl", "stop", _UNIT], check=False)
    said = lab.exec(
        node, ["journalctl", f"--unit={_UNIT}.service", "--output=cat", "--no-pager"], check=False
    ).stdout
    lab.exec(node, ["systemctl", "reset-failed", _UNIT], check=False)
    return "\n".join(line for line in said.splitlines() if line.startswith("killed"))
