"""Going on with a run whose window was closed: for the functions that operators and schedulers call."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import interrupts, wiring
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.rollout import control, reopening

T = TypeVar("T")
_LOOK_EVERY = 0.5  # seconds


def go_through(opts: Callable[[], Mapping[str, Any]], wait: bool, go: Callable[[], T]) -> T:
    """Go through a run; with `wait` again and again, as long as it pauses for its window alone.

    opts: the master's options, read anew. go: goes through it, or on with it. Raises what that raises, and
    RolloutError as reopening.wait.
    """
    waited = None
    while True:
        try:
            return go()
        except (Refusal, RolloutError):
            run = reopening.waiting(wiring.journal(opts())) if wait else None
            if run is None or (run.id, run.updated) == waited:
                raise  # also where it went on with another run than the one that waits: that would not end
            waited = run.id, run.updated
        said = f"{run.reason}: {run.message}. It goes on by itself then; Ctrl-C pauses it.\n"
        sys.stderr.write(said if sys.stderr.isatty() else "")
        reopening.wait(
            wiring.journal(opts()), lambda: wiring.openings(opts()), time.time, partial(_sleep, opts)
        )


def _sleep(opts: Callable[[], Mapping[str, Any]], seconds: float) -> None:
    """Sleep, and take Ctrl-C for a request to pause the run that waits: time.sleep does not end by it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if interrupts.asked():
            journal = wiring.journal(opts())
            if reopening.waiting(journal):
                control.pause(journal, wiring.lock(opts()))
            return
        time.sleep(min(left, _LOOK_EVERY))


def nothing_to_do(opts: Mapping[str, Any], reason: str) -> str:
    """Why there is nothing to go on with for who waits for a reason alone, as reopening.nothing_to_do.

    opts (dict): of master_options. reason (str): under which the run has to be paused.
    """
    return reopening.nothing_to_do(wiring.journal(opts), reason, lambda: wiring.openings(opts), time.time())
