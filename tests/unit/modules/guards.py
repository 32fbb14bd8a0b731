"""What the tests of guards share: records in a folder of the test, a clock that runs with each look."""

from __future__ import annotations

import functools
from types import SimpleNamespace

from openstack_rollout.node import waiting
from openstack_rollout.node.guarding import Steps

#: the id of no process: the kernel has none that high
NOBODY = 2**22 + 1
#: what a guard asks of an engine: its container runs, and its socket is not reached from the node
REACHED_BY_EXEC = {"podman.process": lambda name: NOBODY, "cmd.has_exec": lambda name: True}


def steps(folder):
    """The steps of a guard, with their records in that folder."""
    return Steps(folder, clock())


def clock():
    """time: a second later each time it is asked, and no sleep takes any."""
    seconds = iter(range(10**6))
    return SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(seconds), time=lambda: 1000.0)


def impatient():
    """waiting, by that clock."""
    functions = {name: functools.partial(getattr(waiting, name), clock=clock())
                 for name in ("until", "until_whole")}  # fmt: skip
    return SimpleNamespace(**functions)
