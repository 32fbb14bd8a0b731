"""Renew salt-minion from outside of it: wait for the job that asked, move the packages, restart the minion.

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
_KEPT = 800  # characters of a command's output that are kept


def main(record: Path) -> int:
    """Do what the record says, and write down how it went.

    record (Path): a file with {"job": the process that asked, or 0, "commands": [[argument, …]],
    "environment": {name: value} for those, "afterwards": [[argument, …]] whose last restarts the minion}. Its
    "state" becomes `done` or `failed`, with a "message". Returns the exit status.
    """
    task = json.loads(record.read_text(encoding="utf-8"))
    until = time.monotonic() + JOB_MAY_LAST
    while task["job"] and Path(f"/proc/{task['job']}").exists() and time.monotonic() < until:
        time.sleep(0.5)
    failures = [_failure(command, task["environment"]) for command in task["commands"]]
    # Also after a failure: half a transaction may have replaced files that the minion runs.
    failures += [_failure(command, {}) for command in task["afterwards"]]
    message = "; ".join(filter(None, failures))
    task.update(state="failed" if message else "done", message=message)
    scratch = record.with_suffix(".new")
    scratch.write_text(json.dumps(task), encoding="utf-8")
    scratch.chmod(0o600)
    scratch.rename(record)
    return 1 if message else 0


def _failure(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    print(done.stdout, done.stderr, flush=True)
    return f"{' '.join(command[:3])}: {(done.stdout + done.stderr)[-_KEPT:]}" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
