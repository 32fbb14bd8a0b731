"""Who called a command of the master: for the record of a run."""

from __future__ import annotations

import multiprocessing
import os
import re

import salt.utils.user

from openstack_rollout.records.run_record import Caller

#: How Salt's scheduler calls the process of a job.
_SCHEDULED = re.compile(r"^Schedule\(name=(?P<job>.*), jid=")


def caller() -> Caller:
    """The user, the terminal, and the job of Salt's scheduler, as far as each is known."""
    scheduled = _SCHEDULED.match(multiprocessing.current_process().name)
    return Caller(
        user=salt.utils.user.get_specific_user(),
        terminal=_terminal(),
        schedule=scheduled["job"] if scheduled else "",
    )


def _terminal() -> str:
    """The terminal of this process, "" where it has none."""
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor).removeprefix("/dev/")
        except OSError:
            continue
    return ""
