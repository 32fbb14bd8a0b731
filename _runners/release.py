"""What the master tells operators of releases: which there are, whether all is right, digests for tags.

Touches no node. The work is done in `openstack_rollout`; here its answers become what salt-run prints.
"""

import os
import tempfile
from pathlib import Path

import yaml

from openstack_rollout import master_pillar, references, registry, release, release_file, schema, validation
from openstack_rollout.errors import RolloutError
from openstack_rollout.refusal import Refusal

__func_alias__ = {"list_": "list"}


def list_():
    """The releases of the catalogue, oldest first, with the numbers of their images and packages.

    Raises Refusal when the pillar cannot be read.

    CLI Example:

    .. code-block:: bash

        salt-run release.list
    """
    openstack = _openstack()
    target = str(openstack.get("target_version") or "")
    available = release.available(openstack)
    found = {}
    for version in release.versions(openstack):
        content = release.get(openstack, version)
        found[version] = {
            "images": len(list(release_file.references_of(content.get("images")))),
            "packages": len(content.get("packages") or {}),
            "notes": list(content.get("notes") or ()),
            "target": version == target,
            "available": version == available,
        }
    return found


def check(minion=None, online=True):
    """Whether an update to the target could begin: every pillar key is right, every image is in its registry.

    minion
        The minion whose pillar is checked; by default the first accepted one.

    online
        False leaves the registry alone.

    Returns the target, the newest release and warnings. Raises Refusal with one line per
    problem, the reason as its first word, when an update would be refused.

    CLI Example:

    .. code-block:: bash

        salt-run release.check
        salt-run release.check cmp1 online=False
    """
    pillar = _compiled(minion)
    openstack = pillar.get("openstack")
    found = validation.reasons(openstack, pillar.get("_errors") or ())
    if not found and online:
        found = registry.problems(_images_of_target(openstack))
    if found:
        raise Refusal("\n".join(f"{reason}: {line}" for reason, line in found))
    return {
        "target": release.target(openstack),
        "available": release.available(openstack),
        "problems": [],
        "warnings": validation.warnings(openstack),
    }


def pin(version, output=None):
    """A release with every tag replaced by the digest that its registry has for it now.

    version
        The release, which may hold tags as long as it is being written.

    output
        A path to write the release to, as a release file; it is replaced as a whole or not at all.

    Returns the content of the release file. Raises Refusal when an image has no digest.

    CLI Example:

    .. code-block:: bash

        salt-run release.pin 1.0.1
        salt-run release.pin 1.0.1 output=/srv/pillar/openstack/releases/1_0_1.sls
    """
    openstack = _openstack()
    try:
        content = release.get(openstack, str(version))
    except RolloutError as error:
        raise Refusal(str(error)) from error
    images = {name: reference for name, _, reference in release_file.references_of(content.get("images"))}
    digests = registry.digests(images.values())
    for name, reference in images.items():
        answer = digests[reference]
        if isinstance(answer, RolloutError):
            path = f"openstack:releases:{version}:images:{name}"
            raise Refusal(f"{answer.reason}: {path}: {answer.message}")
        images[name] = str(references.parse(reference).pinned(answer))
    pinned = {"openstack": {"releases": {str(version): {**content, "images": _nested(images)}}}}
    if output:
        _write(Path(output), yaml.safe_dump(_plain(pinned), sort_keys=False, width=200))
    return _plain(pinned)


def _openstack():
    """The pillar's `openstack` mapping, where at least the catalogue of releases is right."""
    pillar = _compiled(None)
    openstack = pillar.get("openstack")
    found = schema.Problems()
    if pillar.get("_errors") or not isinstance(openstack, dict):
        found.found += validation.reasons(openstack, pillar.get("_errors") or ())
    else:
        release_file.check_releases(found, openstack)
    if found.found:
        raise Refusal(": ".join(found.found[0]))
    return openstack


def _compiled(minion):
    try:
        return master_pillar.compiled_pillar(__opts__, minion)
    except RolloutError as error:
        raise Refusal(str(error)) from error


def _images_of_target(openstack):
    """Pillar key -> reference of all that the target brings and of the custom images."""
    version = release.target(openstack)
    places = {
        f"openstack:releases:{version}:images": release.get(openstack, version).get("images"),
        "openstack:custom_images": openstack.get("custom_images"),
    }
    return {
        f"{place}:{name}": reference
        for place, images in places.items()
        for name, _, reference in release_file.references_of(images)
    }


def _nested(images):
    result = {}
    for name, reference in images.items():
        key, _, backend = name.partition(":")
        if backend:
            result.setdefault(key, {})[backend] = reference
        else:
            result[key] = reference
    return result


def _plain(value):
    """Salt's ordered mappings as plain ones, which YAML can write."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _write(path, text):
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except OSError as error:
        raise Refusal(f"{path}: cannot be written: {error.strerror}") from error
