"""The jobs of this minion: which run, for a master that waits for them; and one ended that takes too long, or
that an operator wants to stop.
"""

from __future__ import annotations

import os

from openstack_rollout.node import ending, waiting

_PATIENCE = 30.0  # seconds for a state run to end after the state that it is at


def running() -> list[str]:
    """Which jobs this minion runs: their ids, and nothing of what they were given.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_job.running
    """
    return [str(job["jid"]) for job in __salt__["saltutil.running"]() if "jid" in job]


def end(jid: str, gently: bool = False) -> dict:
    """End a job of this minion, and the programs that it waits for.

    jid (str): of the job. gently (bool): whether it is a state run that shall end after the state that it is
    at; where that takes longer than half a minute, it is ended as any other.

    A package manager at work is left alone, with what it has started, and so is what has a control group of
    its own: a transaction goes on to its end.

    Returns {"ended": whether the job is gone, "left": what goes on, "said": one line}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_job.end 20261121093000123456
    """
    if not (pid := _pid(jid)):
        return _answer(True, [], "it had ended already")
    if gently:
        __salt__["state.soft_kill"](jid)
        if waiting.until(lambda: not _pid(jid), _PATIENCE):
            return _answer(True, [], "it was ended after the state that it was at")
    if pid in ending.ancestors(os.getpid()):
        # A minion that runs its jobs in threads would end itself.
        return _answer(False, [], "it goes on: this minion has no process of its own for a job")
    left = ending.end(pid)
    gone = not _pid(jid)
    also = f", {', '.join(left)} goes on" if left else ""
    return _answer(gone, left, f"it was ended{also}" if gone else f"it could not be ended{also}")


def _pid(jid: str) -> int:
    """The process of a job, 0 where there is none."""
    return int((__salt__["saltutil.find_job"](jid) or {}).get("pid") or 0)


def _answer(ended: bool, left: list[str], said: str) -> dict:
    return {"ended": ended, "left": left, "said": said}
