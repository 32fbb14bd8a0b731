"""An operator's ClusterServiceVersion, or its Deployment: images are variables of its containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.declared.problems import plain
from openstack_rollout.declared.sources.documents import below, listed
from openstack_rollout.declared.sources.found import Listed, Named, Source, Style

_CSV = "ClusterServiceVersion"
KINDS = (_CSV, "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
PREFIX = "RELATED_IMAGE_"
#: The table of whoever calls images so.
RHOSO = "edpm"
_VERSION = "OPENSTACK_RELEASE_VERSION"


def read(resources: Sequence[Mapping[str, Any]]) -> Source:
    """What resources of KINDS say: one release. Its version is that of their containers, else that of the
    one ClusterServiceVersion.
    """
    images: list[Named] = []
    versions: dict[str, None] = {}
    for resource in resources:
        for where, variable in _variables(resource):
            name, value = str(variable.get("name") or ""), variable.get("value")
            text = value.strip() if isinstance(value, str) else ""
            if name == _VERSION and text:
                versions[text] = None
            elif name.startswith(PREFIX):
                apart = "" if value is not None or "valueFrom" not in variable else "valueFrom"
                images.append(Named(name, text, where, apart=apart))
    own = {str(below(one, "spec", "version") or "") for one in resources if one.get("kind") == _CSV} - {""}
    said = list(versions) or sorted(own)
    several = tuple(map(plain, said)) if len(said) > 1 else ()
    listed_ = Listed(said[0] if len(said) == 1 else "", tuple(images), several=several)
    kinds = ", ".join(dict.fromkeys(str(one["kind"]) for one in resources))
    return Source(kinds, Style.VARIABLE, (listed_,), deployer=RHOSO)


def _variables(resource: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, variable) of all containers of a resource."""
    for name, spec in _pods(resource):
        for kind in ("initContainers", "containers"):
            for container in listed(below(spec, kind)):
                where = f"{name}, container {below(container, 'name') or '?'}"
                for variable in listed(below(container, "env")):
                    if isinstance(variable, Mapping):
                        yield where, variable


def _pods(resource: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if resource["kind"] == _CSV:
        for one in listed(below(resource, "spec", "install", "spec", "deployments")):
            yield f"deployment {below(one, 'name') or '?'}", below(one, "spec", "template", "spec")
    else:
        name = f"{resource['kind']} {below(resource, 'metadata', 'name') or '?'}"
        path = ("spec",) if resource["kind"] == "Pod" else ("spec", "template", "spec")
        yield name, below(resource, *path)
