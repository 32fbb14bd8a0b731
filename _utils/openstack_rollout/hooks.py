"""Hooks: an operator's own commands or SLS before and after the steps of a stage, and a release's migrations.

Which there are is data of the pillar; running them is the node's affair (`_modules/rollout_hooks.py`). A
migration is a hook that belongs to a release, runs once a node, and is gone with its release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.catalog import STAGES
from openstack_rollout.schema import Problems

STEPS = ("drain", "apply", "reboot", "verify", "restore")
MOMENTS = tuple(f"{moment}_{step}" for step in STEPS for moment in ("before", "after"))
TIMEOUT = 300  # seconds
ON_FAILURE = ("fail", "go_on")
# A migration follows the update of its stage's packages and containers, and precedes the proof.
MIGRATION = "after_apply"
_KEYS = ("name", "command", "sls", "timeout", "on_failure", "nodes")
_MIGRATION_KEYS = (*_KEYS, "stage")


def of(openstack: Mapping[str, Any], stage: str, moment: str) -> list[dict[str, Any]]:
    """The hooks of a moment of a stage, with their defaults, in the operator's order."""
    found = ((openstack.get("hooks") or {}).get(stage) or {}).get(moment) or ()
    return [_whole(hook) for hook in found]


def migrations(openstack: Mapping[str, Any], version: str, stage: str | None = None) -> list[dict[str, Any]]:
    """The migrations of a release (for a stage), with their defaults; their `id` is "VERSION NAME"."""
    found = ((openstack.get("releases") or {}).get(version) or {}).get("migrations") or ()
    return [
        {**_whole(one), "stage": one["stage"], "id": f"{version} {one['name']}"}
        for one in found
        if stage in (None, one["stage"])
    ]


def steps(openstack: Mapping[str, Any], stage: str, names: Sequence[str], version: str) -> tuple[str, ...]:
    """The steps of a stage with those of its hooks among them: before_apply, apply, after_apply, …"""
    found: list[str] = []
    for name in names:
        for moment in (f"before_{name}", name, f"after_{name}"):
            hooked = of(openstack, stage, moment) or (
                moment == MIGRATION and migrations(openstack, version, stage)
            )
            if moment == name or hooked:
                found.append(moment)
    return tuple(found)


def is_moment(step: str) -> bool:
    """Whether a step is that of hooks."""
    return step in MOMENTS


def check(found: Problems, openstack: Mapping[str, Any]) -> None:
    """Note what is wrong with the hooks of the pillar."""
    path = "openstack:hooks"
    stages = found.mapping(path, openstack.get("hooks"))
    for stage in found.keys(path, stages, STAGES, "stage"):
        moments = found.mapping(f"{path}:{stage}", stages[stage])
        for moment in found.keys(f"{path}:{stage}", moments, MOMENTS, "moment"):
            _check_list(found, f"{path}:{stage}:{moment}", moments[moment], _KEYS)


def check_migrations(found: Problems, path: str, value: Any) -> None:
    """Note what is wrong with the migrations of a release."""
    for here, entry in _check_list(found, path, value, _MIGRATION_KEYS):
        found.choice(f"{here}:stage", entry.get("stage"), STAGES)


def _check_list(
    found: Problems, path: str, value: Any, keys: Iterable[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    if value is not None and not isinstance(value, list):
        found.add(path, "has to be a list of hooks")
        return []
    good = []
    for number, raw in enumerate(value or ()):
        here = f"{path}:{number}"
        entry = found.mapping(here, raw)
        found.keys(here, entry, keys)
        found.string(f"{here}:name", entry.get("name", ""))
        if ("command" in entry) == ("sls" in entry):
            found.add(here, "needs either a command (a list) or an sls")
        elif "command" in entry:
            found.strings(f"{here}:command", entry["command"])
        else:
            found.string(f"{here}:sls", entry["sls"])
        found.number(f"{here}:timeout", entry.get("timeout", TIMEOUT), 1)
        found.choice(f"{here}:on_failure", entry.get("on_failure", "fail"), ON_FAILURE)
        if "nodes" in entry:
            found.string(f"{here}:nodes", entry["nodes"])
        good.append((here, entry))
    return good


def _whole(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {"timeout": TIMEOUT, "on_failure": "fail", "nodes": "*", **hook}
