"""A survey asked of real nodes, and the files that it writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openstack_rollout.declared import deployed, found_pillar, reading
from openstack_rollout.declared import survey as surveys
from openstack_rollout.declared.found_packages import Packaged
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Call
from openstack_rollout.on_salt.returns import heard

_EVERY = "*"


def model(pillar: Mapping[str, Any]) -> Model:
    """What is declared, also where it names neither a target nor roles yet.

    pillar (dict): the master's, compiled. Raises RolloutError INVALID_PILLAR as reading.read does, and where
    nothing is known of deployers.
    """
    openstack = pillar.get("openstack")
    if isinstance(openstack, dict):
        openstack = {key: value for key, value in openstack.items() if key != "target_version"}
    found = reading.read({**pillar, "openstack": openstack}, roles_needed=False)
    if not found.deployers:
        line = "openstack:deployers: is missing, assign openstack.deployers in pillar/top.sls"
        raise RolloutError("INVALID_PILLAR", line)
    return found


def survey(model: Model, fleet: SaltFleet, nodes: str | None, silence: float) -> dict[str, Any]:
    """Ask nodes what runs on them. Returns the records of declared.survey, and whom nobody asked.

    nodes (str): a compound target; None: every node that has a role, all minions where none has. silence
    (float): seconds without a sign of life after which a node counts as silent. Raises RolloutError NO_NODES.
    """
    roles: dict[str, list[str]] = {}
    for role, target in model.targets.items():
        for name in fleet.members(target):
            roles.setdefault(name, []).append(role)
    every = fleet.members(_EVERY)
    asked = fleet.members(nodes) if nodes is not None else [name for name in every if name in roles] or every
    if not asked:
        raise RolloutError("NO_NODES", f"nodes: {nodes or _EVERY} matches no accepted minion")
    packaged = Packaged(model)
    globs = [deployer.glob for deployer in model.deployers.values()]
    asking = {"units": [*globs, *packaged.units], "packages": packaged.globs}
    call = Call("rollout_call.run", ("deployed.report",), {"kwargs": asking})
    told: dict[str, deployed.Deployed] = {}
    silent: dict[str, tuple[str, str]] = {}
    for ended in fleet.ask(dict.fromkeys(asked, silence), call):
        try:
            told[ended.node] = heard(ended, deployed.read)
        except RolloutError as error:
            silent[ended.node] = error.reason, error.message
    for name in asked:
        if name not in told and name not in silent:
            silent[name] = "NODE_SILENT", "no answer"
    unasked = sorted(set(every) - set(asked))
    records = surveys.survey(model, told, silent, roles)
    return {**records, "unasked": unasked, "left_out": unasked if nodes is None else []}


def write(
    pillar: Mapping[str, Any], model: Model, records: Mapping[str, Any], folder: Path, version: str
) -> list[str]:
    """Write a pillar to begin with into a folder. Returns the paths of its files. Nothing is overwritten.

    pillar (dict): the master's, compiled, whose catalogue the new one is checked with. records: of `survey`.
    version (str): what the release as found is called. Raises RolloutError WRONG_ARGUMENT where a file exists
    or cannot be written, NO_NODES where no node has a role, INVALID_PILLAR where what was found is no pillar.
    """
    if not records["roles"]:
        raise RolloutError("NO_NODES", f"no role could be guessed of {some(records['survey'])}")
    texts = found_pillar.files(model, records, version)
    problems, _ = reading.reasons(found_pillar.merged(pillar["openstack"], texts))
    if problems:
        reason, line = problems[0]
        raise RolloutError(reason, f"what was found makes no pillar: {line}")
    return write_new({folder / path: text for path, text in texts.items()})


def refuse_to_overwrite(folder: Path, version: str) -> None:
    """Refuse before any node is asked where a file that `write` would write exists. Arguments as of `write`.

    Raises RolloutError WRONG_ARGUMENT.
    """
    refuse_existing([folder / found_pillar.PAGE, folder / found_pillar.release_path(version)])


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise RolloutError WRONG_ARGUMENT where a file is there that would be written."""
    for path in paths:
        if path.exists() or path.is_symlink():
            raise RolloutError("WRONG_ARGUMENT", f"output: {path} exists, nothing is overwritten")


def write_new(texts: Mapping[Path, str]) -> list[str]:
    """Write files that do not exist yet: all of them or none. Returns their paths.

    texts: path → text. Raises RolloutError WRONG_ARGUMENT.
    """
    refuse_existing(texts)
    made: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                made.append(path)
                stream.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise RolloutError(
            "WRONG_ARGUMENT", f"output: {error.filename}: cannot be written: {error.strerror}"
        ) from error
    return [str(path) for path in made]
