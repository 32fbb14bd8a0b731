"""An OpenStackVersion resource: each entry of its containerImageVersionDefaults is a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openstack_rollout.declared import version_order
from openstack_rollout.declared.problems import shown
from openstack_rollout.declared.sources.documents import below, mapped
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style
from openstack_rollout.declared.sources.operator_env import RHOSO
from openstack_rollout.declared.version_order import Said
from openstack_rollout.errors import RolloutError

KIND = "OpenStackVersion"
_DEFAULTS, _CUSTOM = "containerImageVersionDefaults", "customContainerImages"


def read(resource: Mapping[str, Any]) -> Source:
    """Its releases, and its custom images. Raises RolloutError RELEASE_REFUSED without any."""
    status = below(resource, "status")
    available, deployed = (str(below(status, key) or "") for key in ("availableVersion", "deployedVersion"))
    defaults = mapped(below(status, _DEFAULTS))
    if not defaults:
        raise RolloutError(
            "RELEASE_REFUSED",
            f"SOURCE: status:{_DEFAULTS}: has no release (availableVersion is {shown(available)}): import the"
            " ClusterServiceVersion of the operator that brings it",
        )
    both = deployed in defaults and available in defaults and deployed != available
    tells = both and version_order.by_name(deployed, available) is None
    target = str(below(resource, "spec", "targetVersion") or "")
    notes = []
    if target not in ("", *defaults):
        notes.append(f"spec:targetVersion: {shown(target)} is none of its releases")
    if available not in ("", *defaults):
        notes.append(f"status:availableVersion: {shown(available)} is none of its releases")
    return Source(
        KIND,
        Style.CAMEL,
        tuple(
            Listed(
                version,
                tuple(_named(images, f"{_DEFAULTS}:{version}")),
                Said(follows=deployed) if tells and version == available else Said(),
            )
            for version, images in defaults.items()
        ),
        tuple(_named(below(resource, "spec", _CUSTOM), _CUSTOM)),
        tuple(notes),
        choose=True,
        deployer=RHOSO,
    )


def _named(images: Any, where: str) -> Iterator[Named]:
    for name, value in mapped(images).items():
        if isinstance(value, Mapping) and value:
            for backend, reference in mapped(value).items():
                yield Named(name, _text(reference), where, backend)
        else:
            yield Named(name, _text(value), where)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
