"""What of a run cannot be undone, by name: all of it is told before a rollback touches anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from openstack_rollout.declared import hooks, releases, way_back
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.kept import Kept
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.services import Service
from openstack_rollout.errors import some
from openstack_rollout.records.run_record import Run
from openstack_rollout.records.way_back import Former


def found(  # noqa: PLR0917
    model: Model,
    run: Run,
    moved: Mapping[str, Sequence[str]],
    chosen: Mapping[str, Sequence[str]],
    tried: Mapping[str, Sequence[str]],
    formers: Mapping[str, Former],
    now: Mapping[str, Compared],
    told: Mapping[str, Kept],
    since: Mapping[str, str],
) -> dict[str, list[str]]:
    """What cannot go back: node id → a line each; nodes on which all can are not in it.

    moved: node id → the stages that the run moved there. chosen: those of them that go back. tried: those in
    which the run has begun migrations there. formers: what nodes were before it. now: what they are. told:
    what they keep of their way back. since: node id → a later run that moved it.
    """
    lines: dict[str, list[str]] = {}
    for node, stages in chosen.items():
        here = list(_of_node(model, run, node, moved[node], stages, tried, formers, now, told, since))
        if here:
            lines[node] = here
    return lines


def _of_node(  # noqa: PLR0917
    model: Model,
    run: Run,
    node: str,
    ran: Sequence[str],
    stages: Sequence[str],
    tried: Mapping[str, Sequence[str]],
    formers: Mapping[str, Former],
    now: Mapping[str, Compared],
    told: Mapping[str, Kept],
    since: Mapping[str, str],
) -> Iterator[str]:
    if node in since:
        yield f"run {since[node]} has moved it since"
    former = formers.get(node)
    if former is None:
        yield "the journal does not say what it was before"
        return
    declared = run.target in model.releases and model.releases[run.target].irreversible
    if declared or former.irreversible:
        yield f"release {run.target} is declared irreversible"
    if node not in now or node not in told:
        return  # it did not answer, which is told as that
    if not told[node].known:
        yield "it has not kept what its packages were"
    yield from _services(model, run, stages, former, now[node], told[node])
    # Who goes back already tells of no migration any more.
    is_back = model.backs is not None and node in model.backs
    due = former.migrations if is_back else now[node].former["migrations"]
    yield from _migrations(model, run, stages, tried.get(node, ()), former, due)
    yield from _packages(model, set(ran) - set(stages), now[node], told[node])
    for stage in stages:
        yield from (f"{stage}: {line}" for line in told[node].cannot.get(stage, ()))


def _packages(model: Model, stays: Collection[str], now: Compared, told: Kept) -> Iterator[str]:
    """The packages that can be had nowhere any more, by stage and cause. stays: the stages that stay."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, why in sorted(told.missing.items()):
        stage = way_back.stage_of(model, name, now.roles)
        # What no stage of the run would move by itself came along with one of its stages.
        if stage not in stays:
            found.setdefault((stage or "along", why), []).append(name)
    for (stage, why), names in found.items():
        yield f"{stage}: {'packages' if names[1:] else 'package'} {some(names)}: {why}"


def _services(  # noqa: PLR0917
    model: Model, run: Run, stages: Sequence[str], former: Former, now: Compared, told: Kept
) -> Iterator[str]:
    """What of a node's containers and packaged services does not go back."""
    version = run.target if run.target in model.releases else releases.NO_RELEASE
    entries = model.catalogue.of_node(now.roles, version)
    before = model.catalogue.of_node(now.roles, former.deployed)
    has: Mapping[str, Any] = now.former["images"]
    declared = way_back.references(model)
    for one in entries:
        if one.stage not in stages:
            continue
        had = former.images.get(one.name)
        if had == "" and has.get(one.name) != "":
            yield f"container {one.container}: its image had no name with a digest"
        if had and has.get(one.name) != had and had not in told.images and had not in declared:
            yield f"container {one.container}: {had} is not on the node any more, and no release names it"
        if one.irreversible and has.get(one.name) != had:
            yield f"service {one.name} is declared irreversible"
        if one.irreversible and one.deploy == "package" and _moved(one, former, now):
            yield f"service {one.name} is declared irreversible"
    known = {one.container for one in before if former.images.get(one.name)}
    for name in former.orphans:
        if name not in now.former["orphans"] and name not in known:
            yield f"container {name}: the run removed it, and no release describes it"
    for name, units in former.legacy.items():
        if gone := sorted(set(units) - set(now.former["legacy"].get(name, ()))):
            yield f"container {name}: its earlier unit {', '.join(gone)} was removed"


def _moved(one: Service, former: Former, now: Compared) -> bool:
    has: Mapping[str, list[str]] = now.former["packages"]
    return any(has.get(name) != former.packages[name] for name in way_back.packages_of(one, former.packages))


def _migrations(  # noqa: PLR0917
    model: Model,
    run: Run,
    stages: Sequence[str],
    tried: Sequence[str],
    former: Former,
    due: Collection[str],
) -> Iterator[str]:
    """The migrations that a node had to do before the run, and has done since, or begun to. due: those that
    it has to do still.
    """
    declared = {one.name: one for one in hooks.migrations(model, run.target)}
    for name, stage in former.migrations.items():
        if stage not in stages or (name in declared and declared[name].reversible):
            continue
        if name not in due:
            yield f"migration {name} has run"
        elif stage in tried:
            yield f"migration {name} was begun"
