"""What is needed no more: an update is accepted, nodes drop what is of earlier ones, runs are forgotten."""

import time
from functools import partial

from openstack_rollout.on_salt import caller as called
from openstack_rollout.on_salt import console, surplus, wiring
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.refusal import REFUSED as _REFUSED
from openstack_rollout.records.run_record import Called
from openstack_rollout.rollout import acceptance, pruning
from openstack_rollout.rollout import history as histories

__virtualname__ = "rollout"

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(run_id=console.text)
def accept(run_id=None):
    """Say that the result of a run is to stay. Touches no node, unless `openstack:prune:after_accept` is set.

    What nodes had before the run before it is needed no more then: `rollout.prune` removes that, and no
    sooner. A rollback of the run itself is possible as before.

    run_id
        A run's identifier; the last one by default.

    Returns {run, state, target, approved: by whom and when}, and with `openstack:prune:after_accept` what
    `rollout.prune` returns as well. A second time changes nothing. Refuses under NO_RUN, RUN_UNFINISHED,
    RUN_IN_PROGRESS, or WRONG_ARGUMENT for a run that did not complete.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.accept
        salt-run rollout.accept 20261128-230054-c785
    """
    opts = _opts()
    wiring.lock(opts).refuse_others()
    prunes = wiring.model(opts).prune.after_accept
    accepted = acceptance.accept(wiring.journal(opts), run_id, Called(called.caller(), time.time()))
    return {**accepted, "pruned": _pruned(opts, test=False)} if prunes else accepted


@console.command(keep=console.count, days=console.count, test=console.flag)
def prune(keep=None, days=None, test=False):
    """Remove from nodes the images of releases, and the cached packages, that nobody needs any more. Or, with
    keep or days, forget old runs.

    What stays on a node is what it runs, what it would go back to (`rollout.rollback`), what the target and
    the custom images need, the releases of `openstack:prune:keep`, what a container is of or a unit names,
    and all that is of no release. Nothing is removed before the last run that moved nodes is accepted
    (`rollout.accept`), and never by itself, unless `openstack:prune:after_accept` is set.

    keep
        How many of the newest runs stay: older ones are forgotten, and no node is touched. That is done by
        itself, too, as `openstack:history` says, when a run begins.

    days
        After how many days no run stays; as keep.

    test
        True: remove nothing, tell what would be. With keep or days too.

    The run that was opened last stays anyway, and so does one that left nodes drained.

    Returns {pruned_nodes: {node: {images, packages, freed: bytes, left: {image: why it was left alone},
    failed: {what: why}}}, freed, run: the one that is accepted, kept: releases, untouched: {node: why},
    test}; where something failed, or a node did not answer, the exit status is 1. Or {pruned: identifiers of
    runs, kept: how many are left}. Refuses under NOT_ACCEPTED, NO_RUN, RUN_UNFINISHED; RUN_IN_PROGRESS while
    a run has the lock.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.prune test=True
        salt-run rollout.prune
        salt-run rollout.prune keep=20
        salt-run rollout.prune days=90
    """
    opts = _opts()
    if keep is None and days is None:
        data = _pruned(opts, test=test)
        return {"data": data, "outputter": "rollout"}
    wiring.lock(opts).refuse_others()
    return histories.pruned(wiring.journal(opts), keep, days, time.time(), test=test)


def _pruned(opts, *, test):
    with SaltFleet(opts) as fleet:
        data = pruning.prune(wiring.ports(opts, fleet), partial(surplus.prune, fleet), test=test)
    failed = data["untouched"] or any(one["failed"] for one in data["pruned_nodes"].values())
    data["retcode"] = _REFUSED if failed else 0  # the exit status of salt-run
    return data


def _opts():
    return wiring.master_options(__opts__)
