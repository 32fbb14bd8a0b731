"""A pillar to begin with, written from a survey: the operator's page, and the release that was found.

Pure text. It is deterministic: the same survey writes the same files. Comments hold what nodes said, so they
are cut to what neither YAML nor a template could take for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from openstack_rollout.declared.installers import OURS
from openstack_rollout.declared.names import PACKAGE, PACKAGE_VERSION
from openstack_rollout.declared.problems import plain
from openstack_rollout.declared.services import BACKEND_MAPS
from openstack_rollout.errors import some
from openstack_rollout.node.packages import FLOOR, NEWEST
from openstack_rollout.vocabulary import in_order

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

PAGE = "openstack/init.sls"
_RELEASES = "openstack/releases"
#: What stays of the pillar that is there: neither the operator's page nor releases.
_SHIPPED = ("service_defaults", "service_types", "auxiliary_images", "deployers")
#: No template is rendered in these files.
_RENDERER = "#!yaml"
_WIDE = 10**6
_DEFINITION = {"definition": "found"}
_COMMENT = 300  # characters
_TARGETED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_NUMBERED = re.compile(r"(?P<start>[A-Za-z][A-Za-z0-9_.:-]*?)[0-9]+(?:\.[A-Za-z0-9_.:-]+)?")


def files(model: Model, records: Mapping[str, Any], version: str) -> dict[str, str]:
    """The files of a pillar: their paths below its root, and their texts.

    model: what is declared, for the catalogue. records: of survey.survey; "unasked": minions that no written
    target may mean either. version (str): what the release as
    found is called.
    """
    return {
        PAGE: _text(_page(model, records, version)),
        release_path(version): _text(_release(model, records, version)),
    }


def release_path(version: str) -> str:
    """The path of the file of a release, below the pillar's root. version (str): its name."""
    return f"{_RELEASES}/{version.replace('.', '_')}.sls"


def merged(shipped: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The pillar `openstack` as the master would compile it with these files in place of the operator's page.

    shipped: the pillar `openstack` of the master, of which the catalogue and the tables of deployers count.
    texts: of `files`.
    """
    found = {key: shipped[key] for key in _SHIPPED if key in shipped}
    for text in texts.values():
        found |= yaml.safe_load(text)["openstack"]
    return found


def target_of(nodes: Sequence[str], others: Sequence[str]) -> str:
    """A compound target of nodes that means none of the others: globs where they are numbered, else names.

    nodes, others: minion ids.
    """
    globs, left = [], []
    starts: dict[str, list[str]] = {}
    for name in nodes:
        match = _NUMBERED.fullmatch(name)
        starts.setdefault(match["start"] if match else "", []).append(name)
    for start, names in sorted(starts.items()):
        if len(start) > 1 and not any(name.startswith(start) for name in others):
            globs.append(f"{start}*")
        else:
            left += names
    return " or ".join([*globs, *([f"L@{','.join(in_order(left))}"] if left else [])])


def _page(model: Model, records: Mapping[str, Any], version: str) -> Iterator[str]:
    yield "# Written by salt-run rollout.survey from what runs. Read it, correct what was guessed, then"
    yield "# salt-run release.check. Every other key of the page is as shipped: pillar/openstack/init.sls."
    for node, one in records["silent"].items():
        yield _comment("", f"{node} did not answer, it is not in here: {one['reason']}")
    yield "openstack:"
    yield f"  target_version: {_flow(version)}"
    yield ""
    yield "  roles:"
    yield from _roles(model, records)
    yield ""
    yield "  # An update to the release as found is to change nothing: packages that no release names stay."
    yield "  # Leave this out once the system stage shall bring nodes up to date."
    yield "  system: {packages: release}"
    yield ""
    yield "  # found: the definition of whoever deployed it stays, an update moves its image."
    yield "  # package: it runs under its packages' own units, an update moves its packages."
    yield "  services:"
    yield from _services(model, records)


def _roles(model: Model, records: Mapping[str, Any]) -> Iterator[str]:
    nodes = records["nodes"]
    for role, members in records["roles"].items():
        declared = all(not nodes[name]["guessed"] for name in members)
        others = [
            name for name in (*records["survey"], *records.get("unasked", ())) if name not in set(members)
        ]
        if declared and role in model.roles:
            said = model.roles[role].model_dump(exclude_none=True)
            yield f"    {role}: {_flow(said if len(said) > 1 else said['target'])}"
            continue
        yield _comment("    ", f"guessed by the services of {some(members)}")
        if odd := [name for name in members if not _TARGETED.fullmatch(name)]:
            yield _comment("    ", f"left out, a target cannot name them: {some(odd)}")
        if plain_ones := [name for name in members if name not in odd]:
            yield f"    {role}: {_flow(target_of(plain_ones, others))}"
    without = [name for name, node in nodes.items() if not node["roles"]]
    if without:
        yield _comment("    ", f"without a role, nothing on it is known: {some(without)}")


def _services(model: Model, records: Mapping[str, Any]) -> Iterator[str]:
    enabled: set[str] = set()
    for kind, one in records["both"].items():
        yield from (_comment("    ", line) for line in two_kinds(kind, one))
    for name, one in records["services"].items():
        if one["missing"]:
            yield _comment("    ", f"{name}: runs on {some(one['nodes'])}, not on {some(one['missing'])}")
        if OURS in one["deployers"]:
            yield _comment("    ", f"{name}: ours already: keep what your page says of it")
        if one["type"] not in model.service_types:
            yield _comment("    ", f"{name}: a type of your own: keep what your page says of it")
        elif one["deploy"] == "container" and one["image_key"] not in records["images"]:
            yield _comment("    ", f"{name}: its image has no digest of a registry: not moved")
        elif one["fixed"]:
            yield _comment("    ", f"{name}: its bundle names {some(one['fixed'])}, no tag: not moved")
        elif not one["roles"]:
            yield _comment("    ", f"{name}: its nodes have no role: not moved")
        else:
            enabled.add(name)
            beside = set(one["nodes"]) <= set(records["services"].get(one["type"], {}).get("nodes", ()))
            yield f"    {_flow(name)}: {_flow(_entry(model, name, one, records['roles'], beside=beside))}"
    for name, of_type in sorted(model.service_types.items()):
        if of_type.enabled and name not in enabled:
            yield f"    {_flow(name)}: {_flow({'enabled': False})}"
    for container, found in records["unmapped"].items():
        owners = ", ".join(sorted({one["deployer"] for one in found}))
        yield _comment("    ", f"no service: {container} ({owners})")


def _entry(
    model: Model, name: str, one: Mapping[str, Any], members: Mapping[str, Any], *, beside: bool
) -> dict[str, Any]:
    """What a pillar says of a service that was found: only what its type says otherwise.

    beside: whether the service that its type is called after runs on each of its nodes.
    """
    of_type, packaged = model.service_types[one["type"]], one["deploy"] == "package"
    entry: dict[str, Any] = {"enabled": True, **({"deploy": "package"} if packaged else _DEFINITION)}
    if name != one["type"]:
        entry = {"type": one["type"], **entry}
        if beside:
            # A helper beside the service itself: its guard would act for nothing.
            entry |= {"guard": "none"} if of_type.guard not in (None, "none") else {}
            entry |= {"alone": False} if of_type.alone else {}
    if packaged:
        entry |= _own_names(model, name, one["type"])
    else:
        entry |= {"container": one["container"]} if of_type.container != one["container"] else {}
        entry |= {"image": one["image_key"]} if of_type.image != one["image_key"] else {}
    if one["stage"]:
        entry["stage"] = one["stage"]
    # Roles of the type that no node has make no difference.
    if set(one["roles"]) != {role for role in of_type.roles or () if role in members}:
        entry["roles"] = list(one["roles"])
    return entry


def _own_names(model: Model, name: str, kind: str) -> dict[str, Any]:
    """What the operator's page says of the names of a service that is packages."""
    services, of_type = model.catalogue.services(), model.service_types[kind]
    service = services.get(name, services[kind])
    said = {key: getattr(service, key) for key in ("packages", "libraries", "units")}
    return {key: value for key, value in said.items() if value != (getattr(of_type, key) or {})}


def two_kinds(kind: str, one: Mapping[str, Any]) -> Iterator[str]:
    """What there is to say of a type that runs in containers here and is packages there, by the pillar's key.

    kind (str): the type. one: of found_packages.both.
    """
    key = f"openstack:services:{kind}:deploy"
    if one["at_once"]:
        yield (
            f"{key}: {some(one['at_once'])} runs it in a container and as packages: taken for a container,"
            " disable the packages' units"
        )
    for role in one["roles"]:
        yield (
            f"{key}: {some(one['packages'])} has packages where role {role} has a container of ours:"
            " give these nodes a role of their own"
        )
    if one["containers"] and one["packages"]:
        yield (
            f"{key}: container on {some(one['containers'])}, package on {some(one['packages'])}: two services"
            " of this type"
        )


def _release(model: Model, records: Mapping[str, Any], version: str) -> Iterator[str]:
    yield "# The release as it was found running, by salt-run rollout.survey: the images, and the packages of"
    yield "# services that are packages."
    for container, images in records["undigested"].items():
        for image, nodes in images.items():
            yield _comment(
                "", f"not in here: {container} runs {image} on {some(nodes)}, which no registry has"
            )
    yield "openstack:"
    yield "  releases:"
    yield f"    {_flow(version)}:"
    yield f"      images:{'' if records['images'] else ' {}'}"
    known = {of_type.image for of_type in model.service_types.values()}
    for key, one in records["images"].items():
        if key not in known:
            yield _comment("        ", f"of a type of your own: {key}: {one['reference']}")
            continue
        for digest, nodes in one["others"].items():
            yield _comment("        ", f"{some(nodes)} runs {digest or 'an image of no registry'} instead")
        value = {"default": one["reference"]} if key in BACKEND_MAPS else one["reference"]
        yield f"        {_flow(key)}: {_flow(value)}"
    yield from _packages(records)


def _packages(records: Mapping[str, Any]) -> Iterator[str]:
    """The packages of services, by family of distributions where the nodes are of several."""
    several = len({node["os_family"] for node in records["nodes"].values()}) > 1
    lines: list[str] = []
    for name, families in records["packages"].items():
        said: dict[str, str] = {}
        for family, one in families.items():
            version = one["version"]
            text = PACKAGE.problem(name) or PACKAGE_VERSION.problem(version)
            if text or version == NEWEST or version.startswith(FLOOR):  # a node may say anything
                lines.append(
                    _comment("        ", f"not in here, on {some(one['nodes'])}: {name} {version}: {text}")
                )
                continue
            for other, nodes in one["others"].items():
                lines.append(_comment("        ", f"{some(nodes)} has {name} {other} instead"))
            said[family] = version
        if said:
            value: Any = said if several else next(iter(said.values()))
            lines.append(f"        {_flow(name)}: {_flow(value)}")
    named = any(not line.lstrip().startswith("#") for line in lines)
    yield from [f"      packages:{'' if named else ' {}'}", *lines] if lines else ()


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=_WIDE)
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(indent: str, text: str) -> str:
    return f"{indent}# {plain(text)[:_COMMENT]}".replace("{", "(").replace("}", ")")


def _text(lines: Iterator[str]) -> str:
    return "\n".join([_RENDERER, *lines]) + "\n"
