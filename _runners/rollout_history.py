"""Earlier runs: one of them, all of them, two compared, and which are forgotten."""

import time

from openstack_rollout.on_salt import (
    console,
    wiring,
)
from openstack_rollout.rollout import control
from openstack_rollout.rollout import history as histories

__virtualname__ = "rollout"

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(run_id=console.text)
def report(run_id=None):
    """What a run did, stage by stage and node by node, and how long it took.

    run_id
        A run's identifier; the last run by default.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.report
    """
    return {"data": control.report(wiring.journal(_opts()), run_id), "outputter": "rollout"}


@console.command(last=console.count)
def history(last=histories.SHOWN):
    """The latest runs, the newest first: what each was for, how it ended, who had it begin, from which
    terminal or job of Salt's scheduler, and what was accepted for it.

    last
        How many runs.

    Returns {history, kept: how many runs are kept}. A run that cannot be read is named with the reason.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.history
        salt-run rollout.history 5 --out=json
    """
    return {"data": histories.history(wiring.journal(_opts()), last), "outputter": "rollout"}


@console.command(first=console.text, second=console.text)
def compare(first, second):
    """Two runs side by side: stages with their times, nodes with another outcome, and those that took longest
    beyond what they took before.

    first
        A run's identifier (`rollout.history`).

    second
        That of the run to compare it with.

    Returns {compared, stages, nodes, slower}. Refuses under NO_RUN.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.compare 20261128-230054-c785 20261129-080112-5af0
    """
    return {"data": histories.compare(wiring.journal(_opts()), first, second), "outputter": "rollout"}


@console.command(keep=console.count, days=console.count)
def prune(keep=None, days=None):
    """Forget old runs. That is done by itself, too, as `openstack:history` says, when a run begins.

    keep
        How many of the newest runs stay; all by default.

    days
        After how many days no run stays; by default the age does not count.

    The run that was opened last stays anyway, and so does one that left nodes drained.

    Returns {pruned: identifiers, kept: how many are left}. Refuses under WRONG_ARGUMENT where neither is
    given, RUN_IN_PROGRESS while a run has the lock.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.prune keep=20
        salt-run rollout.prune days=90
    """
    opts = _opts()
    wiring.lock(opts).refuse_others()
    return histories.pruned(wiring.journal(opts), keep, days, time.time())


def _opts():
    return wiring.master_options(__opts__)
