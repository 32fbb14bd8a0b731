"""What the tests of guards share: records in a folder of the test, a clock that runs with each look."""

from __future__ import annotations

import functools
from types import SimpleNamespace

from openstack_rollout import guard_record, waiting


def records(folder):
    """guard_record, in that folder."""
    return SimpleNamespace(
        read=lambda name: guard_record.read(name, folder),
        write=lambda name, token: guard_record.write(name, token, folder),
        forget=lambda name: guard_record.forget(name, folder),
    )


def clock():
    """time: a second later each time it is asked, and no sleep takes any."""
    seconds = iter(range(10**6))
    return SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(seconds), time=lambda: 1000.0)


def impatient():
    """waiting, by that clock."""
    return SimpleNamespace(until_whole=functools.partial(waiting.until_whole, clock=clock()))
