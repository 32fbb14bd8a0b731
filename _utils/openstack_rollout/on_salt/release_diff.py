"""Two releases compared: what they say, what registries say of their images, what an update would do."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from openstack_rollout.declared import release_diff
from openstack_rollout.declared.advisories import Advisories, Moved
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import image_packages, registry
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.on_salt.image_packages import Contents
from openstack_rollout.on_salt.registry import Reach
from openstack_rollout.rollout import effects

_LONGEST = 200  # characters of a label
_ZSTD = b"\x28\xb5\x2f\xfd"  # how a file begins that no library of all our Pythons unpacks
#: How a packed file begins → what unpacks it.
_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"BZh": bz2.decompress,
}


def diff(
    model: Model,
    first: str,
    second: str,
    reach: Reach | None,
    *,
    packages: bool = False,
    advisories: Sequence[str] = (),
) -> dict[str, Any]:
    """All that is different in the second of two releases.

    model: what is declared, with the second release as its target. first, second (str): versions. reach: what
    is declared of registries; None to ask none. packages: read those of images that differ. advisories: paths
    of files that say what mends something of security.

    Returns what declared.release_diff.content tells; each image has "built": (date of the first, of the
    second), "" where it is not known, "labels": {name: (first, second)} of those that differ, and "packages"
    in the same form. "advisories" as of Advisories.mended. "roles" and "unknown" as of
    rollout.effects.of_roles, and in "unknown" images of which nothing could be told. Raises RolloutError
    WRONG_ARGUMENT for a file of advisories that is none.
    """
    known_advisories = Advisories()
    for path in advisories:
        known_advisories.read(path, _read(path))
    data = release_diff.content(model, first, second)
    data |= effects.of_roles(model, first, lambda declared: Drains(declared, SaltAsk({})))
    known = _of_registry(data, reach) if reach else {}
    contents = _contents(data, reach) if reach and packages else {}
    moved = list(release_diff.pinned(data))
    for one in data["images"].values():
        built, labels = zip(*(_told(known.get(one[side])) for side in ("from", "to")), strict=True)
        one["built"] = list(built)
        both = all(known.get(one[side]) for side in ("from", "to"))
        one["labels"] = _differing(*labels) if both else {}
        found = list(_moved(contents.get(one["from"]), contents.get(one["to"])))
        one["packages"] = {each.name: [each.before, each.after] for each in found}
        moved += [each for each in found if each.before and each.after]
    data["advisories"] = known_advisories.mended(moved)
    return data


def _read(path: str) -> bytes:
    """What a file has, unpacked where it is packed. Raises RolloutError WRONG_ARGUMENT."""
    try:
        content = Path(path).expanduser().read_bytes()
        if content.startswith(_ZSTD):
            raise ValueError("it is packed by zstd: unpack it (zstd -d), and give what comes out")
        unpack = next((one for magic, one in _PACKED.items() if content.startswith(magic)), bytes)
        return unpack(content)
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        text = f"advisories: {path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise RolloutError("WRONG_ARGUMENT", text) from error


def _contents(data: dict[str, Any], reach: Reach) -> dict[str | None, Contents]:
    """What is in the images that differ; of which that is not known is named."""
    images = [one[side] for one in data["images"].values() for side in ("from", "to") if one[side]]
    found = image_packages.of(images, reach)
    unknown = {name: one for name, one in found.items() if isinstance(one, RolloutError)}
    data["unknown"] |= {name: str(one) for name, one in unknown.items() if name not in data["unknown"]}
    return {name: one for name, one in found.items() if not isinstance(one, RolloutError)}


def _moved(before: Contents | None, after: Contents | None) -> Iterator[Moved]:
    """The packages that two images have at other versions, or one of them alone."""
    if before is None or after is None:
        return
    for name in sorted({*before.packages, *after.packages}):
        had, has = before.packages.get(name), after.packages.get(name)
        if had != has:
            kind, source = next((one.kind, one.source) for one in (has, had) if one)
            versions = had.version if had else "", has.version if has else ""
            yield Moved(kind, name, source, *versions, after.suite)


def _of_registry(data: dict[str, Any], reach: Reach) -> dict[str | None, dict[str, Any]]:
    """What the registry says of the images that changed; whatever it does not is named."""
    images = [one[side] for one in data["images"].values() for side in ("from", "to") if one[side]]
    found = registry.configurations(images, reach=reach)
    data["unknown"] |= {name: str(one) for name, one in found.items() if isinstance(one, RolloutError)}
    return {name: one for name, one in found.items() if not isinstance(one, RolloutError)}


def _told(config: dict[str, Any] | None) -> tuple[str, dict[str, str]]:
    """When an image was built, and its labels."""
    said = config or {}
    labels = (said.get("config") or {}).get("Labels") or {}
    return str(said.get("created") or ""), {str(name): str(one)[:_LONGEST] for name, one in labels.items()}


def _differing(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    names = sorted({*before, *after})
    pairs = {name: [before.get(name, ""), after.get(name, "")] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
