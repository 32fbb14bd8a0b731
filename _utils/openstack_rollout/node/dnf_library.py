"""Asking dnf's own library, by a program (`ask_dnf`) on the Python that dnf itself runs on.

Its answers are records; nothing of what dnf prints for people is read.
"""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.node import commands, package_errors
from openstack_rollout.node.errors import NodeError

_PROGRAM = Path(__file__).with_name("ask_dnf.py")
#: Questions that another program answers.
_OTHERS = {name: _PROGRAM.with_name(f"ask_dnf_{name}.py") for name in ("sources", "sizes", "security")}
_DNF = (Path("/usr/bin/dnf-3"), Path("/usr/bin/dnf"))
_SHEBANG = b"#!"
_PATIENCE, _LOOK_EVERY, _LONGEST = 60.0, 1.0, 600.0  # seconds
#: dnf's exceptions (dnf.exceptions), and the reason that each stands for where its text tells no other.
_REASONS = {
    "RepoError": "REPOSITORY_BROKEN",
    "DownloadError": "REPOSITORY_BROKEN",
    "LockError": "PACKAGE_LOCKED",
}


def ask(salt: Mapping[str, Any], question: Mapping[str, Any], *, longest: float = math.inf) -> dict[str, Any]:
    """What dnf's library answers.

    salt (dict): the caller's `__salt__`. question (dict): as `ask_dnf` describes: {"ask": state or resolve,
    …}. longest (float): seconds that the answer may take, where that is less than otherwise.

    Returns the answer; a lock of dnf's is waited for, a minute at most.
    Raises NodeError REPOSITORY_BROKEN, PACKAGE_LOCKED, or another reason of the package manager's.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _asked(salt, question, min(longest, _LONGEST))
        except NodeError as error:
            if error.reason != "PACKAGE_LOCKED" or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_EVERY)


def _asked(salt: Mapping[str, Any], question: Mapping[str, Any], longest: float) -> dict[str, Any]:
    command = [*_python(), "-I", str(_OTHERS.get(question["ask"], _PROGRAM))]
    result = commands.run(salt, command, env=commands.UNATTENDED, stdin=json.dumps(question), timeout=longest)
    try:
        said = json.loads(result.stdout)
    except ValueError:
        raise NodeError(
            "PACKAGE_FAILED", f"dnf's library does not answer: {result.complaint(lines=3)}"
        ) from None
    if "answer" in said:
        return said["answer"]
    found = next((_REASONS[kind] for kind in said["kinds"] if kind in _REASONS), "PACKAGE_FAILED")
    raise package_errors.classified(said["error"], found)


def refuse_removals(plan: Mapping[str, Any], allowed: Collection[str] = ()) -> None:
    """Refuse what dnf would do, when a package would go, or would have to, that nobody asked to go.

    plan (dict): as ask_dnf answers `resolve`. allowed: NEVRAs, or names of packages, that may go.

    Raises NodeError PACKAGE_REMOVAL.
    """
    going = plan.get("needs") or plan.get("removed") or {}
    wrong = [one for one in going.values() if not {one["nevra"], one["name"]} & set(allowed)]
    if wrong:
        said = sorted(f"{one['nevra']} for {one['by']}" if one["by"] else one["nevra"] for one in wrong)
        why = f": {package_errors.line(plan['problem'])}" if "problem" in plan else ""
        raise NodeError("PACKAGE_REMOVAL", f"nothing was touched, for these would go: {', '.join(said)}{why}")


def refuse_downgrades(plan: Mapping[str, Any], asked: Collection[str] = ()) -> None:
    """Refuse what dnf would do, when a package would go back to an older version that nobody asked for.

    plan (dict): as ask_dnf answers `resolve`. asked: names of packages that may.

    Raises NodeError PACKAGE_FAILED.
    """
    wrong = [one["nevra"] for one in plan.get("downgraded", ()) if one["name"] not in asked]
    if wrong:
        raise NodeError(
            "PACKAGE_FAILED",
            f"nothing was touched, for these would come in place of newer ones: {', '.join(sorted(wrong))}",
        )


def _python() -> list[str]:
    """The interpreter that dnf names in its first line."""
    for path in _DNF:
        try:
            with path.open("rb") as program:
                first = program.readline(200)
        except OSError:
            continue
        if first.startswith(_SHEBANG):
            return shlex.split(first.removeprefix(_SHEBANG).decode())
    raise NodeError("PACKAGE_FAILED", f"no dnf 4 is here: {', '.join(map(str, _DNF))}")
