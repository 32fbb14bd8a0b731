"""Who has to have signed release files, and whether one of them did."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from openstack_rollout.declared import public_keys, translation
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.problems import path
from openstack_rollout.errors import RolloutError

_ROOT, _CATALOGUE = "openstack", "releases"
_KEYS = ("require_signed", "release_keys")
#: What a file says that only makes the catalogue exist: nothing that anybody would have to sign.
_NOTHING: dict[str, Any] = {_ROOT: {_CATALOGUE: {}}}
_LONGEST_NOTHING = 1000


def keys(openstack: Any) -> Sequence[str]:
    """The keys by one of which each release file has to be signed; () where none needs to be.

    openstack: the pillar's `openstack` without any release file. Raises RolloutError INVALID_PILLAR.
    """
    said = openstack if isinstance(openstack, Mapping) else {}
    try:
        model = Model.model_validate({key: said[key] for key in _KEYS if key in said})
    except ValidationError as error:
        place, text = next(iter(translation.problems(error, Model)))
        raise RolloutError("INVALID_PILLAR", f"{path((_ROOT, *place))}: {text}") from error
    return model.release_keys if model.require_signed else ()


def in_no_file(openstack: Any) -> Iterator[tuple[str, str]]:
    """Each release of a pillar without any release file, by its key, and what is wrong with that.

    openstack: as of `keys`.
    """
    releases = openstack.get(_CATALOGUE) if isinstance(openstack, Mapping) else None
    for version in releases if isinstance(releases, Mapping) else ():
        key = path((_ROOT, _CATALOGUE, version))
        yield key, f"is in no file of {_ROOT}/{_CATALOGUE}/, so it has no signature"


def says_nothing(content: bytes) -> bool:
    """Whether a release file only makes the catalogue exist."""
    try:
        return len(content) <= _LONGEST_NOTHING and bool(yaml.safe_load(content) == _NOTHING)
    except (yaml.YAMLError, ValueError):
        return False


def wrong(content: bytes, signature: bytes, release_keys: Sequence[str]) -> str:
    """What is wrong with a signature of a release file, "" for nothing.

    signature: base64, as cosign and openssl write it. release_keys: of `keys`.
    """
    try:
        plain = base64.b64decode(b"".join(signature.split()), validate=True)
    except ValueError:
        return "its signature is no base64"
    if public_keys.signed(content, plain, release_keys):
        return ""
    return "is not what one of these keys has signed"
