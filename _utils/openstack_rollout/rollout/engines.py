"""Makes the engines of a process, and the drains that they share."""

from __future__ import annotations

import threading

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout import gates, preconditions, silencing
from openstack_rollout.rollout.consent import Consents
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.master_steps import MasterSteps
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.openings import Current, Openings
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.run_log import RunLog
from openstack_rollout.rollout.witness import Witness


class Engines:
    """Makes engines. ports (Ports): what they need of the world."""

    def __init__(self, ports: Ports):
        self._ports = ports
        self._made: tuple[Model, Drains] | None = None
        self._moving: dict[str, threading.Thread] = {}

    def of(self, run: Run, model: Model, members: Membership) -> Engine:
        """An engine for a run, of what is declared now; all of them know which drains are under way."""
        ports = self._ports
        fleet = MasterSteps(
            ports.fleet,
            self.drains(model),
            ports.reboots(model),
            ports.journal,
            ports.clock,
            members.roles_of,
            lambda node: gates.wait_for_work(model, members, node, ports),
            self._moving,
            lambda node, *of: ports.agents(model, node, *of),
        )
        return Engine(
            fleet,
            ports.journal,
            run,
            members,
            ports.clock,
            ports.monotonic,
            lambda: preconditions.refuse_edited(run, ports.content()),
            ports.interrupted,
            self._consents(run),
            Current(model, self.openings, ports.pillar, ports.monotonic, members.group_of).refusal,
            ports.lock.refuse_lost,
            silencing.of(run, model, members, ports),
        )

    def openings(self, model: Model) -> Openings:
        """The windows of what is declared."""
        ports = self._ports
        return Openings(model, ports.events, ports.clock, ports.monotonic)

    def _consents(self, run: Run) -> Consents:
        """What asks for a run, and hears."""
        ports = self._ports
        log = RunLog(ports.journal, ports.fleet, ports.clock)

        def tell(stage: str, why: RolloutError) -> None:
            Witness.of(run.id, ports.monotonic).forget()
            log.waiting(run, stage)(why)

        return Consents(run, ports.journal, ports.clock, ports.terminal, tell)

    def drains(self, model: Model) -> Drains:
        """The drains of what is declared: made once, since they hold connections."""
        if self._made is None or self._made[0] is not model:
            self._made = model, self._ports.drains(model)
        return self._made[1]
