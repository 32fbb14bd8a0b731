"""The service catalogue: every service as all layers together have it, and the image keys that exist.

From weakest to strongest, key by key: what all services have in common, the type, the release's defaults for
the type, the operator's entry. Mappings merge, anything else is replaced.

Each type is a service of its own name. An entry of the operator of that name changes it; an entry of another
name with that `type` is a further service beside it, and takes nothing away. Whoever wants it in place of the
type's own service disables that: `nova: {enabled: false}`; then it has the type's `legacy_units`, which
services beside each other do not share: one would remove the unit of the other. An entry of a name that is no
type, and without a `type`, is a type of the operator's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from openstack_rollout.declared import completeness, rendered
from openstack_rollout.declared.completeness import DECLARED, FOUND
from openstack_rollout.declared.names import reserved
from openstack_rollout.declared.problems import Path, path, shown
from openstack_rollout.declared.services import BY_PLANE, Entry, Health, Service
from openstack_rollout.vocabulary import STAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

_Entries = dict[str, dict[str, Any]]
#: What a type has to say: of a service in a container, of one that is packages.
REQUIRED = ("image", "container", "roles", "stage")
_REQUIRED_OF_PACKAGES = ("packages", "units", "roles", "stage")
_CHECKED = (
    *REQUIRED,
    *("deploy", "packages", "libraries", "units"),
    "config",
    "enabled",
    "legacy_units",
    "definition",
    "start",
    "quadlet",
    "health",
    "one_shot",
)


def required(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What an entry has to say to be complete."""
    return _REQUIRED_OF_PACKAGES if _is_packaged(entry) else REQUIRED


class Catalogue:
    """The services of a model. What it hands out is shared between services: nobody changes it."""

    def __init__(self, model: Model):
        self._model = model
        self._common = _set_by(model.service_defaults)
        self._types = {name: _set_by(entry) for name, entry in model.service_types.items()}
        self._services: _Entries = {name: {} for name in self._types}
        self._services |= {name: _set_by(entry) for name, entry in model.services.items()}
        self._kinds = {name: entry.get("type", name) for name, entry in self._services.items()}
        self._types |= {
            name: self._services[name]
            for name, kind in self._kinds.items()
            if name == kind and name not in self._types
        }
        self._of_kind: dict[str, list[str]] = {}
        for name, kind in self._kinds.items():
            self._of_kind.setdefault(kind, []).append(name)
        self._merging = _Merging()
        self._below = {kind: self._merging.layers(self._common, entry) for kind, entry in self._types.items()}
        self._enabled: dict[tuple[str, bool | None], int] = {}
        self._base: _Entries | None = None
        self._merged: dict[str, dict[str, Service]] = {}

    @property
    def image_keys(self) -> set[str]:
        """Image keys that a release may hold: those of services and the auxiliary ones."""
        keys = {entry["image"] for entry in self._types.values() if "image" in entry}
        return keys | set(self._model.auxiliary_images)

    def entries(self, version: str = "") -> _Entries:
        """The merged mappings, by name of the service, not yet known to be complete; "" is no release."""
        if self._base is None:
            self._base = {name: self._entry(name, {}) for name in self._services}
        changed = self.changed(version)
        return {**self._base, **changed} if changed else self._base

    def changed(self, version: str) -> _Entries:
        """Those of `entries` that a release's defaults make different from what they are without one."""
        defaults = self._defaults(version)
        names = [name for kind in defaults for name in self._of_kind.get(kind, ())]
        return {name: self._entry(name, defaults) for name in names}

    def services(self, version: str = "") -> dict[str, Service]:
        """The services of a release by name, of a model without problems."""
        if version not in self._merged:
            changed = self.changed(version)
            if version and not changed:
                return self.services()
            base = self.services() if version else {}
            self._merged[version] = {
                name: base[name] if name in base and name not in changed else _service(entry)
                for name, entry in self.entries(version).items()
            }
        return self._merged[version]

    def of_node(self, roles: Iterable[str], version: str = "") -> list[Service]:
        """The enabled services of a node with these roles, in the order in which they are updated."""
        wanted = set(roles)
        found = [
            self._in_plane(one, wanted)
            for one in self.services(version).values()
            if one.enabled and wanted & set(one.roles)
        ]
        return sorted(found, key=lambda one: (STAGES.index(one.stage), one.order, one.name))

    def problems(self) -> Iterator[str]:
        """What is wrong with the merged services: without a release, and where nothing is, with each."""
        base = _Merged(self.entries(), self._model)
        found = [
            f"{path((*base.where(name), key))}: {text}" for name, key, text in base.problems(self.entries())
        ]
        yield from found
        if found:
            return
        known: dict[str, list[tuple[str, str, str]]] = {}
        shared = rendered.shared(self.entries().items())
        for version, release in self._model.releases.items():
            if not release.defaults.services:
                continue
            # Releases of one series repeat the same defaults.
            defaults = self._defaults(version)
            exactly = shared or any("config_files" in entry for entry in defaults.values())
            said = repr(sorted((kind, _structure(entry, exactly)) for kind, entry in defaults.items()))
            if said not in known:
                known[said] = list(base.over(self.changed(version)))
            for name, key, text in known[said]:
                place = ("openstack", "releases", version, "defaults", "services", self._kinds[name], key)
                yield f"{path(place)}: {text} (service {name})"

    def _in_plane(self, service: Service, roles: Collection[str]) -> Service:
        """As a node of these roles has it: with the stage of the first plane in which it runs there."""
        if service.stage != BY_PLANE:
            return service
        controls = self._model.is_control_plane(role for role in service.roles if role in roles)
        return service.model_copy(update={"stage": "control_plane" if controls else "services"})

    def _entry(self, name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
        kind = self._kinds[name]
        own = defaults.get(kind, {}), self._services[name]
        merged = self._merging.layers(self._below[kind], *own)
        if name != kind and "legacy_units" not in self._services[name] and self._beside(kind, defaults):
            merged.pop("legacy_units", None)  # the earlier units of its type belong to another service
        asked = own if kind in self._model.service_types else (*own, self._types[kind])
        left_alone = _is_packaged(merged) or merged.get("definition", FOUND) == FOUND
        if left_alone and not any("config" in layer for layer in asked):
            # The configuration of what somebody else deployed is that deployer's, unless asked for by name;
            # that of packages is theirs.
            merged["config"] = "run"
        return merged | {"name": name, "type": kind}

    def _beside(self, kind: str, defaults: Mapping[str, Any]) -> bool:
        """Whether several services of a type are enabled."""
        by_release = defaults.get(kind, {}).get("enabled")
        key = kind, by_release
        if key not in self._enabled:
            below = self._below[kind].get("enabled") if by_release is None else by_release
            said = [self._services[name].get("enabled") for name in self._of_kind[kind]]
            self._enabled[key] = sum(bool(below if one is None else one) for one in said)
        return self._enabled[key] > 1

    def _defaults(self, version: str) -> _Entries:
        release = self._model.releases.get(version)
        return {name: _set_by(entry) for name, entry in release.defaults.services.items()} if release else {}


class _Merged:
    """Merged services, to be checked together."""

    def __init__(self, entries: _Entries, model: Model):
        self._model = model
        # What the operator adds is in conflict with what is there, not the other way round.
        self._entries = dict(sorted(entries.items(), key=lambda one: one[0] in model.services))
        self._containers = _by_container(self._entries.items())

    def where(self, name: str) -> Path:
        """The pillar keys of a service: where the operator says something of it, else where its type is."""
        return ("openstack", "services" if name in self._model.services else "service_types", name)

    def problems(self, entries: _Entries) -> Iterator[tuple[str, str, str]]:
        """What is wrong with entries: (service, key, text)."""
        yield from self._problems(entries, self._containers)
        for name, text in rendered.conflicts(self._entries.items()):
            yield name, "config_files", text

    def over(self, changed: _Entries) -> Iterator[tuple[str, str, str]]:
        """What is wrong with these entries once they replace those of their names."""
        containers = dict(self._containers)
        names = {str(entry.get("container")) for entry in changed.values()}
        names |= {name for name, users in containers.items() if not changed.keys().isdisjoint(users)}
        after = _by_container(changed.items())
        for container in names:
            stay = [one for one in self._containers.get(container, ()) if one not in changed]
            containers[container] = [*stay, *after.get(container, ())]
        yield from self._problems(changed, containers)
        if any(map(rendered.renders, changed.values())):
            # Those that stay are in nobody's way among themselves.
            others = [one for one in self._entries.items() if one[0] not in changed]
            for name, text in rendered.conflicts([*others, *changed.items()]):
                yield name, "config_files", text

    def _problems(
        self, entries: _Entries, containers: Mapping[str, list[str]]
    ) -> Iterator[tuple[str, str, str]]:
        for name, entry in entries.items():
            for key, text in [*_wrong(entry), *self._in_wrong_plane(entry)]:
                yield name, key, text
            if entry.get("enabled"):
                for key, text in _conflicts(name, entry, containers):
                    yield name, key, text

    def _in_wrong_plane(self, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        roles = [role for role in entry.get("roles") or () if role in self._model.known_roles]
        controls = [role for role in roles if self._model.is_control_plane([role])]
        if entry.get("stage") == "control_plane" and len(controls) < len(roles):
            yield (
                "stage",
                "control_plane is for roles of the control plane alone, by_plane is for both planes",
            )
        if entry.get("stage") == "services" and controls:
            yield (
                "stage",
                f"services is for data plane roles, on a {controls[0]} use control_plane, on both by_plane",
            )


def _by_container(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, entry in entries:
        if entry.get("enabled") and "container" in entry and not _is_packaged(entry):
            found.setdefault(entry["container"], []).append(name)
    return found


def _conflicts(
    name: str, entry: Mapping[str, Any], containers: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    if _is_packaged(entry):
        return
    container = entry.get("container")
    first = next(iter(containers.get(container, ())), name) if container else name
    if first != name:
        yield (
            "container",
            (
                f"{shown(container)} is the container of {first} too, which is enabled as well:"
                f" disable {first} or {name}, or give one another container"
            ),
        )
    for unit in entry.get("legacy_units", ()):
        for owner in containers.get(unit, ())[:1]:
            yield "legacy_units", f"{shown(unit)} is the container of {owner}, its unit would be removed"


def _structure(entry: Mapping[str, Any], exactly: bool) -> str:
    """What of an entry the checks above look at; its options only where they are compared."""
    said = {key: entry.get(key) for key in (*_CHECKED, "config_files")}
    return repr({**said, "options": id(entry.get("options")) if exactly else 0})


def _wrong(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, text) of what is wrong with one merged entry by itself."""
    missing = [key for key in required(entry) if not entry.get(key)]
    if missing:
        # Not all types have packages: who needs one says what they are.
        if entry.get("enabled") or not _is_packaged(entry):
            yield missing[0], "is missing"
        return
    if _is_packaged(entry):
        yield from _wrong_packages(entry)
        return
    if entry.get("config") == "rerender" and not entry.get("config_files"):
        yield "config_files", "is empty, config: rerender has nothing to render"
    if entry.get("definition") == DECLARED and (text := reserved(entry["container"])):
        yield "container", text
    if entry.get("one_shot") and entry.get("definition") == DECLARED:
        yield "one_shot", "is for definition: found alone, a container of ours is kept running"
    if entry.get("enabled") and (lacks := completeness.lacks(entry)):
        yield (
            "definition",
            f"declared, but such a container could not start a real image: {'; '.join(lacks)}."
            " Give its quadlet in full; or say definition: found, where a deployer runs it already; or"
            " start: image, where the image starts by its own command",
        )


def _wrong_packages(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, text) of what is wrong with a merged entry that is deployed as packages."""
    for key, other in (("units", "packages"), ("packages", "units")):
        for family in entry[other]:
            if family not in entry[key]:
                yield key, f"has nothing for {family}, {other} has"
    for key in ("config", "one_shot"):
        if entry.get(key) not in (None, False, "run"):
            yield key, "is for services in containers: the configuration of packages is left as it is"


def _is_packaged(entry: Mapping[str, Any]) -> bool:
    return entry.get("deploy") == "package"


def _service(entry: Mapping[str, Any]) -> Service:
    """A merged entry as a type: not validated again, since each layer was, and so not copied."""
    return Service.model_construct(**{**entry, "health": Health(**entry.get("health", {}))})


def _set_by(entry: Entry | None) -> dict[str, Any]:
    """The keys that an entry sets, not copied: options may be large, and shared by many entries."""
    if entry is None:
        return {}
    values = {key: getattr(entry, key) for key in entry.model_fields_set}
    return {
        key: _set_keys(value) if isinstance(value, BaseModel) else value
        for key, value in values.items()
        if value is not None
    }


def _set_keys(value: BaseModel) -> dict[str, Any]:
    values = {key: getattr(value, key) for key in value.model_fields_set}
    return {key: one for key, one in values.items() if one is not None}


class _Merging:
    """Puts layers on top of each other. Pairs of mappings that many services share are merged once."""

    def __init__(self) -> None:
        # The mappings are kept, so that their ids stay theirs.
        self._known: dict[tuple[int, int], tuple[Any, Any, dict[str, Any]]] = {}

    def layers(self, *layers: Mapping[str, Any]) -> dict[str, Any]:
        """All of them, the last one on top. What is in one alone is not copied."""
        found: dict[str, Any] = {}
        for layer in layers:
            for key, value in layer.items():
                below = found.get(key)
                both = isinstance(value, Mapping) and isinstance(below, Mapping)
                found[key] = self._pair(below, value) if both and below else value
        return found

    def _pair(self, below: Any, value: Any) -> dict[str, Any]:
        key = (id(below), id(value))
        if key not in self._known:
            self._known[key] = (below, value, self.layers(below, value))
        return self._known[key][2]
