"""What rollout.prune and rollout.accept look like in a terminal. Only layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.errors import some
from openstack_rollout.screens import tables

_MIB = 2**20


def text(data: Mapping[str, Any]) -> str:
    """What nodes removed, or would."""
    nodes = data["pruned_nodes"]
    rows = [
        (node, str(len(one["images"])), str(len(one["packages"])), size(one["freed"]))
        for node, one in nodes.items()
    ]
    would = "would be " if data["test"] else ""
    parts = [tables.table(("NODE", "IMAGES", "PACKAGES", "FREED"), rows)] if rows else []
    parts.append(f"{size(data['freed'])} {would or 'are '}free; run {data['run']} is accepted")
    for what in ("images", "packages"):
        parts += _lines(nodes, what, f"{would}removed")
    for what, word in (("left", "left alone"), ("failed", "could not be removed")):
        parts += _grouped({node: one[what] for node, one in nodes.items()}, word)
    parts += [f"{node}: nothing was done: {why}" for node, why in data["untouched"].items()]
    return "\n".join(parts)


def size(count: float) -> str:
    """A number of bytes."""
    return f"{count / _MIB:.1f} MiB" if count < 1024 * _MIB else f"{count / 1024 / _MIB:.1f} GiB"


def _lines(nodes: Mapping[str, Mapping[str, Any]], key: str, word: str) -> list[str]:
    """Each thing once, with the nodes that have it."""
    found: dict[str, list[str]] = {}
    for node, one in nodes.items():
        for name in one[key]:
            found.setdefault(name, []).append(node)
    return [f"{word}: {name} ({some(names)})" for name, names in sorted(found.items())]


def _grouped(nodes: Mapping[str, Mapping[str, str]], word: str) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for node, one in nodes.items():
        for item in one.items():
            found.setdefault(item, []).append(node)
    return [f"{word}: {name}: {why} ({some(names)})" for (name, why), names in sorted(found.items())]
