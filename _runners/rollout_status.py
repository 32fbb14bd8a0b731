"""What of the cloud runs where, where it stands, what an update would do, what is in its way; watch one."""

import os
import sys
import time
from functools import partial
from pathlib import Path

import salt.utils.event

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.on_salt import (
    console,
    master_pillar,
    registry,
    registry_logins,
    surveying,
    watching,
    wiring,
)
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.refusal import REFUSED as _REFUSED
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.on_salt.returns import changes_of
from openstack_rollout.records.stored import plain as _plain
from openstack_rollout.rollout import control, dry_run, gone, preflight_command, tags
from openstack_rollout.rollout import status as standing
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.screens import feed, tables

__virtualname__ = "rollout"

STATUS_SILENCE = 20
STATUS_WITHIN = 60.0  # seconds for a node to be measured: the screen has to come, whatever hangs there
#: What the release as found is called.
FOUND = "0.0.1"
_LEFT = "watching has ended, the run goes on"
_NOT_COMPLETED = ("paused", "incomplete", "aborted", "interrupted")

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(silence=console.seconds)
def status(silence=STATUS_SILENCE):
    """Target, available and deployed release, the run, and every role and node, all measured now.

    silence
        Seconds without a sign of life after which a node is shown as silent.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.status
        salt-run rollout.status --out=json
    """
    opts = _opts()
    journal = wiring.journal(opts)
    with SaltFleet(opts, answers_within=STATUS_WITHIN) as fleet:
        declared = wiring.model(opts)
        reach = partial(registry_logins.of, opts, declared)
        looked = tags.look(
            declared, journal.tags(), partial(registry.digests, timeout=STATUS_SILENCE, reach=reach)
        )
        model = tags.recorded(declared, journal)
        members = Membership.of(model, fleet)
        measured = members.measure(fleet, members.ids, silence=float(silence))
        run = journal.latest()
        records = journal.nodes(run.id) if run else {}
        lock = wiring.lock(opts)
        found = watching.as_found(run, lock)
        drained = journal.all_drained()
        missing = gone.since(run, records, members, fleet)
        asked = (journal.requested(run.id) if run else "") or ""
        opens = wiring.openings(opts, model).opening
        estimate = control.estimate(journal, run, records, time.time(), opens) if run else None
        data = standing.status(
            *(model, members, measured, found, records),
            drained=drained,
            gone=missing,
            asked=asked,
            tags=looked,
            estimate=estimate,
            rollback=journal.way_back.in_force() if model.backs is not None else None,
            holder=lock.holder(),
        )
    return {"data": data, "outputter": "rollout"}


@console.command(nodes=console.text, output=console.text, version=console.text, silence=console.seconds)
def survey(nodes=None, output=None, version=FOUND, silence=STATUS_SILENCE):
    """What runs on the nodes, who deployed it, and which service type each container is; which types are
    packages. It only reads.

    nodes
        A compound target. By default every minion that a role of the pillar means; all accepted minions where
        the roles mean none.

    output
        A folder to write a pillar to begin with into: roles, services, and the release as found, made of the
        digests that run and of the packages of services. Nothing is overwritten.

    version
        What the release as found is called. It has to be lower than the versions of your own releases.

    silence
        Seconds without a sign of life after which a node counts as silent.

    Returns records: survey (the ids of all nodes), nodes, roles, services, images, undigested, packages,
    both, unmapped, silent, left_out, written. When a node did not answer, it is named, and the exit status is
    1. Refuses with one line under INVALID_PILLAR, NO_NODES, or WRONG_ARGUMENT when a file of the output
    exists.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.survey
        salt-run rollout.survey nodes='controller-* or compute-*' output=/srv/found
    """
    opts = _opts()
    if output:
        surveying.refuse_to_overwrite(Path(output), version)
    pillar = master_pillar.compiled_pillar(opts)
    model = surveying.model(pillar)
    with SaltFleet(opts) as fleet:
        data = surveying.survey(model, fleet, nodes, float(silence))
    data["written"] = surveying.write(pillar, model, data, Path(output), version) if output else []
    data["retcode"] = _REFUSED if data["silent"] else 0  # the exit status of salt-run
    return {"data": data, "outputter": "rollout"}


@console.command(limit=console.text, until=console.text, break_=console.mapping)
def plan(limit=None, until=None, break_=None):
    """What an update would do: node states applied with test=True, the order of the nodes, what would be
    refused.

    limit
        A compound target: the nodes that the update may touch. By default that of the run that it would go on
        with, or all nodes.

    until
        Where it would stop, as for `rollout.run`.

    break
        Where nodes would rest, as for `rollout.run`.

    Returns the plan. Where the update would be refused, the plan says so, and the exit status is 1.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.plan
        salt-run rollout.plan limit='gtw*'
        salt-run rollout.plan --out=json
    """
    opts, given = _opts(), Given(limit, until, break_=break_)
    with SaltFleet(opts) as fleet:
        model = wiring.model(opts)
        members = Membership.of(model, fleet)

        def predict(nodes, stage):
            return {
                ended.node: changes_of(
                    ended.answer if not ended.reason else f"{ended.reason}: {ended.message}"
                )
                for ended in fleet.dry_run(members.silences(nodes), stage)
            }

        data = dry_run.dry_run(model, wiring.ports(opts, fleet), predict, given)
    data["retcode"] = _REFUSED if data["refused"] else 0  # the exit status of salt-run
    return {"data": data, "outputter": "rollout"}


@console.command(stage=console.text, limit=console.text, accept=console.names)
def preflight(stage=None, limit=None, accept=None):
    """What is looked at before a run begins: all conditions at once, each with its verdict (ok, warn, refuse,
    accepted), what was seen, and what to do. Touches nothing; it is the first step of every run as well.

    stage
        ovn, control_plane, services, ovs or system: of a run of that stage alone; of the whole update by
        default.

    limit
        A compound target, as for `rollout.run`: of a run that may touch these nodes.

    accept
        NAME,NAME: conditions that would be accepted for the run. Some may never be; a name that is none is
        refused with the nearest right one.

    Returns {preflight, conditions}. Where a run would be refused, the exit status is 1, and a step of an
    orchestration has failed; a warning stops nothing. Refuses with one line under WRONG_ARGUMENT,
    INVALID_PILLAR, UNKNOWN_TARGET, NO_NODES or RUN_UNFINISHED.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.preflight
        salt-run rollout.preflight services limit='cmp1*' --out=json
    """
    opts, given = _opts(), Given(limit, accept=accept)
    with SaltFleet(opts) as fleet:
        data = preflight_command.report(wiring.ports(opts, fleet), stage, given)
    # For salt.runner, a step has failed whose data has any value that is no mapping.
    if data["preflight"]["verdict"] == "refuse":
        data["retcode"] = _REFUSED  # the exit status of salt-run
    return {"data": data, "outputter": "rollout"}


@console.command(timeout=console.seconds, wait=console.seconds)
def watch(timeout=None, wait=60):
    """Show the progress of the run until it ends: a live table in a terminal, else lines. When it is expected
    to end, what waits and why are below the table, which fits 80 columns.

    With --out=json it is a stream for programs, a line each: {"watched": the run and its nodes}, each event
    (docs/reference/events.md) as it comes, {"ended": the run}, and last the state, or why it stopped.

    timeout
        Seconds after which watching ends anyway. Without it, watching ends with the run.

    wait
        Seconds to wait for a run when none is running.

    Returns the run's state; a run that ended otherwise than completed makes it exit status 1. Refuses under
    LIBRARY_MISSING when the master's Python lacks rich, which no other function needs.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.watch
        salt-run rollout.watch timeout=600
    """
    as_json = __opts__.get("output") == "json"
    screens = (feed.Feed, feed.Stream) if as_json else _watch_screens()
    try:
        watched = _watch(_opts(), *screens, timeout, wait)
    except (KeyboardInterrupt, SystemExit):  # Salt makes the second of Ctrl-C
        return _LEFT
    except BrokenPipeError:  # who reads may leave; what Salt says at its end has to go somewhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _LEFT
    if watched is None:
        return "no run is running"
    if watched["state"] in _NOT_COMPLETED:  # the screen has said why
        raise Refusal(f"{watched['state']}. {REASONS.get(watched['reason'], '')}".rstrip())
    return watched["state"]


def _watch_screens():
    """The board and the screen that need rich, alone. Raises RolloutError LIBRARY_MISSING without it."""
    try:
        from openstack_rollout.screens import watch as screens  # noqa: PLC0415 - nothing else may need rich
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise RolloutError("LIBRARY_MISSING", "rollout.watch needs rich (salt-pip install rich)") from error
    return screens.Board, screens.Screen


def _watch(opts, board_of, screen_of, timeout, wait):
    """Show a run until it ends; its record as the screen last knew it, None when there was no run."""
    journal, lock = wiring.journal(opts), wiring.lock(opts)
    until = time.monotonic() + float(timeout) if timeout else float("inf")
    with salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True) as bus:
        bus.connect_pub()
        found = watching.run_to_watch(journal, lock, min(until, time.monotonic() + float(wait)))
        if found is None:
            return None
        records = {node: _plain(record) for node, record in journal.nodes(found.id).items()}
        board = board_of(_plain(found), records)
        with screen_of(board) as screen:
            screen.show(f"run {found.id}: {tables.title_of(board.run)}")
            watching.follow(
                *(bus, board, screen, until),
                lambda: watching.as_found(journal.run(found.id), lock),
                lambda run: control.estimate(journal, run, journal.nodes(run.id), time.time()),
            )
    return board.run


def _opts():
    return wiring.master_options(__opts__)
