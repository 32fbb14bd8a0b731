"""What rollout.survey looks like in a terminal. Only layout: every fact comes with the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.errors import some
from openstack_rollout.screens.tables import table

_HEADS = ("CONTAINER", "DEPLOYER", "UNIT", "ENGINE", "IMAGE", "DIGEST", "SERVICE TYPE", "NODES")
_PACKAGED_HEADS = ("SERVICE TYPE", "UNITS", "PACKAGES", "BUILT BY", "NODES")
_DIGEST = 19  # characters: sha256: and the first twelve digits
_WORDS = {
    "unknown": "(no type)",
    "foreign": "(not touched)",
    "once": "(ran once)",
    "sidecar": "(sidecar)",
}


def text(data: Mapping[str, Any]) -> str:
    """The text of a survey: a table for each group of nodes with the same roles, then what to look at."""
    groups: dict[tuple[tuple[str, ...], bool], list[str]] = {}
    for name, node in data["nodes"].items():
        groups.setdefault((tuple(node["roles"]), node["guessed"]), []).append(name)
    parts = [_group(roles, guess, names, data) for (roles, guess), names in sorted(groups.items())]
    for title, lines in _sections(data):
        parts += ["\n".join([title, *(f"  {line}" for line in lines)])] if lines else []
    return "\n\n".join(parts) or "no node answered"


def _group(roles: Sequence[str], guess: bool, names: Sequence[str], data: Mapping[str, Any]) -> str:
    said = f"{' and '.join(roles) or 'no role'}{' (guessed)' if guess and roles else ''}"
    head = f"{said}: {some(names)}"
    nodes = [data["nodes"][name] for name in names]
    containers = [_row(container, one) for node in nodes for container, one in node["containers"].items()]
    packaged = [_packaged_row(kind, one) for node in nodes for kind, one in node["packaged"].items()]
    tables = [
        table(heads, [(*row, f"{count}/{len(names)}") for row, count in sorted(Counter(rows).items())])
        for heads, rows in ((_HEADS, containers), (_PACKAGED_HEADS, packaged))
        if rows
    ]
    return "\n".join([head, *(tables or ["no containers"])])


def _row(container: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    unit = one["unit"]
    if one["unit_state"] not in ("", "active"):
        unit += f" ({one['unit_state']})"
    word = _WORDS.get(one["kind"], "")
    kind = one["type"] if not word or one["kind"] == "foreign" else ""
    if one["agent"]:
        word = f"(of {one['agent']}{', old' if one.get('stale') else ''})"
    if one["kind"] == "bundle":
        word = "(Pacemaker)"
    if not one["running"] and one["kind"] != "once":
        word = f"{word} (stopped)".strip()
    return (
        container,
        one["deployer"],
        unit,
        one["engine"].removesuffix("_engine"),
        one["image"].partition("@")[0],
        one["digest"][:_DIGEST],
        f"{kind} {word}".strip(),
    )


def _packaged_row(kind: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    units = [name if state == "active" else f"{name} ({state})" for name, state in one["units"].items()]
    packages = [f"{name} {', '.join(versions)}" for name, versions in one["packages"].items()]
    beside = " (runs in a container too)" if one["beside"] else ""
    return f"{kind}{beside}", ", ".join(units), some(packages), ", ".join(one["vendors"])


def _sections(data: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """What is told below the tables: a title, and its lines."""
    yield from _of_the_cloud(data)
    yield from _of_nodes(data["nodes"])
    yield "No answer:", [f"{name}: {one['reason']}: {one['message']}" for name, one in data["silent"].items()]
    left = data.get("left_out") or []
    yield "Not asked, since no role means them (nodes= asks them):", [some(left)] if left else []
    yield "Written:", list(data.get("written") or [])


def _of_the_cloud(data: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """What several nodes together show, before a release can be made of them."""
    yield (
        "Maps to nothing:",
        [
            f"{container} ({one['deployer']}, {one['image']}) on {some(one['nodes'])}"
            for container, found in data["unmapped"].items()
            for one in found
        ],
    )
    yield (
        "Runs on some nodes of a role, not on others:",
        [
            f"{name}: {some(one['nodes'])}, not {some(one['missing'])}"
            for name, one in data["services"].items()
            if one["missing"]
        ],
    )
    yield "Runs two images:", list(_two_images(data["images"]))
    yield (
        "Has two versions of a package:",
        [
            f"{name}: {one['version']} on {some(one['nodes'])} (taken), {other} on {some(on)}"
            for name, families in data["packages"].items()
            for one in families.values()
            for other, on in one["others"].items()
        ],
    )
    yield (
        "Runs in containers and is packages:",
        [
            f"{kind}: container on {some(one['containers'])}, packages on {some(one['packages'])}"
            for kind, one in data["both"].items()
            if one["containers"] and one["packages"]
        ],
    )
    yield "Is one of both alone (openstack:services:NAME:deploy), and is not:", list(_both(data["both"]))
    yield (
        "Runs an image that no registry has, which cannot be part of a release:",
        [
            f"{container}: {image} on {some(on)}"
            for container, images in data["undigested"].items()
            for image, on in images.items()
        ],
    )


def _of_nodes(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """What is odd on nodes by themselves."""
    yield (
        "Would start another image than it runs:",
        [
            f"{name}: {container}: {one['definition']}"
            for name, node in nodes.items()
            for container, one in node["containers"].items()
            if one["definition"] and one["image"] and one["definition"] != one["image"]
        ],
    )
    yield (
        "Two installers on one node:",
        [
            f"{name}: {', '.join(_installer(word, one) for word, one in node['installers'].items())}"
            for name, node in nodes.items()
            if len(node["installers"]) > 1
        ],
    )
    yield (
        "Units that do not run:",
        [
            f"{name}: {one['unit']} is {one['trouble']}"
            for name, node in nodes.items()
            for one in node["units"]
        ],
    )
    yield (
        "Could not be told:",
        [f"{name}: {line}" for name, node in nodes.items() for line in node["trouble"]],
    )


def _both(kinds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for kind, one in kinds.items():
        if one["at_once"]:
            yield f"{kind}: runs in a container and as packages on {some(one['at_once'])}"
        for role in one["roles"]:
            yield f"{kind}: packages on {some(one['packages'])}, role {role} has a container of ours"


def _two_images(images: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for key, one in images.items():
        for digest, on in one["others"].items():
            taken = f"{one['digest'][:_DIGEST]} on {some(one['nodes'])} (taken)"
            yield f"{key}: {taken}, {digest[:_DIGEST] or 'one of no registry'} on {some(on)}"


def _installer(word: str, one: Mapping[str, int]) -> str:
    return f"{word} ({one['containers']} containers, {one['units']} units)"
