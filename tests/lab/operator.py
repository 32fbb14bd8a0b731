"""What an operator types, as functions: the update, its status, a dry run; with the answers as data."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

from . import proof, settings
from .cloud import Lab
from .clusters import pacemaker
from .packaged import cluster as packaged

FIRST = "1.0.0"  # the release of a new lab
PATIENCE = 1800  # seconds for a whole update; a hang, not a slow machine, takes longer


def install(lab: Lab, version: str) -> None:
    """Bring a new lab to a release, ad hoc and all nodes at once.

    The controllers' part goes first: an OVN chassis is healthy when it reaches the databases, and a new cloud
    has none. An update finds them running.
    """
    lab.set_pillar(target_version=version)
    if lab.profile in settings.PACKAGED:
        packaged.build(lab)  # its machines have the packages already
    if lab.profile == settings.CONTROLLERS:
        pacemaker.build(lab)  # the services reach each other by the VIP
    lab.master(["salt", "*", "saltutil.sync_all", "--out=quiet", "-t", "120"])
    controllers = [node.name for node in lab.nodes.values() if node.role == "controller"]
    if controllers:
        first = ["salt", "-L", ",".join(controllers), "state.apply", "openstack.control_plane", "-t", "600"]
        lab.master(first, timeout=PATIENCE)
    lab.master(["salt", "*", "state.apply", "-t", "900"], timeout=PATIENCE)


@contextlib.contextmanager
def installed(profile: str) -> Iterator[Lab]:
    """A lab of this profile at its first release; torn down at the end, whatever happens."""
    lab = Lab(profile=profile)
    lab.down()
    try:
        lab.up()
        install(lab, FIRST)
        proof.assert_cloud_at(lab, FIRST)
        yield lab
    finally:
        lab.down()


def update(
    lab: Lab, orchestration: str = "orch.update", check: bool = True, timeout: float = PATIENCE, **given: str
) -> subprocess.CompletedProcess:
    """`salt-run state.orchestrate`; with check, a failed update raises with what it printed.

    given: what the operator says of this run, e.g. limit="ctl1".
    """
    said = [f"pillar={json.dumps(given)}"] if given else []
    command = ["salt-run", "state.orchestrate", orchestration, *said]
    done = lab.master(command, check=False, timeout=timeout)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def start_update(lab: Lab, orchestration: str = "orch.update") -> subprocess.Popen:
    """The update in the background; read `communicate()` for what it printed."""
    return lab.popen_master(
        ["salt-run", "state.orchestrate", orchestration],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def status(lab: Lab) -> dict:
    """`salt-run rollout.status` as data."""
    return json.loads(lab.master(["salt-run", "rollout.status", "--out=json"]).stdout)


def plan(lab: Lab) -> dict:
    """`salt-run rollout.plan` as data."""
    return json.loads(lab.master(["salt-run", "rollout.plan", "--out=json"], timeout=PATIENCE).stdout)


def predicted(lab: Lab) -> set[tuple[str, str]]:
    """(node, state) that `salt '*' state.apply test=True` says would change."""
    answer = lab.master(
        ["salt", "*", "state.apply", "test=True", "--out=json", "--static", "-t", "600"], timeout=PATIENCE
    )
    returns = json.loads(answer.stdout)
    assert set(returns) == set(lab.nodes), "not every node answered"
    return {change for node, states in returns.items() for change in changed_states(node, states)}


def changed_states(node: str, states: dict) -> set[tuple[str, str]]:
    """(node, state) with changes in one minion's state return, real or predicted."""
    assert isinstance(states, dict), f"{node}: {states}"
    found = set()
    for tag, result in states.items():
        module, _, name, function = tag.split("_|-")
        assert result["result"] is not False, f"{node}: {tag}: {result['comment']}"
        if result["changes"] or result["result"] is None:
            found.add((node, f"{module}.{function} {result.get('name', name)}"))
    return found
