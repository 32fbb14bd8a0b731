"""The order of a way back: what is left where it is must not be newer than what it needs, once that went
back.

What the run itself moved is measured. What came later is known by the journal, where a run brought it, and
measured where nobody did: such as a node that was installed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from openstack_rollout.declared import facts
from openstack_rollout.declared.comparison import Compared, Comparison
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.releases import references_of
from openstack_rollout.declared.way_back import order
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, Run, RunState, StageState
from openstack_rollout.records.way_back import Back, Former
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout import procedure
from openstack_rollout.rollout.fleet import Measurable
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.vocabulary import ROLES, SERVICE_STAGES, in_order

Moved = Mapping[str, list[str]]


def refuse(
    run: Run, members: Membership, measured: Measured, moved: Moved, backs: Mapping[str, Back]
) -> None:
    """Raise STAGE_OUT_OF_ORDER where what stays would have to go back before what goes back.

    measured: the nodes, compared with all that the run moved. moved: node id → its stages. Nodes that do not
    tell whether they went back stay, where they are more than may fail.
    """
    goes: dict[str, list[str]] = {}
    unknown = [node for node in moved if node in measured.failures and node not in backs]
    left = _staying(members, {node: moved[node] for node in members.all_over_budget(unknown)}, backs)
    for node, one in measured.nodes.items():
        for stage in (stage for stage in moved.get(node, ()) if one.stages.get(stage)):
            there = goes if node in backs and stage in backs[node].stages else left
            there.setdefault(stage, []).append(node)
    for text, nodes in _left(members, goes, left):
        also = "; who does not answer may not be back" if {*unknown} & {*nodes} else ""
        _out_of_order(f"{text}, which run {run.id} has moved on {some(nodes)} too{also}", nodes)


def refuse_newer(  # noqa: PLR0917
    journal: Journal,
    run: Run,
    model: Model,
    members: Membership,
    now: Measured,
    fleet: Measurable,
    backs: Mapping[str, Back],
) -> None:
    """Raise STAGE_OUT_OF_ORDER where what came after the run would be left newer than what it needs.

    now: the nodes as they are. fleet: has been asked for their facts.
    """
    goes = {stage: [node for node, one in backs.items() if stage in one.stages] for stage in SERVICE_STAGES}
    goes = {stage: nodes for stage, nodes in goes.items() if nodes}
    found = {back.release for back in backs.values()}
    release = found.pop() if len(found) == 1 else ""
    for later, moved in _since(journal, run, model, release).items():
        for text, nodes in _left(members, goes, _staying(members, moved, backs), direct=True):
            why = f"which run {later} has moved on {some(nodes)} since: undo that one first"
            _out_of_order(f"{text}, {why}", nodes)
    newer = _newer(journal, model, release, members, now, fleet) if "control_plane" in goes else {}
    for text, nodes in _left(members, goes, _staying(members, newer, backs), direct=True):
        why = f"and {some(nodes)}, which no run that is kept has touched, is at a newer release there"
        _out_of_order(f"{text}, {why}: bring it back, or take it out of openstack:roles, first", nodes)


def _since(journal: Journal, run: Run, model: Model, release: str) -> dict[str, dict[str, list[str]]]:
    """The runs after one that moved nodes on from what others go back to, and were not undone there: run →
    node id → stages.

    release: to which they go back, "" where it is none: then any move counts.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for later in filter(None, map(journal.run, journal.run_ids())):
        if later.created <= run.created:
            continue
        records = journal.nodes(later.id)
        if not later.rollback:
            moved = {node: set(record.moved) for node, record in records.items() if record.moved}
            known = {node: journal.way_back.former(later.id, node) for node in moved}
            found[later.id] = {node: moved[node] for node in moved if _was_at(known[node], model, release)}
        elif later.rollback in found:
            left = found[later.rollback]
            found[later.rollback] = {node: left[node] - _undone(later, node, records) for node in left}
    return {
        one: {node: order(stages) for node, stages in nodes.items() if stages} for one, nodes in found.items()
    }


def _undone(run: Run, node: str, records: Mapping[str, NodeRecord]) -> set[str]:
    """The stages that a rollback has brought back on a node: proven, not only begun."""
    if run.state in (RunState.COMPLETED, RunState.OPEN_ENDS):  # measured at its end, all of its nodes
        return set(run.stages) if node in (run.asked.nodes or ()) and node not in run.open_ends else set()
    done = {name for name, one in run.stage.items() if one.state is StageState.DONE}
    last = {one.stage: one.outcome for one in records[node].history} if node in records else {}
    return {stage for stage in done if last.get(stage) == "done"}


def _was_at(former: Former | None, model: Model, release: str) -> bool:
    """Whether a node had something of a release before a run moved it, as far as that is known."""
    if former is None or release not in model.releases or former.deployed == release or not former.images:
        return True
    had = {one for _, _, one in references_of(model.releases[release].images)}
    if former.deployed in model.releases:  # what another release has, too, tells nothing
        had -= {one for _, _, one in references_of(model.releases[former.deployed].images)}
    return not had.isdisjoint(former.images.values())


def _newer(  # noqa: PLR0917
    journal: Journal, model: Model, release: str, members: Membership, now: Measured, fleet: Measurable
) -> dict[str, list[str]]:
    """The nodes that are at a newer release than one by no run, and the stages in which that shows."""
    if release not in model.releases:
        return {}
    order_ = model.ordered
    later = set(order_[order_.index(release) + 1 :])
    runs = journal.run_ids()
    nodes = [
        node
        for node, one in now.nodes.items()
        if one.deployed in later and not any(journal.node(run, node) for run in runs)
    ]
    # A release that changes nothing on a node makes it no newer.
    then = Comparison(model.turned(None).model_copy(update={"target_version": release}))
    answers = fleet.facts(members.silences(nodes)).facts if nodes else {}
    found = {}
    for node, answer in answers.items():
        one = _compared(then, members, node, answer)
        if one and (stages := [stage for stage in SERVICE_STAGES if one.stages.get(stage)]):
            found[node] = stages
    return found


def _compared(then: Comparison, members: Membership, node: str, answer: object) -> Compared | None:
    try:
        told = facts.read(node, answer, {*ROLES, *members.roles})
        return then.compare(told, members.roles_of(node), members.zones.get(node))
    except RolloutError:
        return None  # what it is cannot be told, and was refused where it has to go back


def _staying(members: Membership, moved: Moved, backs: Mapping[str, Back]) -> dict[str, list[str]]:
    """Stage → the nodes of the cloud that moved in it and do not go back in it."""
    found: dict[str, list[str]] = {}
    for node in (one for one in members.ids if one in moved):
        for stage in moved[node]:
            if node not in backs or stage not in backs[node].stages:
                found.setdefault(stage, []).append(node)
    return found


def _left(
    members: Membership, goes: Moved, left: Moved, *, direct: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """What is left and has to go before: when a stage may go back, and the nodes that are in its way.

    direct: only the stage that came right after one needs that one on other nodes, too.
    """
    for stage in order(goes):
        first = procedure.FIRST_ROLES.get(stage, "")
        late = [node for node in left.get(stage, ()) if limits.goes_as(members, stage, node) != first]
        if late and any(limits.goes_as(members, stage, node) == first for node in goes[stage]):
            yield f"{stage} goes back on a {first} after the other roles", in_order(late)
        for earlier in procedure.before(stage, back=True)[-1 if direct else 0 :]:
            if earlier in left:
                yield f"{stage} goes back after {earlier}", in_order(left[earlier])


def _out_of_order(text: str, nodes: Iterable[str]) -> NoReturn:
    raise RolloutError("STAGE_OUT_OF_ORDER", text, nodes)
