"""Two releases compared, as text and as one HTML file that needs nothing else. Only layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from openstack_rollout.screens import account, tables
from openstack_rollout.screens.templates import style

_SHORT = 19  # of a digest, with its sha256:


class Part(NamedTuple):
    """A table of the comparison: its title, the names of its columns, its rows."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def text(data: Mapping[str, Any]) -> str:
    """The whole of it in a terminal."""
    shown = [heading(data)]
    for part in parts(data):
        shown.append(f"{part.title}\n{tables.table(tuple(one.upper() for one in part.head), part.rows)}")
    return "\n\n".join(shown)


def html(data: Mapping[str, Any], made: float) -> str:
    """The whole of it as a file. made (float): when, seconds since the epoch."""
    from openstack_rollout.screens import frames  # noqa: PLC0415 - it needs jinja2, for this form alone

    title = f"{data['from']} → {data['to']}"
    return frames.rendered(
        *("release_diff", frames.NO_SCRIPT, title, style.TEXT),
        title=title,
        line=heading(data),
        parts=list(parts(data)),
        made=account.moment(made),
    )


def heading(data: Mapping[str, Any]) -> str:
    """One line: what is compared."""
    said = {True: "", False: ": an older one", None: ": nothing tells which is newer"}[data["newer"]]
    said = ": the same" if data["from"] == data["to"] else said
    count = f"{len(data['images'])} images differ, {data['same']} are the same"
    return f"{data['from']} to {data['to']}{said}; {count}, {len(data['packages'])} packages differ"


def parts(data: Mapping[str, Any]) -> Iterator[Part]:
    """The tables that have anything in them, in their order."""
    effects = [
        (
            *(role, one["stage"], _named(one["restarts"])),
            *(_named(one["packages"]), one["drain"], one["reboot"]),
        )
        for role, stages in data["roles"].items()
        for one in stages
    ]
    images = [
        (
            *(_key(key, one), _image(one["from"]), _day(one["built"][0])),
            *(_image(one["to"]), _day(one["built"][1])),
        )
        for key, one in data["images"].items()
    ]
    labels = [
        (key, label, *pair) for key, one in data["images"].items() for label, pair in one["labels"].items()
    ]
    inside = [
        (key, name, *(version or "-" for version in pair))
        for key, one in data["images"].items()
        for name, pair in one["packages"].items()
    ]
    mended = [
        (name, one["severity"], ", ".join(one["cves"]), _named(one["packages"]))
        for name, one in data["advisories"].items()
    ]
    named = [(name, _version(one["from"]), _version(one["to"])) for name, one in data["packages"].items()]
    also = [(what, name) for what in ("migrations", "checks", "services", "notes") for name in data[what]]
    also += [("irreversible", "nodes cannot go back")] if data["irreversible"] else []
    every = [
        Part("What it does to a node", ("role", "stage", "restarts", "packages", "drain", "reboot"), effects),
        Part("Images", ("image", "from", "built", "to", "built"), images),
        Part("Labels of images", ("image", "label", "from", "to"), labels),
        Part("Advisories that it mends", ("advisory", "severity", "CVEs", "packages"), mended),
        Part("Packages in images", ("image", "package", "from", "to"), inside),
        Part("Packages that the releases name", ("package", "from", "to"), named),
        Part("Also new", ("what", "name"), also),
        Part("Not known", ("what", "why"), list(data["unknown"].items())),
    ]
    yield from (one for one in every if one.rows)


def _key(key: str, one: Mapping[str, Any]) -> str:
    return f"{key} (a custom image takes its place)" if one["custom"] else key


def _image(reference: str | None) -> str:
    if reference is None:
        return "-"
    name, _, digest = reference.partition("@")
    return f"{name}@{digest[:_SHORT]}" if digest else name


def _day(built: str) -> str:
    return built.partition("T")[0]


def _version(said: Any) -> str:
    if isinstance(said, Mapping):
        return ", ".join(f"{family} {version}" for family, version in said.items())
    return said or "-"


def _named(names: Sequence[str] | Mapping[str, str]) -> str:
    if isinstance(names, Mapping):
        return ", ".join(f"{name} {version}" for name, version in names.items()) or "-"
    return ", ".join(names) or "-"
