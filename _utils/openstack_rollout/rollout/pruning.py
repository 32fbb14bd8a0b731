"""Removing from nodes what no release needs any more, once an operator has accepted the last update.

Of each node stays what it runs, what it would go back to, what the target needs, and what is kept by name.
Nothing of that is decided on the node: it is told what to keep, and what is the releases' at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared import surplus
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.surplus import Needs, Pruned
from openstack_rollout.errors import one_line
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run
from openstack_rollout.records.way_back import Former
from openstack_rollout.rollout import acceptance, tags
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.vocabulary import in_order

#: Nodes, and the arguments of surplus.prune → what they told, and why others did not (reason, message).
Ask = Callable[[Sequence[str], Mapping[str, Any]], tuple[Mapping[str, Pruned], Mapping[str, tuple[str, str]]]]
_BETWEEN = "it is between releases: what it needs is not known"


def prune(ports: Ports, ask: Ask, *, test: bool) -> dict[str, Any]:
    """Have all nodes remove what they need no more.

    ask: asks nodes, with one job. test: remove nothing, and tell what would be.

    Returns {"pruned_nodes": {node: {"images", "packages", "freed", "left", "failed"}}, "freed": bytes of all,
    "run": the run that is accepted, "kept": the releases that all nodes keep, "untouched": {node: why nothing
    was done there}, "test"}. Raises RolloutError RUN_IN_PROGRESS, NO_RUN, RUN_UNFINISHED, NOT_ACCEPTED.
    """
    journal = ports.journal
    if test:
        ports.lock.refuse_others()
    else:
        ports.lock.acquire()
    try:
        run = acceptance.require(journal)
        model = tags.declared(ports)
        members = Membership.of(model, ports.fleet)
        measured = members.measure(ports.fleet, members.ids)
        untouched = {
            node: one_line(f"{reason}: {message}") for node, (reason, message) in measured.failures.items()
        }
        formers = _formers(journal, members.ids)
        past = {image for run_id in journal.run_ids() for image in _images(journal, run_id)}
        known = surplus.repositories(model, past)
        always = {*filter(None, (model.target_version,)), *model.prune.keep}
        groups: dict[Needs, list[str]] = {}
        for node, now in measured.nodes.items():
            needed = _needed(model, journal, node, now, formers.get(node), always)
            if needed is None:
                untouched[node] = _BETWEEN
            else:
                groups.setdefault(needed, []).append(node)
        done: dict[str, Pruned] = {}
        for needed, nodes in groups.items():
            asked = {
                **{"keep": sorted(needed.images), "known": known},
                **{"packages": needed.by_name(), "test": test},
            }
            answers, failures = ask(nodes, asked)
            done |= answers
            untouched |= {node: f"{reason}: {one_line(text)}" for node, (reason, text) in failures.items()}
    finally:
        if not test:
            ports.lock.release()
    return {
        "pruned_nodes": {node: done[node].model_dump(exclude={"schema_"}) for node in in_order(done)},
        "freed": sum(one.freed for one in done.values()),
        "run": run.id,
        "kept": sorted(always),
        "untouched": {node: untouched[node] for node in in_order(untouched)},
        "test": test,
    }


def _formers(journal: Journal, nodes: Sequence[str]) -> dict[str, tuple[Run, Former | None]]:
    """Node → the last run that moved it, and what it was before that, None where nobody knows."""
    found: dict[str, tuple[Run, Former | None]] = {}
    for run_id in reversed(journal.run_ids()):
        run = journal.run(run_id)
        left = [node for node in nodes if node not in found]
        if run is None or not left:
            continue
        records = journal.nodes(run_id)
        moved = [node for node in left if node in records and records[node].moved]
        found |= {node: (run, journal.way_back.former(run_id, node)) for node in moved}
    return found


def _needed(  # noqa: PLR0917
    model: Model,
    journal: Journal,
    node: str,
    now: Compared,
    moved: tuple[Run, Former | None] | None,
    always: set[str],
) -> Needs | None:
    """What a node needs, None where that is not known.

    moved: the last run that moved it, and what it was before. always: versions that are kept anyway.
    """
    if now.deployed is None:
        return None
    wanted, images, packages = {now.deployed, *always}, [], {}
    run, former = moved or (None, None)
    if run is not None and run.rollback:
        wanted.add(run.target)  # the way on is to where it came back from
    elif former is not None:
        wanted.add(former.deployed)
        images = [image for image in former.images.values() if image]
        packages = former.packages
    elif (previous := surplus.before(model, now.deployed)) is not None:
        wanted.add(previous)
    if (back := journal.way_back.back(node)) is not None and model.backs is not None:
        images = [*images, *(image for image in back.images.values() if image)]
        packages = {**packages, **{name: [version] for name, version in back.packages.items()}}
    images = [*images, *(one["image"] for one in now.services.values() if one.get("image"))]
    return surplus.needs(model, wanted, images, packages)


def _images(journal: Journal, run_id: str) -> list[str]:
    """The images that nodes ran before a run."""
    formers = journal.way_back.formers(run_id).values()
    return [image for one in formers for image in one.images.values() if image]
