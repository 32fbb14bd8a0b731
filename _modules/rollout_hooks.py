"""Run the hooks of a step, and a release's migrations, on this node; which migrations are done is recorded
here.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout import hooks, node_pillar, release, validation
from openstack_rollout.errors import RolloutError

_RECORD = Path("/var/lib/openstack-rollout/migrations.json")
_SAID = 300


def run(stage: str, moment: str) -> dict:
    """Run the hooks of a moment of a stage, and after `apply` the migrations of the release that are not
    done.

    stage (str): e.g. system. moment (str): e.g. before_apply.

    Returns {"hooks": {name: "done", "not for this node" or what failed and was passed over}}.
    Raises CommandExecutionError led by HOOK_FAILED at the first failure of one that is not passed over.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.run system before_apply
    """
    openstack = _openstack()
    found = {hook["name"]: _tried(hook) for hook in hooks.of(openstack, stage, moment)}
    if moment == hooks.MIGRATION:
        for one in _due(openstack, stage):
            found[one["name"]] = _tried(one)
            if found[one["name"]] == "done":
                _write(_done(openstack) | {one["id"]: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    return {"hooks": found}


def due(openstack: dict | None = None) -> list[dict]:
    """The migrations of the wanted release that this node has not done: [{"name", "stage", …}].

    openstack (dict): the validated pillar, of a caller who has it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.due
    """
    return _due(openstack or _openstack())


def done() -> dict[str, str]:
    """The migrations that this node has done, of releases that the catalogue still has: {"VERSION NAME":
    when}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_hooks.done
    """
    return _done(_openstack())


def _done(openstack: dict) -> dict[str, str]:
    try:
        found = json.loads(_RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = (openstack.get("releases") or {}).keys()
    return {name: when for name, when in found.items() if name.split(" ", 1)[0] in known}


def _due(openstack: dict, stage: str | None = None) -> list[dict]:
    wanted, known = release.wanted(openstack), _done(openstack)
    return [
        one
        for one in hooks.migrations(openstack, wanted, stage)
        if one["id"] not in known and __salt__["match.compound"](one["nodes"])
    ]


def _tried(hook: dict) -> str:
    if not __salt__["match.compound"](hook["nodes"]):
        return "not for this node"
    failure = _command(hook) if "command" in hook else _sls(hook)
    if not failure:
        return "done"
    if hook["on_failure"] == "fail":
        raise CommandExecutionError(f"HOOK_FAILED: {hook['name']}: {failure}")
    return f"failed, and was passed over: {failure}"


def _command(hook: dict) -> str:
    result = __salt__["cmd.run_all"](
        list(hook["command"]), python_shell=False, ignore_retcode=True, timeout=hook["timeout"]
    )
    if not result["retcode"]:
        return ""
    said = " ".join(f"{result['stdout']} {result['stderr']}".split())
    return f"exited with {result['retcode']}: {said[-_SAID:]}"


def _sls(hook: dict) -> str:
    """Applied by a process of its own, so that it can be ended when it takes too long."""
    call = ["salt-call", "--local" if __opts__.get("file_client") == "local" else "--log-level=error"]
    result = __salt__["cmd.run_all"](
        [*call, "--out=json", "--retcode-passthrough", f"--config-dir={Path(__opts__['conf_file']).parent}",
         "state.apply", hook["sls"], "concurrent=True"],
        python_shell=False,
        ignore_retcode=True,
        timeout=hook["timeout"],
    )  # fmt: skip
    if not result["retcode"]:
        return ""
    try:
        states = json.loads(result["stdout"])["local"].values()
        wrong = [str(state["comment"]) for state in states if state["result"] is False]
    except (ValueError, KeyError, TypeError, AttributeError):
        wrong = [f"{result['stdout']} {result['stderr']}"[-_SAID:]]
    return f"sls {hook['sls']}: {' '.join('; '.join(wrong).split())[:_SAID]}"


def _write(record: dict[str, str]) -> None:
    _RECORD.parent.mkdir(parents=True, exist_ok=True)
    scratch = _RECORD.with_suffix(".new")
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.rename(_RECORD)


def _openstack() -> dict:
    """As the master has it now: hooks of an edit that the minion has not seen would be passed over."""
    try:
        return validation.checked(node_pillar.fresh(__opts__, __grains__))
    except RolloutError as error:
        raise CommandExecutionError(str(error)) from error
