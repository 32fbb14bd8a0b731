"""Sources of releases, in the shapes in which they come: files beside this one."""

from __future__ import annotations

from pathlib import Path

from openstack_rollout.declared import importing
from openstack_rollout.declared.sources import telling
from tests.unit import cloud_pillar

MODEL = cloud_pillar.model()
GIVEN = Path(__file__).parent / "given"


def text(name):
    return (GIVEN / name).read_text(encoding="utf-8")


def imported(source, version=None, skip=(), follows=None):
    """({version: images} of the releases of a text, the records of each, what was made of custom images)."""
    found, custom = importing.read(MODEL, telling.read(source), version, skip, follows)
    images = {one.version: importing.nested(one.taken.images) for one in found}
    return images, [one.taken for one in found], custom


def skipped(taken):
    """What was left out: name → (why, detail)."""
    return {one["name"]: (one["why"], one["detail"]) for one in taken.skipped}
