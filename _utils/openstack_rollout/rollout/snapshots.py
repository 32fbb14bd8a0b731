"""Nodes as they were measured, as the journal keeps them for those who ask later what an update changed."""

from __future__ import annotations

from collections.abc import Iterator

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.records.snapshot import Image, Left, Snapshot

_MOST = 20  # of one kind that are kept as left on a node


def taken(one: Compared, at: float) -> Snapshot:
    """What a node is. at (float): when it was measured, seconds since the epoch."""
    services = {
        name: Image(service["release"], (service["image_id"] or "").removeprefix("sha256:"))
        for name, service in one.services.items()
        if service["image_id"]
    }
    packages = {name: list(found["installed"]) for name, found in one.packages.items() if found["installed"]}
    return Snapshot(at, one.deployed, services, packages, list(_left(one)))


def _left(one: Compared) -> Iterator[Left]:
    if one.switch and one.switch.get("stale"):
        yield Left("switch_stale", have=one.switch["running"] or "", want=one.switch["installed"] or "")
    yield from (Left("reboot", have=why) for why in one.reboot[:_MOST])
    yield from (Left("reboot_without_effect", have=why) for why in one.reboot_without_effect[:_MOST])
    yield from (Left("held", name, want=version) for name, version in [*one.held.items()][:_MOST])
    yield from (Left("configuration", path) for path in one.configuration[:_MOST])
    for note in one.notes:
        if note["kind"] == "old_sidecars":
            yield Left("old_sidecars", note["subject"], f"{note['old']} of {note['all']}", note["image"])
    yield from (Left("health", have=words.difference(each)) for each in one.health[:_MOST])
