"""The way back of a run: what its nodes go back to, what refuses it, and the run that undoes it.

A rollback is a run as any other, of the same engine, with another target: that of each node is what the
journal of the undone run says that it was, in the stages that this run moved there. It is in force
(records.way_back) before its first step, and stays so when it has ended: no state brings a node forward again
until the operator has set another target, or says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openstack_rollout.declared import hooks, releases, way_back
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.kept import Kept
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.asked import Asked as AskedOfRun
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import me
from openstack_rollout.records.run_record import UNFINISHED, Called, Run, RunState
from openstack_rollout.records.stored import plain
from openstack_rollout.records.way_back import Back, Former, InForce
from openstack_rollout.rollout import back_order, gone, irreversible, preflight, tags
from openstack_rollout.rollout import limit as limits
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.engines import Engines
from openstack_rollout.rollout.limit import NO_LIMIT, Limit
from openstack_rollout.rollout.measured_once import Once
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.preconditions import ROLLBACK
from openstack_rollout.rollout.run import Rollout
from openstack_rollout.rollout.situation import Situation
from openstack_rollout.vocabulary import STAGES, in_order


@dataclass(frozen=True)
class Asked:
    """Which rollback is asked for.

    run: the identifier of the run to undo; the last that moved a node by default. limit: a compound target,
    the nodes that go back; all by default. stages: those that go back; all that the run moved by default.
    accept: names of conditions that are accepted for it.
    """

    run: str | None = None
    limit: str | None = None
    stages: tuple[str, ...] | None = None
    accept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise RolloutError WRONG_ARGUMENT for what cannot be meant."""
        Given(limit=self.limit, accept=self.accept)
        if unknown := [stage for stage in self.stages or () if stage not in STAGES]:
            raise RolloutError(
                "WRONG_ARGUMENT", f"{unknown[0]} is not a stage, give some of {', '.join(STAGES)}"
            )

    def said(self) -> dict[str, Any]:
        """What was given, by its key in the pillar of orch.rollback."""
        return {key: list(one) if isinstance(one, tuple) else one for key, one in vars(self).items() if one}


EVERYTHING = Asked()
KEYS = tuple(vars(EVERYTHING))


@dataclass
class WayBack:
    """The way back of a run.

    of: the run that is undone. model, members: what is declared while it is in force, and its nodes.
    measured: what each node is, compared with that. limit: the nodes that it may touch. backs: node id → what
    it goes back to. held: the same, with what an earlier rollback of that run has in force. gone: nodes that
    the run moved and that are no accepted minions now, as of gone.since. others: node id → packages that
    somebody else has moved there since, which stay.
    """

    of: Run
    model: Model
    members: Membership
    measured: Measured
    limit: Limit = NO_LIMIT
    backs: dict[str, Back] = field(default_factory=dict)
    held: dict[str, Back] = field(default_factory=dict)
    gone: dict[str, dict[str, str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)

    @property
    def release(self) -> str:
        """The release that all of its nodes were at before, "" where they were not at one."""
        return _release(self.backs)

    @property
    def stages(self) -> list[str]:
        """The stages that its nodes go through, in order."""
        return way_back.order({stage for back in self.backs.values() for stage in back.stages})


class Rollback:
    """Undoes runs.

    ports: as for Rollout. A dry run (look) writes nothing.
    """

    def __init__(self, ports: Ports):
        self._ports = ports
        self._journal = ports.journal
        self._engines = Engines(ports)

    def begin(self, asked: Asked = EVERYTHING) -> Run:
        """Check everything, put the rollback of a run in force and begin it, or go on with one under way.

        Returns the run's record. Raises RolloutError: what is refused changes nothing.
        """
        self._ports.lock.acquire()
        try:
            unfinished = self._journal.unfinished()
            if unfinished is None or not unfinished.rollback:
                unfinished = self._opened(unfinished, asked)
            else:
                _refuse_another(unfinished, asked)
                self._put_in_force(unfinished)
        except BaseException:
            self._ports.lock.release()
            raise
        return Rollout(self._ports).begin(ROLLBACK, unfinished.stages, Given(accept=asked.accept))

    def look(self, asked: Asked = EVERYTHING) -> tuple[WayBack, RolloutError | None]:
        """The way back of a run, and why it would be refused.

        Raises RolloutError NO_RUN, NO_NODES, STAGE_OUT_OF_ORDER.
        """
        found, cannot = self._found(asked)
        try:
            self._ports.lock.refuse_others()
            _refuse(found, cannot)
            self._refuse_as_any_run(found, dict.fromkeys(asked.accept, None), touch=False)
        except RolloutError as error:
            return found, error
        return found, None

    def _opened(self, unfinished: Run | None, asked: Asked) -> Run:
        if (last := unfinished or self._journal.latest()) is not None:
            self._wait_for(last)
        found, cannot = self._found(asked)
        _refuse(found, cannot)
        accepted = dict.fromkeys(asked.accept, Called(self._ports.caller(), self._ports.clock()))
        self._refuse_as_any_run(found, accepted, touch=True)
        # First what a share is made of, then that it counts: a death in between has changed nothing.
        if (known := self._journal.way_back.in_force()) and known.of != found.of.id:
            self._journal.way_back.end()
        self._journal.way_back.save_backs(found.held)
        if unfinished is not None and unfinished.id != found.of.id:
            self._close(unfinished)
        target = releases.wanted(found.model, found.stages)
        of_run = AskedOfRun(found.limit.target, in_order(found.backs))
        run = self._journal.create(
            *(target, ROLLBACK, found.stages, me(), of_run, accepted), rollback=found.of.id, gone=found.gone
        )
        self._put_in_force(run)
        return run

    def _close(self, run: Run) -> None:
        """End a run that is not finished: a rollback took its place."""
        why = f" (it had stopped: {run.reason}: {run.message})" if run.reason else ""
        run.state, run.reason, run.message = RunState.ABORTED, "ABORTED", f"a rollback took its place{why}"
        self._journal.clear_request(run.id)
        self._journal.save(run)

    def _put_in_force(self, run: Run) -> None:
        """Have its nodes' shares be those of the rollback, also where an engine died before that."""
        # Not before there is one that goes on: what was decided would be lost with an engine that dies here.
        undone = self._journal.run(run.rollback)
        if undone is not None and undone.state in UNFINISHED:
            self._close(undone)
        known = self._journal.way_back.in_force()
        if known is None or known.by != run.id:
            release = _release(self._journal.way_back.backs())
            self._journal.way_back.put_in_force(InForce(run.rollback, run.id, run.target, release))

    def _wait_for(self, run: Run) -> None:
        """Wait for what an engine that died, or was left, has under way on nodes of the last run."""
        model = tags.declared(self._ports)
        self._journal.clear_request(run.id)  # it was meant for the engine that died
        self._ports.lock.assign(run.id)
        self._engines.of(run, model, Membership.of(model, self._ports.fleet)).adopt()

    def _found(self, asked: Asked) -> tuple[WayBack, dict[str, list[str]]]:
        """The way back that is asked for, and what cannot go back on its nodes."""
        model, fleet = tags.declared(self._ports), Once(self._ports.fleet)
        members = Membership.of(model, fleet)
        run = self._undone(asked.run)
        moved = _moved(self._journal, run)
        if not moved:
            raise RolloutError("NO_RUN", f"run {run.id} has moved no node: there is nothing to undo")
        missing = gone.since(run, self._journal.nodes(run.id), members, self._ports.fleet)
        here = {node: stages for node, stages in moved.items() if node in members.ids}
        limit = limits.of(AskedOfRun(asked.limit or ""), members, fleet)
        chosen = _chosen(asked, here, limit)
        now = members.measure(fleet, members.ids)
        formers = self._journal.way_back.formers(run.id)
        known = {node: formers[node] for node in members.ids if node in here and node in formers}
        told, silent = self._ports.way_back(run.id, {node: _references(one) for node, one in known.items()})
        fleet.add(told)
        since = _moved_since(self._journal, run, here)
        records = self._journal.nodes(run.id)
        tried = {node: records[node].taken(hooks.MIGRATION) for node in here}
        cannot = irreversible.found(model, run, here, chosen, tried, formers, now.nodes, told, since)

        def to(some: Mapping[str, list[str]]) -> dict[str, Back]:
            found = {}
            for node in (one for one in known if one in some):
                moving = _packages(known[node], now.nodes.get(node), told.get(node))
                stays = set(here[node]) - set(some[node])
                of_node = {name: way_back.stage_of(model, name, members.roles_of(node)) for name in moving}
                moving = {name: one for name, one in moving.items() if of_node[name] not in stays}
                found[node] = _back(run, some[node], known[node], moving)
            return found

        backs = to(chosen)
        whole = _turned(model, to(here))
        back_order.refuse(run, members, Membership.of(whole, fleet).measure(fleet, known), here, backs)
        back_order.refuse_newer(self._journal, run, model, members, now, fleet, backs)
        held = self._held(model, run)
        held |= {node: _joined(held[node], one) if node in held else one for node, one in backs.items()}
        turned = _turned(model, held)
        back_members = Membership.of(turned, fleet)
        measured = back_members.measure(fleet, members.ids)
        failures = {**measured.failures, **silent}
        nodes = {node: one for node, one in measured.nodes.items() if node not in failures}
        of_backs = Limit(limit.target, frozenset(backs))
        others = {node: told[node].others for node in backs if node in told and told[node].others}
        of_all = run, turned, back_members, Measured(nodes, failures), of_backs
        found = WayBack(*of_all, backs=backs, held=held, gone=missing, others=others)
        return found, cannot

    def _held(self, model: Model, run: Run) -> dict[str, Back]:
        """What an earlier rollback of the same run has in force: another part of it takes nothing of that."""
        known = self._journal.way_back.in_force()
        if model.backs is None or known is None or known.of != run.id:
            return {}
        return self._journal.way_back.backs()

    def _undone(self, run_id: str | None) -> Run:
        """The run to undo: the one of that id, else the last that is no rollback itself and moved a node."""
        if run_id is not None:
            run = self._journal.run(run_id)
            if run is None:
                known = ", ".join(self._journal.run_ids()[-5:]) or "none"
                raise RolloutError("NO_RUN", f"there is no run {run_id}; known: {known}")
        else:
            runs = (self._journal.run(one) for one in reversed(self._journal.run_ids()))
            run = next((one for one in runs if one and not one.rollback and _moved(self._journal, one)), None)
            if run is None:
                raise RolloutError("NO_RUN", "no run that is kept has moved a node: there is nothing to undo")
        if run.rollback:
            raise RolloutError(
                "IRREVERSIBLE",
                f"run {run.id} is a rollback itself (of {run.rollback}): what goes forward is an update,"
                " after salt-run rollout.end_rollback",
            )
        return run

    def _refuse_as_any_run(self, found: WayBack, accepted: Mapping[str, Any], *, touch: bool) -> None:
        """Raise the RolloutError under which a run of these stages may not begin, whatever it is for."""
        ports, drains = self._ports, self._engines.drains(found.model)
        of_run = found.model, found.members
        now = Situation(*of_run, found.measured, found.stages, ports, drains, touch=touch, limit=found.limit)
        preflight.require(now, accepted)
        found.measured = now.measured


def _moved(journal: Journal, run: Run) -> dict[str, list[str]]:
    """The nodes that a run has changed, or may have, with the stages in which it did."""
    records = journal.nodes(run.id)
    found = {node: records[node].moved for node in in_order(records)}
    return {node: stages for node, stages in found.items() if stages}


def _moved_since(journal: Journal, run: Run, moved: Iterable[str]) -> dict[str, str]:
    """Node id → the run that has moved it after this one, but for those that undo it."""
    found: dict[str, str] = {}
    for later in map(journal.run, journal.run_ids()):
        if later is not None and later.created > run.created and later.rollback != run.id:
            found |= dict.fromkeys(_moved(journal, later).keys() & set(moved), later.id)
    return found


def _chosen(asked: Asked, moved: Mapping[str, list[str]], limit: Limit) -> dict[str, list[str]]:
    """The nodes that go back, with their stages. Raises RolloutError NO_NODES."""
    found = {
        node: [stage for stage in moved[node] if asked.stages is None or stage in asked.stages]
        for node in limit.of(moved)
    }
    found = {node: stages for node, stages in found.items() if stages}
    if not found:
        within = f"limit: {limit.target!r} matches no node" if limit.target else "there is no node"
        of = f" of {', '.join(asked.stages)}" if asked.stages else ""
        raise RolloutError("NO_NODES", f"{within} that the run moved in a stage{of}")
    return found


def _release(backs: Mapping[str, Back]) -> str:
    """The release that all of them were at, "" where they were not at one."""
    found = {back.release for back in backs.values()}
    return found.pop() if len(found) == 1 else ""


def _turned(model: Model, backs: Mapping[str, Back]) -> Model:
    return model.turned({node: plain(back) for node, back in backs.items()})


def _references(former: Former) -> list[str]:
    return sorted({image for image in former.images.values() if image})


def _packages(former: Former, now: Compared | None, told: Kept | None) -> dict[str, str]:
    """The versions that packages of a node go back to: what it keeps itself counts before what it told then.

    now, told: None where it does not answer now.
    """
    has = now.former["packages"] if now else {}
    watched = {
        name: versions[0]
        for name, versions in former.packages.items()
        if len(versions) == 1 and has.get(name) != versions
    }
    return {**watched, **({name: one.had for name, one in told.packages.items()} if told else {})}


def _back(run: Run, stages: list[str], former: Former, packages: dict[str, str]) -> Back:
    order = way_back.order(stages)
    return Back(
        *(run.id, order, former.deployed, former.images, packages, former.system_image, former.ovn_wait)
    )


def _joined(earlier: Back, back: Back) -> Back:
    """What a node goes back to, with what it went back to before: a package that is back already is told of
    no more.
    """
    stages = way_back.order({*earlier.stages, *back.stages})
    return replace(back, stages=stages, packages={**earlier.packages, **back.packages})


def _refuse(found: WayBack, cannot: Mapping[str, list[str]]) -> None:
    """Raise IRREVERSIBLE for what cannot go back, by name."""
    if cannot:
        alike: dict[tuple[str, ...], list[str]] = {}
        for node, why in cannot.items():
            alike.setdefault(tuple(why), []).append(node)
        lines = "; ".join(f"{some(nodes)}: {', '.join(why)}" for why, nodes in alike.items())
        raise RolloutError("IRREVERSIBLE", f"run {found.of.id} cannot be undone: {lines}", list(cannot))


def _refuse_another(run: Run, asked: Asked) -> None:
    """Raise RUN_UNFINISHED where another rollback is asked for than the one that is under way."""
    limit = "" if asked.limit == limits.EVERYBODY else asked.limit
    if (
        asked.run not in (None, run.rollback)
        or limit not in (None, run.asked.limit)
        or (asked.stages is not None and not set(run.stages).issubset(asked.stages))
    ):
        raise RolloutError(
            "RUN_UNFINISHED",
            f"run {run.id} (the rollback of {run.rollback}) is {run.state.value}: it goes on with the nodes"
            " that it began with",
        )
