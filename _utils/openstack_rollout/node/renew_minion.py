"""Renew salt-minion from outside of it: wait for the job that asked, move the packages, restart the minion.

An updater of the node that works is waited for; none begins meanwhile (`updaters`, by this program's unit).

A program of its own (PYTHON renew_minion.py FILE) that `_modules/minion_package.py` starts as a systemd unit.
So neither the packages' scripts, which restart the minion, nor the restart itself can end it half way. FILE
says what to do, and gets the result. Only the standard library is used, for the program replaces the files of
Salt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

JOB_MAY_LAST = 1800  # seconds
_RESTS = ("inactive", "failed", "unknown")  # what systemctl says of a unit that does nothing
_KEPT = 800  # characters of a command's output that are kept


def main(record: Path) -> int:
    """Do what the record says, and write down how it went.

    record (Path): a file with {"job": the process that asked, or 0, "ask": [[argument, …]] that may fail,
    "updaters": [units that have to rest before], "patience": seconds for that, "commands": [[argument, …]],
    "environment": {name: value} for those, "afterwards": [[argument, …]] whose last restarts the minion}. Its
    "state" becomes `done` or `failed`, with a "message". Returns the exit status.
    """
    task = json.loads(record.read_text(encoding="utf-8"))
    until = time.monotonic() + JOB_MAY_LAST
    while task["job"] and Path(f"/proc/{task['job']}").exists() and time.monotonic() < until:
        time.sleep(0.5)
    for command in task["ask"]:
        _failure(command, {})
    working = _working(task["updaters"], task["patience"])
    moving = [] if working else task["commands"]
    failures = [f"for {task['patience']:.0f} s {', '.join(working)} works"] if working else []
    failures += [_failure(command, task["environment"]) for command in moving]
    # Also after a failure: half a transaction may have replaced files that the minion runs.
    failures += [_failure(command, {}) for command in task["afterwards"]]
    message = "; ".join(filter(None, failures))
    task.update(state="failed" if message else "done", message=message)
    scratch = record.with_suffix(".new")
    scratch.write_text(json.dumps(task), encoding="utf-8")
    scratch.chmod(0o600)
    scratch.rename(record)
    return 1 if message else 0


def _working(units: list[str], patience: float) -> list[str]:
    """The units that still work when all of them rest, or the time is over."""
    until = time.monotonic() + patience
    while units:
        states = _run(["systemctl", "is-active", *units], {}).stdout.split()
        working = [unit for unit, state in zip(units, states, strict=False) if state not in _RESTS]
        if not working or time.monotonic() >= until:
            return working
        time.sleep(1)
    return []


def _failure(command: list[str], environment: dict[str, str]) -> str:
    done = _run(command, environment)
    print(done.stdout, done.stderr, flush=True)
    return f"{' '.join(command[:3])}: {(done.stdout + done.stderr)[-_KEPT:]}" if done.returncode else ""


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
