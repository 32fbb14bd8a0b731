"""Who called a command of the master: for the record of a run."""

from __future__ import annotations

import multiprocessing
import os
import re

import salt.utils.user

from openstack_rollout.records.run_record import Caller

#: How Salt's scheduler calls the process of a job.
_SCHEDULED = re.compile(r"^Schedule\(name=(?P<job>.*), jid=")
#: How the master calls the process of a runner function that somebody has it call, e.g. through Salt's API.
_ASKED = re.compile(r"^ProcessFunc\(")
API = "salt-api"  # in the place of a terminal
_by_api: list[str] = []


def note(user: str | None) -> None:
    """Note who had the master call a runner function: in its process the user is the master's own.

    user (str): as Salt knows them. Functions that this one calls in the same process are theirs too.
    """
    if user and not _by_api and _ASKED.match(multiprocessing.current_process().name):
        _by_api.append(user)


def caller() -> Caller:
    """The user, the terminal, and the job of Salt's scheduler, as far as each is known."""
    if _by_api:
        return Caller(user=_by_api[0], terminal=API)
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
