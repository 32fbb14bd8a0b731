"""Updates of the cloud, as operators see them: where it stands, what an update would do, run it, stop it,
watch it.

The work is done in `openstack_rollout`; here it gets its Salt parts, and its refusals become one line.
"""

import time

import salt.utils.event

from openstack_rollout.on_salt import wiring
from openstack_rollout.on_salt.console import told, without_housekeeping
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.refusal import Refusal
from openstack_rollout.on_salt.returns import changes_of
from openstack_rollout.rollout import control, restoration
from openstack_rollout.rollout import plan as planning
from openstack_rollout.rollout import status as standing
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.run import UPDATE, Rollout
from openstack_rollout.screens import tables
from openstack_rollout.screens import watch as watching

STATUS_SILENCE = 20
CHECK_ENGINE_EVERY = 5

without_housekeeping()


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
    with told(), SaltFleet(opts) as fleet:
        model = wiring.model(opts)
        members = Membership.of(model, fleet)
        measured = members.measure(fleet, members.ids, silence=float(silence))
        run = journal.latest()
        records = journal.nodes(run["id"]) if run else {}
        found = _as_found(run, wiring.lock(opts))
        drained = journal.all_drained()
        data = standing.status(model, members, measured, found, records, drained=drained)
    return {"data": data, "outputter": "rollout"}


def plan():
    """What an update would do: node states applied with test=True, the order of the nodes, what would be
    refused.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.plan
        salt-run rollout.plan --out=json
    """
    opts = _opts()
    with told(), SaltFleet(opts) as fleet:
        model = wiring.model(opts)
        silence = max(settings.silence for settings in Membership.of(model, fleet).policies.values())

        def dry_run(nodes, stage):
            return {
                ended.node: changes_of(
                    ended.answer if not ended.reason else f"{ended.reason}: {ended.message}"
                )
                for ended in fleet.dry_run(nodes, stage, silence)
            }

        data = planning.plan(model, wiring.parts(opts, fleet), dry_run)
    return {"data": data, "outputter": "rollout"}


def begin():
    """Check everything, open a run or go on with the one that was left, prefetch on every node.

    A step of orch/update.sls. Returns {"run", "target"}; fails with one line.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
    """
    opts = _opts()
    with told(), SaltFleet(opts) as fleet:
        run = Rollout(wiring.parts(opts, fleet)).begin()
    return {"run": run["id"], "target": run["target"]}


def run(stage=None):
    """The whole update; or one stage, which must not be out of order.

    stage
        ovn, control_plane, services, ovs or system. In an orchestration that has begun a run it is a part
        of that run, else it is a run of its own.

    Returns the run with its state; fails with one line when it pauses.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.run
        salt-run rollout.run services
    """
    if stage is None:
        return _orchestrate(UPDATE)
    opts = _opts()
    with told(), SaltFleet(opts) as fleet:
        return Rollout(wiring.parts(opts, fleet)).stage(stage)


def finish():
    """Measure everything once more and close the run. A step of orch/update.sls.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
    """
    opts = _opts()
    with told(), SaltFleet(opts) as fleet:
        return Rollout(wiring.parts(opts, fleet)).finish()


def pause():
    """Start no new node; those in flight finish, then the run is paused under PAUSED_BY_OPERATOR.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.pause
    """
    opts = _opts()
    with told():
        return control.pause(wiring.journal(opts), wiring.lock(opts))


def resume():
    """Go on with the run that is paused, by its own orchestration.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.resume
    """
    opts = _opts()
    with told():
        orchestration = control.to_resume(wiring.journal(opts), wiring.lock(opts))
    return _orchestrate(orchestration) if orchestration else "the request to pause is withdrawn"


def abort():
    """End the run after the nodes in flight; a run that nobody drives any more ends at once.

    Healthy nodes that the run drained are restored; the others are named.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.abort
    """
    opts = _opts()
    with told():
        ended = control.abort(wiring.journal(opts), wiring.lock(opts))
        if ended["state"] == "aborted" and restoration.left(wiring.journal(opts)):
            with SaltFleet(opts) as fleet:
                ended["still_drained"] = Rollout(wiring.parts(opts, fleet)).bring_back()
        return ended


def report(run_id=None):
    """What a run did, stage by stage and node by node, and how long it took.

    run_id
        A run's identifier; the last run by default.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.report
    """
    with told():
        return {"data": control.report(wiring.journal(_opts()), run_id), "outputter": "rollout"}


def watch(timeout=None, wait=60):
    """Show the progress of the run until it ends: a live table in a terminal, else lines.

    timeout
        Seconds after which watching ends anyway; without it, only the run's end does.

    wait
        Seconds to wait for a run when none is running.

    Returns the run's state.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.watch
        salt-run rollout.watch timeout=600
    """
    try:
        return _watch(_opts(), timeout, wait)
    except (KeyboardInterrupt, SystemExit):  # Salt makes the second of Ctrl-C
        return "watching has ended, the run goes on"


def _watch(opts, timeout, wait):
    journal, lock = wiring.journal(opts), wiring.lock(opts)
    until = time.monotonic() + float(timeout) if timeout else float("inf")
    with salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True) as bus:
        bus.connect_pub()
        found = _run_to_watch(journal, lock, min(until, time.monotonic() + float(wait)))
        if found is None:
            return "no run is running"
        board = watching.Board(found, journal.nodes(found["id"]))
        with watching.Screen(board) as screen:
            screen.show(f"run {found['id']}: {tables.aim(found)}")
            _follow(bus, board, screen, until, lambda: _as_found(journal.run(found["id"]), lock))
    return board.run["state"]


def _follow(bus, board, screen, until, current):
    """Feed events to the board until the run ends, also when its engine dies without a word."""
    check = time.monotonic() + CHECK_ENGINE_EVERY
    while not board.ended and time.monotonic() < until:
        event = bus.get_event(wait=1, tag=f"openstack/rollout/{board.run['id']}/", full=True)
        if event:
            screen.show(board.take(event["data"]))
        if time.monotonic() >= check:
            check = time.monotonic() + CHECK_ENGINE_EVERY
            now = current()
            board.run.update(state=now["state"], reason=now["reason"], message=now["message"])
            if now["state"] == "interrupted":
                screen.show(f"run {now['id']}: {now['message']}")
                return


def _run_to_watch(journal, lock, until):
    while time.monotonic() < until:
        found = _as_found(journal.unfinished(), lock)
        if found and found["state"] == "running":
            return found
        time.sleep(1)
    return None


def _as_found(run, lock):
    """The run's record; one that is `running` in a process that is gone is `interrupted`."""
    if run is None or run["state"] != "running":
        return run
    holder = lock.holder()
    if holder and holder["run"] == run["id"]:
        return run
    return {**run, "state": "interrupted", "message": "its process is gone: run again to go on"}


def _orchestrate(orchestration):
    """Run an orchestration in this process; its failed step's line becomes this function's."""
    answer = __salt__["state.orchestrate"](orchestration)
    states = next(iter(answer["data"].values()))
    if answer["retcode"] == 0:
        return {"run": wiring.journal(_opts()).latest()["id"], "state": "completed"}
    if not isinstance(states, dict):
        raise Refusal(" ".join(str(line) for line in states))
    failed = [state for state in states.values() if state["result"] is False]
    said = [str((state.get("changes") or {}).get("return") or "") for state in failed]
    raise Refusal(next(filter(None, said), failed[0]["comment"]))


def _opts():
    return wiring.master_options(__opts__)
