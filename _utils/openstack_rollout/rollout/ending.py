"""How a run stops: what is written down of it, the lock, and what it left drained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import Run, RunState, StageState
from openstack_rollout.rollout import halting, restoration, tags
from openstack_rollout.rollout.engines import Engines
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.openings import WindowClosed
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.run_log import RunLog


class Ending:
    """Ends runs. ports (Ports), engines (Engines), log (RunLog)."""

    def __init__(self, ports: Ports, engines: Engines, log: RunLog):
        self._fleet = ports.fleet
        self._journal = ports.journal
        self._lock = ports.lock
        self._clock = ports.clock
        self._audit = ports.audit
        self._interrupted = ports.interrupted
        self._pillar = partial(tags.declared, ports)
        self._engines = engines
        self._log = log

    @contextmanager
    def of(self, run: Run) -> Iterator[None]:
        """Write down why a run stops, whatever stops it; a killed process leaves it `running`."""
        try:
            yield
        except RolloutError as error:
            self.end(run, error)
        except BaseException:
            self._audit.end()
            self._lock.release()
            raise

    def end(self, run: Run | None, error: RolloutError) -> NoReturn:
        """Give the lock back after an error; an open run is paused, or ended when asked or due.

        Raises RolloutError: why the run stopped, which is what an operator asked for meanwhile where its
        window closed; JOURNAL_FAILED when that cannot be written down: the run stays `running` there. One
        that lost its lock is another engine's, and left to that.
        """
        stopped = error
        try:
            if run is not None and not halting.is_lost(error):
                stopped = self._in_place_of(run, error)
                self._write_down(run, stopped)
        except RolloutError as failed:
            also = "" if failed.reason == error.reason else f"; before that: {error}"
            raise RolloutError(failed.reason, failed.message + also, error.nodes) from error
        finally:
            self._audit.end()
            self._lock.release()
        raise stopped from (error.__cause__ if stopped is error else error)

    def _in_place_of(self, run: Run, error: RolloutError) -> RolloutError:
        """What an operator asked for while a window closed: the run would go on by itself, and nobody would
        know of the request any more. Else the error.
        """
        if not isinstance(error, WindowClosed) or run.state is not RunState.RUNNING:
            return error
        if self._journal.requested(run.id) == "abort":
            reason, asked = "ABORTED", "an end"
        elif self._journal.requested(run.id) == "pause" or self._interrupted():
            reason, asked = "PAUSED_BY_OPERATOR", "a pause"
        else:
            return error
        return RolloutError(
            reason, f"{asked} was asked for when its window closed: {error.message}", error.nodes
        )

    def _write_down(self, run: Run, error: RolloutError) -> None:
        if run.state is RunState.RUNNING:
            aborted = error.reason == "ABORTED" or self._journal.requested(run.id) == "abort"
            incomplete = RunState.INCOMPLETE if error.reason == "FAILURE_BUDGET" else RunState.PAUSED
            run.state = RunState.ABORTED if aborted else incomplete
            run.reason, run.message = error.reason, error.message
            run.closed = error.closed if isinstance(error, WindowClosed) else None
            for record in run.stage.values():
                if record.state is StageState.RUNNING:
                    record.state = StageState(run.state.value)
            self._journal.clear_request(run.id)
            run.stop(self._clock())
            self._journal.save(run)
            if aborted:
                self.restore_drained(run)
            self._log.announce(run, "-", "-", "run", run.state.value)

    def restore_drained(self, run: Run) -> None:
        """Restore what an ended run left drained, where it can be; the run's message names the rest."""
        if not restoration.drained_by_runs(self._journal):
            return
        try:
            model = self._pillar()
            members = Membership.of(model, self._fleet)
            engine = self._engines.of(run, model, members)
            engine.adopt(leaving=True)
            there = [
                node
                for node in restoration.drained_by_runs(self._journal)
                if members.roles_of(node) and not engine.is_in_flight(node)
            ]
            measured = members.measure(self._fleet, there)
            restoration.restore(engine, self._journal, members, measured, pausing=False)
            drained = restoration.still_drained(self._journal, measured)
        except RolloutError as error:
            drained = f"{', '.join(restoration.drained_by_runs(self._journal))} ({error})"
        if drained:
            run.message += f"; still drained: {drained}"
            self._journal.save(run)
