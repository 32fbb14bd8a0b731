"""What release.import says in a terminal. Only words and layout: every fact comes with the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_WHY = {
    "asked": "as you asked",
    "no_node": "of no node: an operator's own, a test's, a deployer's",
    "unknown": "no image key or service type has it",
    "empty": "has no image",
    "apart": "has its image elsewhere",
    "unpinned": "has no digest, and no enabled service needs it",
}


def text(data: Mapping[str, Any]) -> str:
    """The whole of it. data: of release.import."""
    parts = [[f"{data['source']}: {data['imported']}", *_indented(data["notes"])]]
    parts += [list(_release(one)) for one in data["releases"]]
    custom = data["custom"]
    if custom["custom_images"] or custom["skipped"]:
        parts.append(["custom_images, for openstack:custom_images of the pillar:", *_images(custom)])
    if data["written"]:
        parts.append([f"written: {path}" for path in data["written"]])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _release(one: Mapping[str, Any]) -> Iterator[str]:
    follows = one["release"].get("follows")
    yield f"release {one['version']}: {_count(one)} images{f', newer than {follows}' if follows else ''}"
    if one["known"]:
        yield f"  is in the catalogue already, as {one['known']}: two files of one release are refused"
    yield from _images(one)
    changes = one["changes"]
    if changes["since"]:
        yield f"  changed since {changes['since']}:"
        yield from (f"    {key}: {before} -> {now}" for key, (before, now) in changes["changed"].items())
        yield from _listed("new", changes["added"])
        yield from _listed("gone", changes["gone"])
        if not any(changes[key] for key in ("changed", "added", "gone")):
            yield "    nothing"
    if one["missing"]:
        yield "  missing for enabled services:"
        yield from (f"    {key}: {', '.join(services)}" for key, services in one["missing"].items())


def _images(one: Mapping[str, Any]) -> Iterator[str]:
    images = dict(_flat(one["custom_images"] if "custom_images" in one else one["release"]["images"]))
    if one["taken"]:
        yield "  taken:"
        for key, name in one["taken"].items():
            shown = f" ({name})" if name != images.get(key) and not name.endswith(images.get(key, "")) else ""
            yield f"    {key}: {images.get(key)}{shown}"
    if one["copied"]:
        yield "  copied:"
        yield from (f"    {key} <- {other}" for key, other in one["copied"].items())
    if one["repaired"]:
        yield "  repaired:"
        yield from (f"    {name} is spelt {right}" for name, right in one["repaired"].items())
    if one["repeated"]:
        yield "  there again, with the same image:"
        yield from _indented(one["repeated"], 4)
    if one["latest"]:
        yield "  without a tag, taken as :latest, which moves:"
        yield from _indented(one["latest"], 4)
    if one["skipped"]:
        yield "  skipped:"
        for skipped in one["skipped"]:
            more = f": {skipped['detail'].removeprefix(', ')}" if skipped["detail"] else ""
            yield f"    {skipped['name']}: {_WHY[skipped['why']]}{more}"


def _flat(images: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in images.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}:{backend}", reference) for backend, reference in value.items())
        else:
            yield key, value


def _count(one: Mapping[str, Any]) -> int:
    return len(list(_flat(one["release"]["images"])))


def _listed(what: str, keys: Sequence[str]) -> Iterator[str]:
    if keys:
        yield f"    {what}: {', '.join(keys)}"


def _indented(lines: Iterable[str], by: int = 2) -> Iterator[str]:
    return (f"{' ' * by}{line}" for line in lines)
