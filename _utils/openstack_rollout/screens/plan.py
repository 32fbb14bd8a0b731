"""The text of rollout.plan: the tree of its stages, and what would change on each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from openstack_rollout.errors import some
from openstack_rollout.screens import times

_REBOOTS = {"when_required": "where required", "always": "always"}
_WAVES = 12  # lines of waves of a role; of more, the number is given


def text(data: Mapping[str, Any], workloads: str = "") -> str:
    """The text of a plan (its data). workloads: the text of the risks of its drains."""
    lines = [_title(data)]
    if data.get("until"):
        lines.append(f"stops after {data['until']}, until it is told to go on")
    if data["refused"]:
        lines += [f"would be refused: {data['refused']}", data["remedy"]]
    stages = [stage for stage in data["stages"] if stage["rounds"]]
    if data["prefetch"]:
        together, nodes = data["prefetch_together"], data["prefetch"]
        at_once = f", {together} at a time" if len(nodes) > together else ""
        lines.append(f"prefetch{at_once}: {', '.join(nodes)}")
    for stage in stages:
        lines += ["", stage["stage"], *_stage(stage)]
    lines += _times(data.get("estimate"))
    if not stages:
        lines.append("no node needs anything")
    lines += [
        f"{stage['stage']}: outside of the limit, not at the release: {some(stage['outside'])}"
        for stage in data["stages"]
        if stage["outside"]
    ]
    lines += _boots(data.get("boots", {}))
    if workloads:
        lines += ["", "Workloads that will be moved:", workloads]
    for name, changed in data["nodes"].items():
        for stage, changes in changed.items():
            lines += ["", f"{name}, {stage}:"]
            lines += [f"  {_predicted(change)}" for change in changes]
    lines += [f"{name}: {line}" for name, line in data["failures"].items()]
    lines += _beside(data)
    return "\n".join(lines)


def limited(limit: str | None) -> str:
    """What is said of a limit behind a run's title."""
    return f", limited to {limit}" if limit else ""


def _times(estimate: Mapping[str, Any] | None) -> list[str]:
    """How long all of it is expected to take, each stage, and each of its roles."""
    if not estimate or not estimate["stages"]:
        return []
    whole = f"{times.took(estimate['seconds'])}{times.begins(estimate)}{times.assumed(estimate)}"
    lines = ["", f"estimated time: {whole}"]
    for stage, one in estimate["stages"].items():
        roles = ", ".join(f"{role} {times.took(seconds)}" for role, seconds in one["roles"].items())
        lines.append(f"  {stage}: {times.took(one['seconds'])}{roles and f' ({roles})'}")
    return lines


def _title(data: Mapping[str, Any]) -> str:
    rollback = data.get("rollback")
    if not rollback:
        return f"Update to {data['target']}{limited(data.get('limit'))}"
    release = f" ({rollback['release']})" if rollback["release"] else ""
    title = f"Rollback of run {rollback['of']}: nodes go back to what they were before it{release}"
    return title + limited(data.get("limit"))


def _beside(data: Mapping[str, Any]) -> Iterator[str]:
    """What a rollback leaves alone, and why; and what it has to fetch."""
    for node in data["gone"] if data.get("rollback") else ():
        yield f"{node}: it is no accepted minion any more"
    for node, names in (data.get("rollback") or {}).get("others", {}).items():
        yield f"{node}: moved by somebody else since, stays: {some(names)}"
    pulls: dict[tuple[str, str], list[str]] = {}
    for node, images in (data.get("rollback") or {}).get("pulls", {}).items():
        for one in images.items():
            pulls.setdefault(one, []).append(node)
    for (service, image), nodes in pulls.items():
        yield f"{some(nodes)}: {service}: {image} is not there any more, and is pulled again"


def _boots(boots: Mapping[str, Sequence[Mapping[str, str]]]) -> list[str]:
    """What is doubtful about the next boot, each once with its nodes."""
    by_text: dict[str, list[str]] = {}
    for node, doubts in boots.items():
        for one in doubts:
            by_text.setdefault(one["text"], []).append(node)
    return [f"{some(nodes)}: the next boot: {text}" for text, nodes in by_text.items()]


def _stage(stage: Mapping[str, Any]) -> Iterator[str]:
    for one in stage["rounds"]:
        indent = "  "
        if one["name"]:
            yield f"  round {one['name']}: {', '.join(one['services'])}"
            indent = "    "
        for role in one["roles"]:
            yield f"{indent}{role['role']}: {', '.join(_terms(role))}"
            yield from (f"{indent}  {line}" for line in _waves(role))


def _terms(role: Mapping[str, Any]) -> Iterator[str]:
    yield f"batch {role['batch']}{', nothing is disturbed' if role['undisturbing'] else ''}"
    if role["per_zone"]:
        yield f"{role['per_zone']} in a zone"
    if role["failures"] or role["group_failures"]:
        groups = ", ".join(f"{count} of {group}" for group, count in role["group_failures"].items())
        yield f"{role['failures']} may fail{groups and f' ({groups})'}"
    for kind, nodes in role["one_of_a_kind"].items():
        yield f"one at a time of {some(nodes)} ({kind.replace('_', ' ')})"
    if role["drain"] != "none":
        yield f"drained by {role['drain']}"
    if role["reboot"] in _REBOOTS:
        yield f"rebooted {_REBOOTS[role['reboot']]}"
    if role["soak"]:
        yield f"{role['soak']:.0f} s of soak after the canaries"


def _waves(role: Mapping[str, Any]) -> list[str]:
    lines = []
    for number, wave in enumerate(role["waves"], 1):
        kinds = groupby(wave["nodes"], key=lambda node: node["steps"])
        named = "; ".join(f"{', '.join(_ids(nodes))}: {' > '.join(steps)}" for steps, nodes in kinds)
        about = ", ".join(filter(None, ("canary" if wave["canary"] else "", wave["group"])))
        lines.append(f"wave {number}{f' ({about})' if about else ''}: {named}")
    more = len(lines) - _WAVES
    return [*lines[:_WAVES], f"and {more} more waves"] if more > 0 else lines


def _ids(nodes: Any) -> Sequence[str]:
    return [node["id"] for node in nodes]


def _predicted(change: Mapping[str, Any]) -> str:
    comment = " ".join(change["comment"].split())
    return ": ".join(filter(None, (change["state"], "would fail" if change["fails"] else "", comment)))
