"""Takes a role through a round, its canaries first: one by one, a soak, then the rest as its plan says."""

from __future__ import annotations

from collections.abc import Callable

from openstack_rollout.declared.policies import Policy
from openstack_rollout.declared.rounds import Round
from openstack_rollout.records.planned import PlannedNode, PlannedRole
from openstack_rollout.records.run_record import Run, Trial
from openstack_rollout.rollout import proving
from openstack_rollout.rollout.admission import Apart, Capacity, Pass
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.window import Window

POLL = 1.0  # seconds

#: The canaries of a role so far → its plan with the failures of this moment, None when nothing is to do.
Replan = Callable[[Trial], PlannedRole | None]


class Canaries:
    """Of one role, in a round of a stage.

    ports, engine, run, policy: of this run and role. round_: what the role goes through. soaking: called
    while canaries soak; raises why the run pauses.
    """

    def __init__(  # noqa: PLR0917
        self,
        ports: Ports,
        engine: Engine,
        run: Run,
        policy: Policy,
        round_: Round,
        role: str,
        soaking: Callable[[], None],
    ):
        self._journal = ports.journal
        self._monotonic = ports.monotonic
        self._engine = engine
        self._run = run
        self._policy = policy
        self._round = round_
        self._role = role
        self._soaking = soaking
        self._tried: set[str] = set()  # the canaries that went: of whatever group they are, they go once

    def then_the_rest(
        self, replan: Replan, capacity: Capacity | None = None, apart: Apart | None = None
    ) -> bool:
        """Take the canaries, and those that follow them.

        replan: the role's plan at the moment; it is asked again when a canary was excluded, for a successor.
        Returns whether there was anything to do. Raises RolloutError when the run must pause or end; nodes in
        flight have finished by then.
        """
        round_, stage = self._round, self._round.stage
        trial = self._run.of_stage(stage).trials.setdefault(self._role, Trial())
        planned = replan(trial)
        if planned is None:
            return False
        of = self._journal, self._run, self._policy, self._engine.records, stage, trial
        with proving.noted(*of):
            while planned is not None and not trial.soaked:
                trial.canaries = list(planned.proving)
                self._journal.save(self._run)
                first = [node for node in planned.canaries if node.id not in self._tried]
                if not first:
                    break
                self._engine.through(Pass(round_, Window(1), capacity), self._role, first, tolerated=0)
                self._tried |= {node.id for node in first}
                planned = replan(trial)  # an excluded canary has proven nothing: another takes its place
            if planned is not None and planned.soak and not trial.soaked:
                self._soak(planned)
        trial.soaked = True
        self._journal.save(self._run)
        planned = replan(trial)
        if planned is not None:
            rest = [node for node in planned.rest if node.id not in self._tried]
            window = Window(planned.batch, planned.per_zone)
            self._engine.through(Pass(round_, window, capacity, apart), self._role, rest)
        return True

    def _soak(self, planned: PlannedRole) -> None:
        """Let the canaries run for a while, then measure them once more."""
        until = self._monotonic() + planned.soak
        while self._monotonic() < until:
            halt = self._engine.requested()
            if halt:
                raise halt
            self._soaking()
            self._engine.idle(min(POLL, max(0.0, until - self._monotonic())))
        zones = {node: record.zone for node, record in self._engine.records.items()}
        canaries = [PlannedNode(node, zones.get(node), ("verify",)) for node in planned.proving]
        self._engine.through(Pass(self._round, Window(len(canaries))), self._role, canaries, tolerated=0)
