"""The turn of this controller: while it has the turn, no other controller disturbs its own services.

The master keeps the turn. A thread of the job that took it renews it, so it ends by itself when that job
dies. A controller that changes several containers keeps the turn between them, since a busy master takes
seconds to answer.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.turn import LASTS, RENEW_EVERY

PATIENCE = 3600  # seconds to wait for other controllers
SILENCE = 180  # seconds in which a master that is restarted, or too busy, may give no answer
LINGERS = 2.0  # seconds between two containers of one job
_POLL = 2.0
_Asked = Callable[[str, list[str]], Any]


class _Silence(NamedTuple):
    """The master gave no answer."""

    why: str


class _Held:
    """A turn that this process has: its job, and how long the master has promised it (monotonic seconds)."""

    def __init__(self, job: str, runner: _Asked):
        self.job = job
        self.until = 0.0
        self._runner = runner  # a thread has no __salt__ of the loader
        self._over = threading.Event()
        self._renewing = threading.Thread()

    def ask(self, function: str, *arguments: str) -> Any:
        """What the master's runner returns; a _Silence when it does not answer."""
        asked = time.monotonic()
        try:
            answer = self._runner(f"controller_turn.{function}", [self.job, *arguments])
        except Exception as error:  # the master cannot be reached: the caller waits or refuses
            return _Silence(f"{type(error).__name__}: {error}")
        if isinstance(answer, str) and answer.endswith("timed out"):
            return _Silence(answer)
        if isinstance(answer, dict) and answer.get("job") == self.job:
            self.until = asked + LASTS
        return answer

    def keep(self, why: str) -> None:
        """Renew it from now on, until `stop_renewing`."""
        self._over = over = threading.Event()

        def renew() -> None:
            while not over.wait(RENEW_EVERY):
                self.ask("take", why)

        self._renewing = threading.Thread(target=renew, name=f"turn {self.job}", daemon=True)
        self._renewing.start()

    def stop_renewing(self) -> None:
        """Renew it no more."""
        self._over.set()

    def give(self) -> None:
        """Give it back to the master, once no renewal is under way any more."""
        if self._renewing.is_alive():
            self._renewing.join()
        self.ask("give")


_lock = threading.Lock()
_held: dict[str, _Held] = {}
_lingering: dict[str, tuple[_Held, threading.Timer]] = {}


def take(why: str, patience: float = PATIENCE) -> str:
    """Wait until no other controller has the turn, and take it.

    why (str): what is about to be done, for others to read. patience (float): seconds to wait at most.

    Returns the job (str) to give it back with. Raises NodeError NO_TURN that names who has it, or says why
    the master does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' controller_turn.take 'a look at the database'
    """
    held = _kept() or _Held(_new_job(), __salt__["publish.runner"])
    if held.until < time.monotonic() + LASTS / 2:
        _wait_for(held, why, patience)
    held.keep(why)
    _held[held.job] = held
    return held.job


def give(job: str) -> None:
    """Give the turn back, unless this job takes it again within two seconds. Where the master does not
    answer, the turn ends by itself.

    job (str): what `take` returned.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' controller_turn.give 20261121161409-7c1f0000
    """
    held = _held.pop(job, None)
    if held is None:
        _Held(job, __salt__["publish.runner"]).give()
        return
    held.stop_renewing()
    # No daemon thread: the job's process stays until the master has the turn back.
    timer = threading.Timer(LINGERS, _end, (held,))
    with _lock:
        _lingering[job] = held, timer
    timer.start()


def _new_job() -> str:
    return f"{time.strftime('%Y%m%d%H%M%S')}-{uuid.uuid4().hex[:8]}"


def _kept() -> _Held | None:
    """The turn that this process gave back a moment ago, before the master was asked to take it back."""
    with _lock:
        if not _lingering:
            return None
        _, (held, timer) = _lingering.popitem()
    timer.cancel()
    return held


def _end(held: _Held) -> None:
    with _lock:
        if _lingering.pop(held.job, None) is None:
            return
    held.give()


def _wait_for(held: _Held, why: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    answered = time.monotonic()
    while True:
        holder = held.ask("take", why)
        now = time.monotonic()
        if isinstance(holder, dict) and holder:
            if holder["job"] == held.job:
                return
            answered, refused = now, ""
            if now > deadline:
                refused = (
                    f"waited {patience:.0f} s for {holder['node']}, which has the turn for: {holder['why']}"
                )
        elif isinstance(holder, _Silence):
            refused = (
                f"the master: no answer: {holder.why}" if now > min(deadline, answered + SILENCE) else ""
            )
        else:
            refused = f"the master: {holder or 'it does not let this node ask (peer_run, see etc/master)'}"
        if refused:
            raise NodeError("NO_TURN", f"{__grains__['id']}: {refused}")
        time.sleep(_POLL)
