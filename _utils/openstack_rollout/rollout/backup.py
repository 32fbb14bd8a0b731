"""Backups before runs, and by hand: which node keeps what, and having it restored.

One member of a cluster keeps what all of it have: the first that has not failed. A run's record says what was
taken for it, before the run touches a node; one that goes on after that takes no other, but for the files of
nodes that it did not have then.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared import releases
from openstack_rollout.declared.backup import OF_CLUSTERS, BackedUp
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.planned import PlannedStage
from openstack_rollout.records.run_record import NodeState, Run
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.fleet import Halted, never
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.window import Node
from openstack_rollout.vocabulary import in_order

FILES = "files"
_LOOKED = 120.0  # seconds that a node may take to tell what it keeps


def before(  # noqa: PLR0917
    ports: Ports,
    run: Run,
    model: Model,
    members: Membership,
    engine: Engine,
    stages: Iterable[PlannedStage],
    *,
    later: bool = False,
) -> None:
    """Take the backup of a run that is about to touch its first node, where it is declared; of nodes that
    come to it later, their files.

    engine: of the run. stages: those that come now: while a window keeps their first node from going,
    nothing is taken. later: it is asked for again before one of them begins. Raises RolloutError
    BACKUP_FAILED, what halts the run, or, unless it is asked for again, why the window is closed: it might
    open before the first node goes.
    """
    records = engine.records
    touched = run.plan.prefetch if run.plan else ()
    moved = {node for node, record in records.items() if record.moved}
    if not model.backup.before or not touched or run.rollback or (moved and not run.backup):
        return  # it would be no backup of before
    failed = {node for node, record in records.items() if record.state is NodeState.FAILED}
    late = [node for node in touched if FILES not in run.backup.get(node, ())]
    late = [node for node in late if node not in moved | failed]
    if run.backup and (not late or FILES not in model.backup.of):
        return
    if closed := _closed(engine, stages):
        if later:
            return  # what is written until then would not be in it
        raise closed
    of = [FILES] if run.backup else None
    found = take(ports, run.id, model, members, late, engine.requested, of=of, failed=failed)
    run.backup = run.backup | {node: list(parts) for node, parts in found.items()}
    ports.journal.save(run)


def _closed(engine: Engine, stages: Iterable[PlannedStage]) -> RolloutError | None:
    """Why the first node of some stages may not start now, as far as windows are concerned."""
    places = (
        (Round(stage.stage, one.name), Node(node.id, role.role, node.zone), node.steps)
        for stage in stages
        for one in stage.rounds
        for role in one.roles
        for wave in role.waves
        for node in wave.nodes
    )
    first = next(places, None)
    return engine.why_closed(*first) if first else None


def take(  # noqa: PLR0917
    ports: Ports,
    name: str,
    model: Model,
    members: Membership,
    files_of: Iterable[str],
    halted: Halted = never,
    of: Collection[str] | None = None,
    failed: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """Take a backup. Returns node id → part → what it is.

    name: of it. files_of: the nodes whose files are of it. of: kinds of parts; what is declared by default.
    failed: nodes that are not asked. Raises RolloutError BACKUP_FAILED with every node that could not, or
    what halts the run.
    """
    wanted = [kind for kind in model.backup.of if of is None or kind in of]
    keepers = _keepers(model, members, wanted, failed)
    nodes: dict[str, list[str]] = {}
    for kind, some_ in keepers.items():
        nodes.setdefault(some_[0], []).append(kind)
    for node in (one for one in files_of if FILES in wanted and one not in failed):
        nodes.setdefault(node, []).append(FILES)
    asked = {
        node: {
            **{"name": name, "of": kinds, "keep": model.backup.keep},
            **{"key_file": model.backup.key_file or "", "dump_below": model.backup.dump_below_gib * 2**30},
        }
        for node, kinds in nodes.items()
    }
    found, failures = ports.backups("take", asked, float(model.backup.timeout), halted)
    lacks = {
        node: ("BACKUP_FAILED", "it took no backup") for node in asked.keys() - found.keys() - failures.keys()
    }
    for node, kinds in nodes.items():
        if node in found and (missing := _missing(kinds, found[node].backups.get(name, {}))):
            lacks[node] = "BACKUP_FAILED", f"it took none of {', '.join(missing)}"
    if failures or lacks:
        raise _failed("BACKUP_FAILED", {**failures, **lacks})
    return {node: _plain(found[node], name) for node in in_order(found)}


def by_hand(ports: Ports, of: Collection[str] | None = None) -> dict[str, Any]:
    """Take a backup of all nodes now; no run begins meanwhile. of: kinds of parts; all that is declared by
    default.

    Returns {"name", "nodes": as of take}. Raises RolloutError BACKUP_FAILED, RUN_IN_PROGRESS.
    """
    ports.lock.acquire()
    try:
        model = ports.pillar()
        members = Membership.of(model, ports.fleet)
        name = time.strftime("by-hand-%Y%m%d-%H%M%S", time.gmtime(ports.clock()))
        return {"name": name, "nodes": take(ports, name, model, members, members.ids, of=of)}
    finally:
        ports.lock.release()


def kept(ports: Ports, members: Membership) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The backups that nodes keep, {node id: {name: {part: what it is}}}, and why others do not tell."""
    found, failures = ports.backups("kept", {node: {} for node in members.ids}, _LOOKED, never)
    told = {
        node: {name: _plain(found[node], name) for name in found[node].backups} for node in in_order(found)
    }
    return {node: one for node, one in told.items() if one}, {
        node: f"{reason}: {message}" for node, (reason, message) in failures.items()
    }


def restore(
    ports: Ports,
    name: str,
    part: str,
    node: str | None = None,
    paths: Sequence[str] = (),
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Have a part of a backup restored by the node that keeps it.

    part: as `kept` has it. node: where several keep it, such as files. paths: of files. force: although
    clients are connected to the database. Returns {"node", "said", "clients": from where some were}. Raises
    RolloutError BACKUP_NOT_RESTORED, WRONG_ARGUMENT, RUN_IN_PROGRESS.
    """
    if (part == FILES) != bool(paths):
        raise RolloutError("WRONG_ARGUMENT", "paths: give those of the files that come back, for files alone")
    ports.lock.acquire()
    try:
        return _restored(ports, name, part, node, paths, force)
    finally:
        ports.lock.release()


def _restored(  # noqa: PLR0917
    ports: Ports, name: str, part: str, node: str | None, paths: Sequence[str], force: bool
) -> dict[str, Any]:
    model = ports.pillar()
    members = Membership.of(model, ports.fleet)
    there, silent = kept(ports, members)
    nodes = [one for one, some_ in there.items() if part in some_.get(name, {}) and node in (None, one)]
    if not nodes:
        unheard = f"; no answer of {some(in_order(silent))}" if silent else ""
        raise RolloutError("BACKUP_NOT_RESTORED", f"no node keeps {part} of a backup {name}{unheard}")
    if nodes[1:]:
        raise RolloutError("WRONG_ARGUMENT", f"node: {some(nodes)} keep {part} of {name}: say which")
    asked = {
        "name": name,
        "part": part,
        "key_file": model.backup.key_file or "",
        **({"paths": list(paths)} if paths else {}),
        **({"force": True} if force else {}),
    }
    found, failures = ports.backups("restore", {nodes[0]: asked}, float(model.backup.timeout), never)
    (keeper,) = nodes
    told = found.get(keeper)
    if told is None:
        unknown = {keeper: ("NODE_SILENT", "whether it was restored is not known")}
        raise _failed("BACKUP_NOT_RESTORED", failures or unknown)
    return {"node": keeper, "said": told.said, "clients": told.clients}


def _keepers(
    model: Model, members: Membership, wanted: Sequence[str], failed: Collection[str]
) -> dict[str, list[str]]:
    """Kind → the nodes that are members of its cluster; a kind of which there is none is not in it."""
    version = model.target_version if model.target_version in model.releases else releases.NO_RELEASE
    guards = {
        node: {one.guard for one in model.catalogue.of_node(members.roles_of(node), version)}
        for node in in_order(members.ids)
        if node not in failed
    }
    found = {
        kind: [node for node, some_ in guards.items() if OF_CLUSTERS.get(kind) in some_] for kind in wanted
    }
    return {kind: nodes for kind, nodes in found.items() if nodes}


def _missing(kinds: Iterable[str], parts: Mapping[str, Any]) -> list[str]:
    """The kinds of which nothing was taken; OVN's parts are named as its databases."""
    ovn = any(part.startswith("OVN_") for part in parts)
    return [kind for kind in kinds if kind not in parts and not (kind == "ovn" and ovn)]


def _failed(as_: str, failures: Mapping[str, tuple[str, str]]) -> RolloutError:
    text = "; ".join(
        f"{node}: {message if reason == as_ else f'{reason}: {message}'}"
        for node, (reason, message) in sorted(failures.items())
    )
    return RolloutError(as_, text, in_order(failures))


def _plain(told: BackedUp, name: str) -> dict[str, Any]:
    return {part: one.model_dump() for part, one in told.backups.get(name, {}).items()}
