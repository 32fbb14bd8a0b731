"""What a text is, by what it holds, and what that says of releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from openstack_rollout.declared.problems import shown
from openstack_rollout.declared.sources import (
    documents,
    image_lists,
    openstack_version,
    operator_env,
    release_files,
)
from openstack_rollout.declared.sources.found import Source
from openstack_rollout.errors import RolloutError

_KNOWN = (
    "a ClusterServiceVersion or Deployment, an OpenStackVersion, a list of images, TripleO's list or"
    " parameters, image keys, or a release file"
)


def read(text: str) -> Source:
    """What a text says of releases. Raises RolloutError RELEASE_REFUSED that says what is wrong with it."""
    if references := documents.references(text):
        return image_lists.of_references(references)
    found = documents.read(text)
    resources = [one for one in found if isinstance(one, Mapping) and one.get("kind")]
    others = [one for one in found if one not in resources]
    if resources:
        return _of_resources(resources, len(others))
    if len(others) == 1:
        source = _of_document(others[0], text)
        if source:
            return source
    raise RolloutError("RELEASE_REFUSED", f"SOURCE: is nothing that releases come from: give {_KNOWN}")


def _of_resources(resources: list[Mapping[str, Any]], others: int) -> Source:
    versions = [one for one in resources if one["kind"] == openstack_version.KIND]
    operators = [one for one in resources if one["kind"] in operator_env.KINDS]
    if len(versions) > 1 or (versions and operators):
        kinds = ", ".join(str(one["kind"]) for one in (*versions, *operators)[:5])
        raise RolloutError(
            "RELEASE_REFUSED", f"SOURCE: holds several sources of releases ({kinds}): give one"
        )
    if not versions and not operators:
        kinds = ", ".join(dict.fromkeys(str(one["kind"]) for one in resources))
        raise RolloutError(
            "RELEASE_REFUSED", f"SOURCE: holds {shown(kinds)}, of which no release comes: give {_KNOWN}"
        )
    source = openstack_version.read(versions[0]) if versions else operator_env.read(operators)
    ignored = [str(one["kind"]) for one in resources if one not in versions and one not in operators]
    if not ignored and not others:
        return source
    named = ", ".join([*dict.fromkeys(ignored), *([f"{others} other documents"] if others else [])])
    return replace(source, notes=(*source.notes, f"not read: {shown(named)}"))


def _of_document(document: Any, text: str) -> Source | None:
    if isinstance(document, list):
        return image_lists.of_names(document)
    if not isinstance(document, Mapping):
        return None
    if isinstance(documents.below(document, "openstack", "releases"), Mapping):
        return release_files.read(documents.typed(text))
    return image_lists.of_mapping(document)
