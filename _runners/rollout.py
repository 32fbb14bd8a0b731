"""Updates of the cloud: what runs there, where it stands, what an update would do; run, pause, resume, abort
and watch one.

The work is done in `openstack_rollout`. Here it is given Salt, and its refusals become lines: salt-run ends
with 0 when the work is done, 1 when it was refused or the run paused, 2 for wrong use.
"""

import time
from functools import partial
from pathlib import Path

import salt.utils.event

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.on_salt import (
    console,
    interrupts,
    master_pillar,
    orchestrating,
    registry,
    surveying,
    watching,
    windows,
    wiring,
)
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.refusal import REFUSED as _REFUSED
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.on_salt.returns import changes_of
from openstack_rollout.on_salt.terminal import SaltRunTerminal
from openstack_rollout.records.journal import plain as _plain
from openstack_rollout.rollout import asking, control, dry_run, gone, preflight_command, restoration, tags
from openstack_rollout.rollout import history as histories
from openstack_rollout.rollout import status as standing
from openstack_rollout.rollout.asking import NOTHING, Given
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.run import UPDATE, Rollout
from openstack_rollout.screens import questions, tables

STATUS_SILENCE = 20
STATUS_WITHIN = 60.0  # seconds for a node to be measured: the screen has to come, whatever hangs there
#: What the release as found is called.
FOUND = "0.0.1"
_NOT_COMPLETED = ("paused", "incomplete", "aborted", "interrupted")

console.hide_salts_own_messages()


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
        looked = tags.look(declared, journal.tags(), partial(registry.digests, timeout=STATUS_SILENCE))
        model = tags.recorded(declared, journal)
        members = Membership.of(model, fleet)
        measured = members.measure(fleet, members.ids, silence=float(silence))
        run = journal.latest()
        records = journal.nodes(run.id) if run else {}
        found = watching.as_found(run, wiring.lock(opts))
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


@console.command(
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
)
def begin(  # noqa: PLR0917
    limit=None, until=None, confirm=None, break_=None, accept=None, pillar_keys=()
):
    """Check everything, open a run or go on with the unfinished one, prefetch on every node.

    A step of orch/update.sls, which hands over what is in its pillar.

    limit
        As for `rollout.run`.

    until
        As for `rollout.run`.

    confirm
        As for `rollout.run`.

    break
        As for `rollout.run`.

    accept
        As for `rollout.run`.

    pillar_keys
        The keys of the orchestration's pillar: one that looks like a misspelt argument is refused.

    Returns {"run": identifier, "target": version}, "gone" where nodes of the last run are no accepted minions
    any more, and "warnings" where something was seen of conditions (`rollout.preflight`). Refuses with one
    line, under any reason of the checks or of a node.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
        salt-run state.orchestrate orch.update pillar='{"limit": "gtw*"}'
    """
    opts, given = _opts(), Given(limit, until, confirm, break_, accept)
    asking.refuse_misspelt(pillar_keys, lambda: master_pillar.compiled_pillar(opts))
    with SaltFleet(opts) as fleet:
        run = Rollout(_ports(opts, fleet)).begin(given=given)
    warnings = {name: one["seen"] for name, one in run.conditions.items()}
    more = {"gone": run.gone, "warnings": warnings}
    return {"run": run.id, "target": run.target, **{key: told for key, told in more.items() if told}}


@console.command(
    stage=console.text,
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
    wait=console.flag,
)
def run(  # noqa: PLR0917
    stage=None,
    limit=None,
    until=None,
    confirm=None,
    break_=None,
    accept=None,
    wait=False,
    pillar_keys=(),
):
    """The whole update, or one stage, which must not be out of order.

    stage
        ovn, control_plane, services, ovs or system. In an orchestration that has begun a run it is a part
        of that run, else it is a run of its own.

    limit
        A compound target: the nodes that the run may touch; by pillar (I@) and nodegroups (N@) too, since the
        master alone reads it. The others are measured: the run is refused, by name, while one of them has to
        go first. A run that goes on keeps its own.

    until
        A stage, or stage:role: the run stops behind it under GATED, and `rollout.resume` goes on.

    confirm
        never, stage, role, wave or node: before each such step the run shows what comes and waits under
        CONFIRMATION for `rollout.confirm`, `rollout.resume` or `rollout.skip`; beside what policies want.

    break
        {moment: compound target}, of any moment that hooks know, or {stage:moment: …}: these nodes rest there
        until they are confirmed or skipped.

    accept
        NAME,NAME: conditions (`rollout.preflight`) that are accepted for this run, with who and when in its
        record.
    wait
        Whether to wait where a window is closed, and to go on when it opens. Without it the run pauses.

    Returns the run with its state. When it is refused or pauses, it ends with one line under its reason.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.run
        salt-run rollout.run services
        salt-run rollout.run limit='cmp1*'
        salt-run rollout.run until=ovn confirm=node
        salt-run rollout.run control_plane break='{before_apply: ctl1}'
        salt-run rollout.run accept=installers,clocks
        salt-run rollout.run wait=True
    """
    given = Given(limit, until, confirm, break_, accept)
    if stage is None:
        return windows.go_through(_opts, wait, lambda: _orchestrate(UPDATE, given))
    asking.refuse_misspelt(pillar_keys, lambda: master_pillar.compiled_pillar(_opts()))
    return windows.go_through(_opts, wait, lambda: _stage(stage, given))


def _stage(stage, given):
    opts = _opts()
    with SaltFleet(opts) as fleet:
        return Rollout(_ports(opts, fleet)).stage(stage, given)


@console.command()
def finish():
    """Measure everything once more and close the run. A step of orch/update.sls.

    Returns {run, state}. Refuses with one line when a node is not what the release wants.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
    """
    opts = _opts()
    with SaltFleet(opts) as fleet:
        return Rollout(_ports(opts, fleet)).finish()


@console.command()
def pause():
    """Start no new node, and pause the run under PAUSED_BY_OPERATOR within seconds, whatever hangs.

    A prefetch is ended. What else is under way may end by itself for some seconds; then it is left in flight,
    and the run that goes on waits for it.

    Returns {run, state, in_flight}: the state is `pausing` until that is so. Refuses under NO_RUN when there
    is no run to pause.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.pause
    """
    opts = _opts()
    return control.pause(wiring.journal(opts), wiring.lock(opts))


@console.command(
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
    only=console.text,
    wait=console.flag,
)
def resume(  # noqa: PLR0917
    limit=None, until=None, confirm=None, break_=None, accept=None, only=None, wait=False
):
    """Go on with the run that is paused, by its own orchestration.

    limit
        Another limit than the run had, as for `rollout.run`; '*' for all nodes.

    until
        Where it stops next, as for `rollout.run`. Without it, a run that stands at the stop that it was given
        goes on to its end; one that paused before that keeps it.

    confirm
        As for `rollout.run`.

    break
        As for `rollout.run`, in place of those that the run has; '{}' for none.

    accept
        As for `rollout.run`, beside what was accepted for it before.
    only
        A reason: go on only where the run is paused under that one, for Salt's scheduler. Under
        WINDOW_CLOSED, only where the window is open. Else nothing happens, which is no failure.

    wait
        As for `rollout.run`.

    Returns {run, state} when the run is completed, or one line when a running one goes on by itself: it only
    had to forget that it should pause, or waited for a yes, which this is. Refuses under NO_RUN when there is
    no run, RUN_IN_PROGRESS when it is not paused, and under the run's reason when it pauses again.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.resume
        salt-run rollout.resume until=services:gateway
        salt-run rollout.resume only=WINDOW_CLOSED
    """
    opts, accepting = _opts(), Given(accept=accept)
    if only and (nothing := windows.nothing_to_do(opts, only)):
        return nothing
    orchestration = control.to_resume(
        wiring.journal(opts), wiring.lock(opts), Given(limit, until, confirm, break_)
    )
    if not orchestration:
        return "the run goes on"
    return windows.go_through(_opts, wait, lambda: _orchestrate(orchestration, accepting))


@console.command(node=console.text)
def confirm(node=None):
    """Say yes to what the run asks before it goes on: to all that it asks now, or to one node of it.

    node
        A minion's id.

    Returns {run, state, confirmed: what was asked}. A run that nobody drives any more keeps the answer, and
    goes on by `rollout.resume`. Refuses under NO_RUN, or NOTHING_ASKED.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.confirm
        salt-run rollout.confirm cmp1
    """
    opts = _opts()
    return control.confirm(wiring.journal(opts), wiring.lock(opts), node or "")


@console.command(node=console.text)
def skip(node):
    """Have the run leave a node out: it starts nothing there any more, and goes on with the others.

    It then ends as incomplete, and names the node under SKIPPED_BY_OPERATOR.

    node
        A minion's id. One that is in flight finishes first: it is refused.

    Returns {run, state, skipped}. Refuses under NO_RUN, NO_NODES, or WRONG_ARGUMENT.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.skip cmp7
    """
    opts = _opts()
    return control.skip(wiring.journal(opts), wiring.lock(opts), node)


@console.command()
def abort():
    """End the run within seconds, whatever hangs. A run whose process is gone ends at once.

    What is under way becomes what it becomes at a pause. Healthy nodes that the run drained are restored
    afterwards; the others are named in `still_drained`.

    Returns {run, state, in_flight}: the state is `aborting` until the run has ended. Refuses under NO_RUN
    when there is no run to end.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.abort
    """
    opts = _opts()
    ended = control.abort(wiring.journal(opts), wiring.lock(opts))
    if ended["state"] == "aborted" and restoration.drained_by_runs(wiring.journal(opts)):
        with SaltFleet(opts) as fleet:
            ended["still_drained"] = Rollout(wiring.ports(opts, fleet)).restore_drained()
    return ended


@console.command()
def repair():
    """Drop records of the journal that cannot be read, e.g. after a power cut of the master; no others.

    Nothing is taken for done because it was written there: the next run measures. What a node's drain took
    away is not known any more where its record is dropped: look at that node before the next run.

    Returns {dropped: what could not be read}. Refuses under RUN_IN_PROGRESS while a run has the lock.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.repair
    """
    opts = _opts()
    wiring.lock(opts).refuse_others()
    return {"dropped": wiring.journal(opts).repair()}


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


@console.command(timeout=console.seconds, wait=console.seconds)
def watch(timeout=None, wait=60):
    """Show the progress of the run until it ends: a live table in a terminal, else lines.

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
    screens = _watch_screens()
    try:
        watched = _watch(_opts(), screens, timeout, wait)
    except (KeyboardInterrupt, SystemExit):  # Salt makes the second of Ctrl-C
        return "watching has ended, the run goes on"
    if watched is None:
        return "no run is running"
    if watched["state"] in _NOT_COMPLETED:  # the screen has said why
        raise Refusal(f"{watched['state']}. {REASONS.get(watched['reason'], '')}".rstrip())
    return watched["state"]


def _watch_screens():
    """screens.watch, which alone needs rich. Raises RolloutError LIBRARY_MISSING without it."""
    try:
        from openstack_rollout.screens import watch as screens  # noqa: PLC0415 - nothing else may need rich
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise RolloutError("LIBRARY_MISSING", "rollout.watch needs rich (salt-pip install rich)") from error
    return screens


def _watch(opts, screens, timeout, wait):
    """Show a run until it ends; its record as the screen last knew it, None when there was no run."""
    journal, lock = wiring.journal(opts), wiring.lock(opts)
    until = time.monotonic() + float(timeout) if timeout else float("inf")
    with salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True) as bus:
        bus.connect_pub()
        found = watching.run_to_watch(journal, lock, min(until, time.monotonic() + float(wait)))
        if found is None:
            return None
        records = {node: _plain(record) for node, record in journal.nodes(found.id).items()}
        board = screens.Board(_plain(found), records)
        with screens.Screen(board) as screen:
            screen.show(f"run {found.id}: {tables.title_of(board.run)}")
            watching.follow(
                *(bus, board, screen, until),
                lambda: watching.as_found(journal.run(found.id), lock),
                lambda run: control.estimate(journal, run, journal.nodes(run.id), time.time()),
            )
    return board.run


def _orchestrate(orchestration, given=NOTHING):
    return orchestrating.run(__salt__["state.orchestrate"], wiring.journal(_opts()), orchestration, given)


def _ports(opts, fleet):
    """The ports of a run that this process drives."""
    interrupts.catch()
    return wiring.ports(opts, fleet, SaltRunTerminal(questions.text))


def _opts():
    return wiring.master_options(__opts__)
