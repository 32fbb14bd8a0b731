"""Whose a container is, and what it is here: judged by the tables of deployers and the service catalogue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from openstack_rollout.declared.deployed import Container, UnitState
from openstack_rollout.declared.deployers import Deployer, Runs

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.services import Service

OURS = "ours"
OTHER = "other"
_OWN_LABELS = "openstack-rollout."
_DOCKER_HUB = "docker.io"
_LOCAL = ("localhost",)


class Kind(StrEnum):
    """What a container is to an update."""

    SERVICE = "service"
    BUNDLE = "bundle"  # a replica that Pacemaker runs
    SIDECAR = "sidecar"  # an agent started it
    ONCE = "once"  # it did something and ended
    FOREIGN = "foreign"  # called like a service, of a deployer that nobody knows
    UNKNOWN = "unknown"  # no service type fits


@dataclass(frozen=True)
class What:
    """What a container is. type, image_key (str): "" where there is none. agents: who may have started it.
    bundle: whose replica it is, "" where it is none."""

    kind: Kind
    type: str = ""
    image_key: str = ""
    agents: tuple[str, ...] = ()
    bundle: str = ""


class Installers:
    """Tells whose a container is, and what it is, by what is declared. model: with a valid catalogue."""

    def __init__(self, model: Model):
        self._deployers = model.deployers
        self._own: dict[str, Service] = {}
        services = model.catalogue.services()
        for service in sorted(services.values(), key=lambda one: not one.enabled):
            self._own.setdefault(service.container, service)
        self._types = {name: one for name, one in services.items() if name == one.type}
        self._local = {*_LOCAL, *(one for each in self._deployers.values() for one in each.local_registries)}

    def of_container(self, name: str, one: Container, managed: Collection[str]) -> str:
        """Whose a container is: a deployer's name, OURS or OTHER; a sidecar is its agent's deployer's.

        managed: containers with quadlets of ours.
        """
        if name in managed or any(label.startswith(_OWN_LABELS) for label in one.labels):
            return OURS
        for evidence in (_by_unit, _by_bundle, _by_unit_alone, _by_labels):
            for deployer, table in self._deployers.items():
                if evidence(table, name, one):
                    return deployer
        return OTHER

    def of_unit(self, unit: str) -> tuple[str, str]:
        """The deployer that has such a unit, and its container; ("", "") where none has."""
        for deployer, table in self._deployers.items():
            if container := table.container_of(unit):
                return deployer, container
        return "", ""

    def what(self, name: str, deployer: str) -> What:
        """What a container is. deployer: of `of_container`."""
        if agents := self.agents_of(name):
            return What(Kind.SIDECAR, agents=agents)
        table, own = self._deployers.get(deployer), self._service(name)
        if deployer == OURS or (table is None and own.kind == Kind.UNKNOWN):
            return own
        return self._of_table(table, name, own) if table else replace(own, kind=Kind.FOREIGN)

    def _of_table(self, table: Deployer, name: str, own: What) -> What:
        """What a deployer's container is. own: what one of ours of its name would be."""
        if bundle := table.bundle_of(name):
            return replace(self._runs(Kind.BUNDLE, table.bundles[bundle]), bundle=bundle)
        if name in table.containers:
            return self._runs(Kind.SERVICE, table.containers[name])
        if own.kind == Kind.UNKNOWN and table.runs_once(name):
            return What(Kind.ONCE)
        return What(Kind.UNKNOWN) if name in table.unknown else own

    def agents_of(self, name: str) -> tuple[str, ...]:
        """The containers of agents that may have started a container of this name."""
        types = {
            kind for kind, one in self._types.items() if any(fnmatchcase(name, glob) for glob in one.sidecars)
        }
        own = [container for container, one in self._own.items() if one.type in types]
        tables = [table.containers.items() for table in self._deployers.values()] if types else []
        theirs = [container for some in tables for container, runs in some if runs.type in types]
        return tuple(dict.fromkeys([*own, *theirs]))

    def references(self, one: Container) -> list[str]:
        """The image of a container as a release would hold it, by each digest that a registry gave it.

        Empty of an image that no registry has. Those of the repository it was started from come first.
        """
        repository = _repository(one.image)
        found = []
        for reference in map(_with_registry, one.digests):
            registry = reference.partition("/")[0]
            if registry not in self._local and "@sha256:" in reference:
                found.append(reference)
        return sorted(found, key=lambda text: (text.partition("@")[0] != repository, text))

    def _service(self, name: str) -> What:
        own = self._own.get(name)
        return What(Kind.SERVICE, own.type, own.image) if own else What(Kind.UNKNOWN)

    def _runs(self, kind: Kind, runs: Runs) -> What:
        image = runs.image or (self._types[runs.type].image if runs.type in self._types else "")
        return What(kind, runs.type, image)


def trouble_of(unit: UnitState) -> str:
    """What is wrong with a unit that should run: masked, failed or dead; "" for nothing."""
    if unit.load == "masked":
        return "masked"
    if unit.active == "failed":
        return "failed"
    # What runs once is dead when it has done its work, and what is of a template never starts.
    waits = unit.type == "oneshot" or unit.load != "loaded"
    return "dead" if unit.active == "inactive" and not waits else ""


def _by_unit(table: Deployer, name: str, one: Container) -> bool:
    return one.unit == table.unit_of(name)


def _by_bundle(table: Deployer, name: str, one: Container) -> bool:
    return bool(table.bundle_of(name))


def _by_unit_alone(table: Deployer, name: str, one: Container) -> bool:
    return bool(one.unit and table.container_of(one.unit))


def _by_labels(table: Deployer, name: str, one: Container) -> bool:
    return table.labelled(name, one.labels)


def _with_registry(reference: str) -> str:
    """A reference as its parts are always written: docker leaves its own registry out."""
    first, slash, rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"{_DOCKER_HUB}/{first}/{rest}" if slash else f"{_DOCKER_HUB}/library/{first}"


def _repository(image: str) -> str:
    name = _with_registry(image.partition("@")[0]) if image else ""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
