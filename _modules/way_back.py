"""The way back of a run: the packages that this node has before it, as files, until the next run moves
others.

What was installed, and which kernel ran, is written down once a run, before it moves anything. The files come
from the package manager's cache, else from a repository while that still has them (kept_packages). Former
images stay where they are, held against an operator's pruning where podman has them (kept_images). What
cannot be kept is told later, when the way back is asked for: of a run that is not among those that the record
has seen nothing is known.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    carriers,
    engines,
    errors,
    images,
    kept_files,
    kept_images,
    kept_packages,
    kernels,
    storage,
)
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.packages import MINION_PACKAGES
from openstack_rollout.records.state_file import StateFile

SCHEMA = 1
RESERVE = 2 * 2**30  # bytes that stay free: what does not fit is not kept, and told
PATIENCE = 120.0  # seconds that looking for files may take: a run does not wait for what it may never need
SEEN = 20  # runs that are remembered
_RECORD = Path("/var/lib/openstack-rollout/way-back.json")
_FORM = {"run": str, "kernel": str, "installed": dict, "due": list, "seen": list}
_RUN = kept_packages.OF_THE_RUN


def due(stages: Mapping[str, Mapping[str, str]], also: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a run is about to move of packages, by the metadata at hand.

    stages (dict): {stage: {name: version}} as a share has them. also (dict): {name: version} of what moves
    beside them.

    Returns {name: version}, with what goes (another stream of Open vSwitch) at the version that it has.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.due '{system: {bash: 5.2.15-3}}'
    """
    found = dict(also or {})
    installed = __salt__["package_set.installed"]()
    for stage, packages in stages.items():
        changes = __salt__["package_set.changes"](packages, stage)
        found |= changes["install"]
        found |= {name: installed[name][0] for name in changes["remove"] if name in installed}
    return {name: version for name, version in found.items() if name not in MINION_PACKAGES}


def keep(
    run: str, packages: Mapping[str, str], exclude: Sequence[str] = (), touched: bool = False
) -> dict[str, Any]:
    """Write down what is installed before a run, and keep the files of what it is about to move.

    run (str): its identifier. packages (dict): of `due`. exclude (list): as for package_set.bring. touched
    (bool): whether the run has changed the node before: what was there before it cannot be found out then.

    Returns {"kept": {name: version} of what was not kept before, "missing": {name: why it cannot be kept}}.
    What an earlier run kept goes, unless this one moves nothing. Raises NodeError NODE_ERROR where not even
    the record can be written.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.keep 20261130-010203-abcd '{bash: 5.2.15-3}'
    """
    if touched and run not in (_record() or {"seen": []})["seen"]:
        return {
            "kept": {},
            "missing": dict.fromkeys(packages, "the run had moved the node before that was written down"),
        }
    _begin(run, packages)
    if not packages:
        return {"kept": {}, "missing": {}}
    try:
        if said := storage.lacking(str(kept_packages.FOLDER), "the way back", RESERVE):
            return {"kept": {}, "missing": dict.fromkeys(packages, said)}
        found = __salt__["kept_packages.keep"](_RUN, packages, list(exclude), PATIENCE)
        __salt__["kept_packages.begin"](_RUN, [])
    except CommandExecutionError as error:
        return {"kept": {}, "missing": dict.fromkeys(packages, errors.text_of(error))}
    return found


def keep_files(run: str, paths: Sequence[str], touched: bool = False) -> list[str]:
    """Keep configuration files as they are before a run renders them.

    run (str): its identifier. paths (list): of the files. touched (bool): as for `keep`; none are kept then.

    Returns those that were kept now: not those that this run had kept before. Raises NodeError NODE_ERROR.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.keep_files 20261130-010203-abcd '[/etc/nova/nova.conf]'
    """
    return [] if touched else kept_files.keep(run, paths)


def former_images(moving: Mapping[str, str], wanted: Collection[str] = ()) -> list[str]:
    """podman's images that containers have, or their definitions start, and that a run is about to replace.

    moving (dict): {container, or Pacemaker bundle: the image that it is to have}. wanted (list): the
    containers of ours that the node is to have: the others go.

    Returns their ids. Raises CommandExecutionError when podman does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.former_images '{nova_compute: "registry.example/nova-compute@sha256:…"}'
    """
    if f"{engines.PODMAN}.containers" not in __salt__:
        return []
    there, defined = __salt__["podman.containers"](known=True), carriers.carried(__salt__)
    replicas = {one["bundle"]: name for name, one in defined.items() if one.get("bundle")}
    named = __salt__["podman.named_images"](known=True)
    next_ones = __salt__["podman.image_ids"](list(moving.values()), known=True)
    going = dict.fromkeys(set(__salt__["quadlet.managed"]()) - set(wanted), "")
    found = set()
    for name, image in {**(going if wanted else {}), **moving}.items():
        container = replicas.get(name, name)
        has = {there[container]["image_id"]} if container in there else set()
        if container in defined:
            has |= {named[one] for one in [defined[container]["image"]] if one in named}
        found |= has - {next_ones.get(image)}
    return sorted(found)


def hold_images(run: str, images: Sequence[str]) -> list[str]:
    """Hold images against `podman image prune --all` and `podman system prune --all`, until another run holds
    others, or rollout.prune finds that nobody needs them.

    run (str): its identifier. images (list): of `former_images`.

    Returns those that were not held for this run before. Raises NodeError NODE_ERROR where podman's storage
    driver would copy them, CommandExecutionError when podman does not do it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.hold_images 20261130-010203-abcd '[822a33d68470…]'
    """
    return kept_images.keep(__salt__, run, list(images))


def kept(run: str, references: Sequence[str] = ()) -> dict[str, Any]:
    """What there is of the way back from a run, for the master. Nothing is touched.

    run (str): its identifier. references (list): images to look for.

    Returns {"schema", "known": whether it was written down what was here before the run, "images": those that
    are local, "packages": {name: {"had", "has"}} of what the run was to move and that moved since, "missing":
    {name: why it cannot go back}, "others": [names of what else moved since: not by the run], "cannot":
    {stage: [what else cannot]}}. A run that was seen and is not the one that was written down was to move no
    package here: only images are told of it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' way_back.kept 20261130-010203-abcd
    """
    local = images.ids(references, engines.local_images(__salt__))
    known = _record() or {"run": "", "seen": []}
    found: dict[str, Any] = {
        **{"schema": SCHEMA, "known": run in known["seen"] or __salt__["bootc.status"]() is not None},
        **{"images": sorted(local), "packages": {}, "missing": {}, "others": [], "cannot": {}},
    }
    if known["run"] != run:
        return found
    files = kept_packages.of(_RUN)
    moved = _moved(known["installed"], __salt__["package_set.installed"]())
    own = {name: one for name, one in moved.items() if name in {*known["due"], *files.packages}}
    there = kept_packages.at_hand({name: one["had"] for name, one in own.items()})
    missing = {name: files.missing.get(name, "it was not kept") for name in own if name not in there}
    kernel = os.uname().release
    if kernel != known["kernel"]:
        found["cannot"] = {"system": [f"kernel {kernel} is in use, {known['kernel']} was before"]}
    return {**found, "packages": own, "missing": missing, "others": sorted(moved.keys() - own.keys())}


def _begin(run: str, packages: Collection[str]) -> None:
    """Write down that a run was seen, what is there before it, and what it is to move; where that is nothing
    what was written down for an earlier one stays.
    """
    known = _record()
    seen = [*(one for one in (known or {}).get("seen", ()) if one != run), run][-SEEN:]
    try:
        if known is not None and (known["run"] == run or not packages):
            due = sorted({*known["due"], *packages})
            if (known["seen"], known["due"]) != (seen, due):
                StateFile(_RECORD).write({**known, "due": due, "seen": seen})
            return
        kept_packages.drop(_RUN)
        now = {"run": run, "kernel": os.uname().release, "installed": __salt__["package_set.installed"]()}
        StateFile(_RECORD).write({**now, "due": sorted(packages), "seen": seen})
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{_RECORD}: {error}") from error


def _moved(
    before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """The packages that have not the version any more that they had; kernels are installed beside others."""
    return {
        name: {"had": versions[0], "has": list(now.get(name, ()))}
        for name, versions in sorted(before.items())
        if len(versions) == 1
        and versions[0] not in now.get(name, ())
        and name not in MINION_PACKAGES
        and not any(fnmatchcase(name, glob) for glob in kernels.PACKAGES)
    }


def _record() -> dict[str, Any] | None:
    return StateFile(_RECORD, _FORM).read_or_none()
