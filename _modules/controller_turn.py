"""The turn of this controller: while it has it, no other one disturbs its services, whoever asked for that.

The master keeps the turn. It is renewed by a thread of the job that took it, and ends by itself with that
job.
"""

from __future__ import annotations

import threading
import time
import uuid

from salt.exceptions import CommandExecutionError

from openstack_rollout.turn import RENEW_EVERY

PATIENCE = 3600  # seconds to wait for other controllers
_POLL = 2.0
_held: dict[str, threading.Event] = {}


def take(why: str, patience: float = PATIENCE) -> str:
    """Wait until no other controller has the turn, and take it.

    why (str): what is about to be done, for others to read. patience (float): seconds to wait at most.

    Returns the job to give it back with. Raises CommandExecutionError led by NO_TURN that names who has it,
    or why the master does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' controller_turn.take 'a look at the database'
    """
    job = f"{time.strftime('%Y%m%d%H%M%S')}-{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + patience
    while True:
        holder = _ask("take", job, why)
        if isinstance(holder, dict) and holder.get("job") == job:
            break
        if not isinstance(holder, dict) or not holder:
            said = holder or "it does not let this node ask (peer_run, see etc/master)"
            raise CommandExecutionError(f"NO_TURN: {__grains__['id']}: the master: {said}")
        if time.monotonic() > deadline:
            raise CommandExecutionError(
                f"NO_TURN: {__grains__['id']} waited {patience:.0f} s for {holder['node']}, which has the"
                f" turn for: {holder['why']}"
            )
        time.sleep(_POLL)
    over = _held[job] = threading.Event()
    threading.Thread(target=_renew, args=(job, why, over), name=f"turn {job}", daemon=True).start()
    return job


def give(job: str) -> None:
    """Give the turn back. One that the master cannot be told of ends by itself.

    job (str): of `take`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' controller_turn.give 20261121161409-7c1f0000
    """
    if over := _held.pop(job, None):
        over.set()
    _ask("give", job)


def _renew(job: str, why: str, over: threading.Event) -> None:
    while not over.wait(RENEW_EVERY):
        _ask("take", job, why)


def _ask(function: str, *arguments: str):
    """What the master's runner returns; a string or nothing when it could not be asked."""
    try:
        return __salt__["publish.runner"](f"controller_turn.{function}", list(arguments))
    except Exception as error:  # a master that restarts, a network that is away: the caller waits or refuses
        return f"{type(error).__name__}: {error}"
