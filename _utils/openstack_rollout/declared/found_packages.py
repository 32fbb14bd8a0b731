"""Services that a survey found as packages under units of their own: of which types, and at which versions.

Pure: from what nodes told, judged by the packages and units that the catalogue's types have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared.deployed import Deployed, UnitState
from openstack_rollout.declared.installers import OURS
from openstack_rollout.node.packages import matches
from openstack_rollout.vocabulary import OS_FAMILIES, in_order

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model
    from openstack_rollout.declared.services import Service

Records = dict[str, Any]
_RUNNING = ("active", "reloading", "activating")


class Packaged:
    """Tells which types are packages on a node, by what is declared. model: with a valid catalogue."""

    def __init__(self, model: Model):
        services = model.catalogue.services()
        self._types = {name: one for name, one in services.items() if name == one.type and one.packages}
        self._evidence = {family: dict(_evidence(self._types.values(), family)) for family in OS_FAMILIES}

    @property
    def globs(self) -> list[str]:
        """The packages (globs) that a node has to tell of."""
        found = (one.packages.values() for one in self._types.values())
        return sorted({glob for families in found for some in families for glob in some})

    @property
    def units(self) -> list[str]:
        """The units that a node has to tell of."""
        found = (one.units.values() for one in self._types.values())
        return sorted({f"{unit}.service" for families in found for some in families for unit in some})

    def of_node(self, told: Deployed, in_containers: Collection[str]) -> dict[str, Records]:
        """The types that are packages on a node: one of a type's packages is installed, and one of its units
        runs or is enabled.

        in_containers: the types that run there in containers.

        Returns {type: {"units": {name: its state}, "packages": {name: [version]}, "vendors", "beside":
        whether a container of that type runs there as well}}.
        """
        family = told.os_family
        theirs = {one.unit for one in told.containers.values()}
        found = {}
        for kind, evidence in self._evidence.get(family, {}).items():
            units = {
                name: told.units[name]
                for unit in self._types[kind].units.get(family, ())
                if (name := f"{unit}.service") in told.units and name not in theirs
            }
            if not any(map(_is_on, units.values())) or not _some(told.packages, evidence):
                continue
            own = _some(told.packages, self._types[kind].packages[family])
            found[kind] = {
                "units": {name: _state(one) for name, one in sorted(units.items())},
                "packages": {name: list(told.packages[name].versions) for name in own},
                "vendors": sorted({told.packages[name].vendor for name in own} - {""}),
                "beside": kind in in_containers,
            }
        return found


def pins(nodes: Mapping[str, Records], wanted: Collection[str]) -> dict[str, dict[str, Records]]:
    """The versions of packages that most nodes have, by family of distributions.

    nodes: of survey.survey. wanted: names of packages.

    Returns {name: {family: {"version", "nodes": that have it, "others": {version: nodes that have another
    one}}}}.
    """
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for node, records in nodes.items():
        for name, versions in records["packages"].items():
            if name in wanted:
                found.setdefault(name, {}).setdefault(records["os_family"], {})[node] = versions
    return {
        name: {family: _pin(on) for family, on in sorted(families.items())}
        for name, families in sorted(found.items())
    }


def both(services: Mapping[str, Records], nodes: Mapping[str, Records]) -> dict[str, Records]:
    """The types that run in containers here and are packages there.

    services, nodes: of survey.survey.

    Returns {type: {"containers", "packages": the nodes of either, "at_once": nodes that run both, "roles":
    those of packages on whose nodes a container of ours would come}}.
    """
    at_once: dict[str, list[str]] = {}
    for node, records in nodes.items():
        for kind, one in records["packaged"].items():
            if one["beside"]:
                at_once.setdefault(kind, []).append(node)
    found = {}
    for kind in sorted({one["type"] for one in services.values()}):
        some = [one for one in services.values() if one["type"] == kind]
        packaged = [one for one in some if one["deploy"] == "package"]
        others = [one for one in some if one["deploy"] == "container"]
        ours = {role for one in others if OURS in one["deployers"] for role in one["roles"]}
        if (packaged and others) or kind in at_once:
            found[kind] = {
                "containers": in_order({node for one in others for node in one["nodes"]}),
                "packages": in_order({node for one in packaged for node in one["nodes"]}),
                "at_once": at_once.get(kind, []),
                "roles": [role for one in packaged for role in one["roles"] if role in ours],
            }
    return found


def _evidence(types: Iterable[Service], family: str) -> Iterator[tuple[str, list[str]]]:
    """The packages that tell a type: those that no other type has, or all of them where others have each."""
    types = [one for one in types if one.packages.get(family) and one.units.get(family)]
    users = Counter(glob for one in types for glob in set(one.packages[family]))
    for one in types:
        own = [glob for glob in one.packages[family] if users[glob] == 1]
        yield one.type, own or one.packages[family]


def _some(names: Iterable[str], globs: Iterable[str]) -> list[str]:
    return sorted(name for name in names if matches(name, globs))


def _is_on(unit: UnitState) -> bool:
    return unit.load == "loaded" and (unit.active in _RUNNING or unit.enabled.startswith("enabled"))


def _state(unit: UnitState) -> str:
    return "masked" if unit.load == "masked" else unit.active


def _pin(on: Mapping[str, list[str]]) -> Records:
    counts = Counter(version for versions in on.values() for version in versions)
    version = min(counts, key=lambda one: (-counts[one], one))
    others: dict[str, list[str]] = {}
    for node, versions in on.items():
        if version not in versions:
            others.setdefault(", ".join(versions), []).append(node)
    return {
        "version": version,
        "nodes": [node for node, versions in on.items() if version in versions],
        "others": dict(sorted(others.items())),
    }
