"""Run the operator's hooks of a step, and a release's migrations, on this node.

Which migrations are done is recorded on the node itself.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, fresh_pillar
from openstack_rollout.node import share as shares
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile, replace

_RECORD = Path("/var/lib/openstack-rollout/migrations.json")
_OUTPUTS = Path("/var/lib/openstack-rollout/hooks")
_KEPT = 300  # characters of a failed hook's output that its message repeats
_DONE = "done"
# A migration follows the update of its stage's packages and containers, and precedes the proof.
_MIGRATION = "after_apply"


def run(stage: str, moment: str) -> dict:
    """Run the hooks of a moment of a stage; after `apply`, also the release's migrations that are not done.

    stage (str): e.g. system. moment (str): e.g. before_apply.

    Returns {"hooks": {name: "done", or what failed and was ignored}} of the hooks that are for this node.
    Raises NodeError HOOK_FAILED at the first failure of a hook whose on_failure is `fail`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.run system before_apply
    """
    share = _share()
    found = {hook["name"]: _tried(hook) for hook in share["hooks"].get(stage, {}).get(moment, ())}
    if moment == _MIGRATION:
        for one in due(share):
            if one["stage"] == stage:
                found[one["name"]] = _tried(one)
                if found[one["name"]] == _DONE:
                    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                    StateFile(_RECORD).write(done(share) | {one["id"]: when})
    return {"hooks": found}


def due(share: dict | None = None) -> list[dict]:
    """The migrations of the wanted release that this node has not done: [{"name", "stage", …}].

    share (dict): the node's share, where the caller has it already.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.due
    """
    share = share or _share()
    known = done(share)
    return [one for one in share.get("migrations", ()) if one["id"] not in known]


def done(share: dict | None = None) -> dict[str, str]:
    """The migrations that this node has done, of releases that are still in the catalogue.

    Returns {"VERSION NAME": when (ISO 8601, UTC)}.

    share (dict): as in `due`.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.done
    """
    found = StateFile(_RECORD).read_or_none()
    if not found:
        return {}
    known = (share or _share()).get("releases", ())
    return {name: when for name, when in found.items() if name.split(" ", 1)[0] in known}


def _tried(hook: dict) -> str:
    failure = _command(hook) if "command" in hook else _sls(hook)
    if not failure:
        return _DONE
    if hook["on_failure"] == "fail":
        raise NodeError("HOOK_FAILED", f"{hook['name']}: {failure}")
    return f"failed, and was passed over: {failure}"


def _command(hook: dict) -> str:
    failure, printed = _run(hook, hook["command"])
    return f"{failure}{_said(hook, printed)}" if failure else ""


def _sls(hook: dict) -> str:
    """Apply the SLS of a hook in a process of its own, so that it can be ended when it takes too long."""
    call = ["salt-call", "--local" if __opts__.get("file_client") == "local" else "--log-level=error"]
    options = ["--out=json", "--retcode-passthrough", f"--config-dir={Path(__opts__['conf_file']).parent}"]
    failure, printed = _run(hook, [*call, *options, "state.apply", hook["sls"], "concurrent=True"])
    if not failure:
        return ""
    try:
        states = json.loads(printed)["local"].values()
        wrong = [str(state["comment"]) for state in states if state["result"] is False]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"sls {hook['sls']}: {failure}{_said(hook, printed)}"
    return f"sls {hook['sls']}: {len(wrong)} of {len(states)} states failed{_said(hook, '; '.join(wrong))}"


def _run(hook: dict, command: list[str]) -> tuple[str, str]:
    """How a command of a hook failed, "" where it did not, and what it printed. Arguments may be secret."""
    begun = time.monotonic()
    try:
        result = commands.run(__salt__, command, timeout=hook["timeout"], secret=True)
    except CommandExecutionError:  # whose text has the arguments
        return f"{command[0]} is not there, or cannot be started", ""
    if not result.retcode:
        return "", ""
    if time.monotonic() - begun >= hook["timeout"]:
        return f"took longer than {hook['timeout']} s", ""
    return f"exited with {result.retcode}", f"{result.stdout}\n{result.stderr}".strip()


def _said(hook: dict, printed: str) -> str:
    """The end of what a failed hook printed, where its owner wants it shown; else where it is on the node."""
    if not printed:
        return ""
    if hook.get("show_output"):
        return f": {' '.join(printed.split())[-_KEPT:]}"
    try:
        _OUTPUTS.mkdir(parents=True, exist_ok=True)
        place = _OUTPUTS / f"{hook['name']}.log"
        replace(place, f"{printed}\n")
    except OSError as error:
        return f"; what it printed could not be kept: {error.strerror}"
    return f"; what it printed is in {place}"


def _share() -> dict:
    """The share as the master has it now: the minion's copy may lack hooks that were added since."""
    return shares.of(fresh_pillar.fresh(__opts__, __grains__))
