"""Warnings of a valid pillar: what has no effect, and what has more effect than is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from openstack_rollout.declared import references, releases
from openstack_rollout.declared.amounts import NODES
from openstack_rollout.declared.policies import NO_DRAIN, Policy
from openstack_rollout.declared.problems import path, shown
from openstack_rollout.declared.services import BACKEND_MAPS
from openstack_rollout.node.guards import NONE, PACEMAKER

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

_NAMED = 4  # roles or zones that a line names


def of(model: Model) -> Iterator[str]:
    """The warnings, one line each."""
    yield from _custom_images(model)
    yield from _services(model)
    yield from _backends(model)
    yield from _releases(model)
    yield from _targets(model)
    yield from _policies(model)
    yield from _hooks(model)


def _custom_images(model: Model) -> Iterator[str]:
    enabled = [one.image_key for one in model.catalogue.services(_version(model)).values() if one.enabled]
    keys, backends = {key for key, _ in enabled}, set(enabled)
    for name, key, reference in releases.references_of(model.custom_images):
        here = f"openstack:custom_images:{name}"
        backend = name.removeprefix(f"{key}:")
        if key not in keys:
            yield f"{here}: no enabled service uses it"
        elif key in BACKEND_MAPS and backend != "default" and (key, backend) not in backends:
            yield f"{here}: no enabled service has this back end"
        if references.digest_of(reference) is None:
            yield f"{here}: is a tag: each run takes what it is when it begins, for all nodes"
    kept = model.keep_custom_images_for
    if kept is not None and kept not in model.releases:
        yield f"openstack:keep_custom_images_for: {shown(kept)} is not a release, it has no effect"


def _services(model: Model) -> Iterator[str]:
    services = model.catalogue.services(_version(model))
    some = [one for one in services.values() if one.enabled and one.image not in BACKEND_MAPS]
    # One that is packages, and one in a container, are on different nodes.
    beside = Counter((one.type, one.deploy) for one in some)
    for name, entry in model.services.items():
        service = services[name]
        here = path(("openstack", "services", name))
        own = model.service_types.get(service.type)
        if (name != service.type or own is None) and not service.enabled:
            yield f"{here}: is not enabled, set enabled: true to run it"
        elif (
            name != service.type
            and beside[service.type, service.deploy] > 1
            and services[service.type].enabled
        ):
            yield (
                f"{here}: runs beside {service.type}, which is of the same type;"
                f" {service.type}: {{enabled: false}} puts it in its place"
            )
        if service.backend and service.image not in BACKEND_MAPS:
            yield f"{here}:backend: {shown(service.backend)} has no effect: {service.image} is one image"
        usual = (own and own.guard) or model.service_defaults.guard or NONE
        if own and entry and entry.guard not in (None, NONE, PACEMAKER, usual):
            yield f"{here}:guard: {entry.guard} knows nothing of {service.type}, whose guard is {usual}"


def _backends(model: Model) -> Iterator[str]:
    """Services whose back end nothing names, so that the image of `default` serves it."""
    version = _version(model)
    if version == releases.NO_RELEASE:
        return
    release = model.releases[version]
    for name, service in model.catalogue.services(version).items():
        key, backend = service.image_key
        if not service.enabled or backend in (None, "default"):
            continue
        maps = (release.images.get(key), model.custom_images.get(key))
        if not any(isinstance(one, dict) and backend in one for one in maps):
            place = "services" if name in model.services else "service_types"
            yield (
                f"{path(('openstack', place, name, 'backend'))}: {shown(backend)} is neither in {key} of"
                f" {version} nor in custom_images, the image of default serves it"
            )


def _hooks(model: Model) -> Iterator[str]:
    """Hooks of moments that never come."""
    for stage, moments in model.hooks.items():
        drained = [
            role
            for role in model.roles
            if stage != ("services" if model.is_control_plane([role]) else "control_plane")
            and model.policies.of(role).drain != NO_DRAIN
            and stage in model.drained_before(role)
        ]
        reboots = stage == "system" and model.system.reboot != "never"
        for moment, hooks in moments.items():
            step, why = moment.partition("_")[2], ""
            if step in ("drain", "restore") and not drained:
                why = f"no role is drained before {stage}"
            elif step == "reboot" and not reboots:
                why = "system:reboot is never" if stage == "system" else "only system reboots"
            if hooks and why:
                named = ", ".join(one.name for one in hooks[:_NAMED]) + (", ..." if hooks[_NAMED:] else "")
                yield f"{path(('openstack', 'hooks', stage, moment))}: never runs ({named}): {why}"


def _releases(model: Model) -> Iterator[str]:
    for version in releases.versions(model):
        images = releases.references_of(model.releases[version].images)
        bare = sum(1 for _, _, reference in images if references.digest_of(reference) is None)
        if bare:
            yield f"openstack:releases:{version}: {bare} images without digest (salt-run release.pin)"


def _targets(model: Model) -> Iterator[str]:
    """Roles, and zones, that mean the same nodes by what they say."""
    for place, found in (("roles", model.targets), ("zones", dict(model.zones))):
        first: dict[str, str] = {}
        for name, target in found.items():
            here = path(("openstack", place, name))
            text = " ".join(target.split())
            other = first.setdefault(text, name)
            if text == "*" and len(found) > 1:
                others = list(islice((one for one in found if one != name), _NAMED + 1))
                named = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
                yield f"{here}: '*' means the nodes of {named} too: {_BOTH[place]}"
            elif other != name:
                yield f"{here}: has the nodes of {other} too: {_BOTH[place]}"


_BOTH = {
    "roles": "a node of two roles gets the services of both",
    "zones": "a node is in the first zone alone",
}


def _policies(model: Model) -> Iterator[str]:
    common = set(Policy.model_fields)
    for role in model.policies.roles:
        policy = model.policies.of(role)
        here = f"openstack:policies:{role}"
        if policy.pause_after and not policy.groups:
            yield f"{here}:pause_after: has no effect without groups"
        of_many = policy.for_nodes(NODES, dict.fromkeys(policy.groups, NODES))
        if any(of_many.tolerated_of_groups.values()) and not of_many.tolerated:
            yield f"{here}:group_max_failures: has no effect while max_failures, of all its nodes, is 0"
        if policy.per_zone and not model.zones:
            yield f"{here}:per_zone: has no effect without openstack:zones"
        if policy.soak and not policy.canary:
            yield f"{here}:soak: has no effect without canary"
        if policy.on_failure == "rollback" and not policy.canary:
            yield f"{here}:on_failure: rollback has no effect without canary: the run pauses"
        if policy.drain == NO_DRAIN:
            for key in sorted(policy.model_fields_set - common):
                yield f"{here}:{key}: has no effect while drain is {NO_DRAIN}"


def _version(model: Model) -> str:
    return model.target_version if model.target_version in model.releases else releases.NO_RELEASE
