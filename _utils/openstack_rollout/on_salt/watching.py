"""Following a run that goes on in another process: by its events, and by the lock of that process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from openstack_rollout.records.events import PREFIX
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import Lock
from openstack_rollout.records.run_record import Run, RunState

CHECK_ENGINE_EVERY = 5
ESTIMATE_EVERY = 30  # seconds: it reads the records of all nodes


class Board(Protocol):
    """What is known of a run: screens.watch.Board."""

    run: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Whether the run has."""

    def take(self, event: Mapping[str, Any]) -> Any:
        """Take in an event; returns what to show of it."""


class Screen(Protocol):
    """Where a line is shown: screens.watch.Screen."""

    def show(self, line: Any) -> None:
        """Show it."""


def follow(  # noqa: PLR0917
    bus: Any,
    board: Board,
    screen: Screen,
    until: float,
    current: Callable[[], Run],
    left: Callable[[Run], Mapping[str, Any] | None] = lambda _: None,
) -> None:
    """Feed events to the board until the run ends, also when its process ends without an event.

    bus: the master's events. until: the monotonic time at which to end anyway. current: reads the run's
    record, as `as_found` does. left: how long the rest of the run takes, as of control.estimate.
    """
    check = time.monotonic() + CHECK_ENGINE_EVERY
    estimate = 0.0
    while not board.ended and time.monotonic() < until:
        event = bus.get_event(wait=1, tag=f"{PREFIX}/{board.run['id']}/", full=True)
        if event:
            screen.show(board.take(event["data"]))
        if time.monotonic() >= check:
            check = time.monotonic() + CHECK_ENGINE_EVERY
            now = current()
            questions = {key: vars(one) for key, one in now.questions.items()}
            board.run.update(
                state=now.state.value, reason=now.reason, message=now.message, questions=questions
            )
            if time.monotonic() >= estimate:
                estimate = time.monotonic() + ESTIMATE_EVERY
                board.run["estimate"] = left(now)
            if now.state is RunState.INTERRUPTED:
                screen.show(f"run {now.id}: {now.message}")
                return


def run_to_watch(journal: Journal, lock: Lock, until: float) -> Run | None:
    """The run that is under way; waits for one until a monotonic time, None when there was none."""
    while time.monotonic() < until:
        found = as_found(journal.unfinished(), lock)
        if found and found.state is RunState.RUNNING:
            return found
        time.sleep(1)
    return None


def as_found(run: Run | None, lock: Lock) -> Run | None:
    """The run's record; one that is `running` in a process that is gone is `interrupted`."""
    if run is None or run.state is not RunState.RUNNING:
        return run
    holder = lock.holder()
    if holder and holder["run"] == run.id:
        return run
    # Whatever it waited for, such as a yes, nobody hears of that any more.
    return replace(run, state=RunState.INTERRUPTED, reason="INTERRUPTED", message="its process is gone")
