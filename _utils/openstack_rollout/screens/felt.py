"""What guests felt of a run, in words and rows, for every kind of report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.screens import times

HEAD = ("Guest", "Address", "Gaps", "Longest", "In all", "Probes", "Lost")
GAPS_HEAD = ("Guest", "From", "For", "Lost", "Put down to")


def lines(audit: Mapping[str, Any]) -> list[str]:
    """How guests were probed, when nobody did, and why nobody does."""
    by = audit["by"] or "the master"
    told = [
        f"Probed by {by}, {audit['how']}, each address every {audit['apart']:.3g} s, by the run's own clock."
    ]
    told += [
        f"Nobody probed from {times.second(one['from'])} to {times.second(one['to'])}"
        f" ({times.took(one['to'] - one['from'])}): what guests felt then is not known."
        for one in audit["unknown"]
    ]
    return [*told, *([f"Nobody probes any more: {audit['problem']}"] if audit["problem"] else [])]


def rows(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The guests, a row each, as HEAD; who had the most gaps comes first."""
    return [_row(one) for one in audit["guests"]]


def gaps(audit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The gaps in the order of time, a row each, as GAPS_HEAD."""
    found = [(gap, one) for one in audit["guests"] for gap in one["gaps"]]
    return [
        (called(one), times.second(gap["from"]), _for(gap), str(gap["lost"]), cause(gap))
        for gap, one in sorted(found, key=lambda pair: pair[0]["from"])
    ]


def called(guest: Mapping[str, Any]) -> str:
    """A guest by its name and its address."""
    return " ".join(filter(None, (guest["server"], guest["address"])))


def cause(gap: Mapping[str, Any]) -> str:
    """What a gap is put down to."""
    steps = [
        f"{one['node']} {'/'.join(filter(None, (one['stage'], one['round'], one['step'])))}"
        for one in gap["causes"]
    ]
    if not steps:
        return "no step of the run"
    return steps[0] if len(steps) == 1 else f"one of: {', '.join(steps)}"


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    name, address = one["server"] or one["address"], one["address"] if one["server"] else ""
    if one["problem"] and not one["sent"]:
        return (name, address, f"not probed: {one['problem']}", "", "", "", "")
    if one["sent"] and not one["answered"]:
        return (name, address, "never answered", "", "", str(one["sent"]), str(one["sent"]))
    count = len(one["gaps"]) + one["forgotten"]
    also = f" (the longest {len(one['gaps'])} are told)" if one["forgotten"] else ""
    longest, in_all = (times.took(one["longest"]), times.took(one["seconds"])) if count else ("", "")
    lost = one["sent"] - one["answered"]
    return (name, address, f"{count}{also}", longest, in_all, str(one["sent"]), str(lost))


def _for(gap: Mapping[str, Any]) -> str:
    more = " or longer" if gap["cut"] else ""
    return times.took(gap["seconds"]) + more + (", it lasts" if gap["lasts"] else "")
