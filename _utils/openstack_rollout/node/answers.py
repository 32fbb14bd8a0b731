"""How states answer: the one place that makes their return.

A failure has its error's reason as a field of its own, `reason`, beside the keys that Salt asks for, and what
else is to be known of it (node/errors.py). Salt hands such keys on to whoever asked for the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout.node.errors import record_of


def answer(
    name: str, result: bool | None, comment: str, changes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The return of a state.

    name (str): of the state. result (bool): None for what a run with test=True would change.
    comment (str): one sentence. changes (dict): {what: {"old", "new"}}.
    """
    return {"name": name, "result": result, "comment": comment, "changes": dict(changes or {})}


def failed(name: str, error: BaseException, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The return of a state that an error ended; `reason` is there where the error carries one.

    name (str): of the state. error: what was raised. changes (dict): what was changed nevertheless.
    """
    return answer(name, False, str(error), changes) | record_of(error)


def to_come(packages: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The changes of packages that are about to come: {name: {"old": "", "new": version}}.

    packages (dict): {name: version}.
    """
    return {name: {"old": "", "new": version} for name, version in packages.items()}


def held_off(updaters: Iterable[str]) -> str:
    """What a sentence about packages that moved ends with: which updaters could not begin meanwhile.

    updaters (list): their services; of none nothing is told.
    """
    names = ", ".join(sorted(updaters))
    return f"; held off meanwhile: {names}" if names else ""


def named(packages: Mapping[str, str]) -> str:
    """Packages and their versions for a sentence, as "a 1, b 2".

    packages (dict): {name: version}.
    """
    return ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
