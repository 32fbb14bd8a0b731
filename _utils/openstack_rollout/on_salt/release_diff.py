"""Two releases compared: what they say, what registries say of their images, what an update would do."""

from __future__ import annotations

from typing import Any

from openstack_rollout.declared import release_diff
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry
from openstack_rollout.on_salt.ask import SaltAsk
from openstack_rollout.on_salt.registry import Reach
from openstack_rollout.rollout import effects

_LONGEST = 200  # characters of a label


def diff(model: Model, first: str, second: str, reach: Reach | None) -> dict[str, Any]:
    """All that is different in the second of two releases.

    model: what is declared, with the second release as its target. first, second (str): versions. reach: what
    is declared of registries; None to ask none.

    Returns what declared.release_diff.content tells; each image has "built": (date of the first, of the
    second), "" where it is not known, and "labels": {name: (first, second)} of those that differ. "roles" and
    "unknown" as of rollout.effects.of_roles, and in "unknown" images of which nothing could be told.
    """
    data = release_diff.content(model, first, second)
    data |= effects.of_roles(model, first, lambda declared: Drains(declared, SaltAsk({})))
    known = _of_registry(data, reach) if reach else {}
    for one in data["images"].values():
        built, labels = zip(*(_told(known.get(one[side])) for side in ("from", "to")), strict=True)
        one["built"] = list(built)
        both = all(known.get(one[side]) for side in ("from", "to"))
        one["labels"] = _differing(*labels) if both else {}
    return data


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
