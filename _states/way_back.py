"""The way back of a run on a node: kept before anything moves. What cannot be kept is told."""

from __future__ import annotations

import os
from pathlib import Path

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers, errors, kept_files, kept_packages
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import replace


def kept(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name, stages=None, also=None, depth=None, kept=(), exclude=(), files=(), touched=False
):
    """Have what a run is about to move of packages on the node as files, at the versions that it has.

    name (str): the run's identifier. stages (dict): {stage: {name: version}}. also (dict): {name: version} of
    services that are packages. depth (str), kept (list): as in system_packages.plan, where all other packages
    are brought to the newest; without a depth they stay. exclude (list): as for package_set.bring. files
    (list): paths of configuration files that the run renders. touched (bool): whether the run has changed the
    node before.

    What has no way back is a warning, and told again when the way back is asked for: no run fails for it.

    .. code-block:: yaml

        20261130-010203-abcd:
          way_back.kept:
            - stages: {system: {bash: 5.2.15-3}}
    """
    told, done = [], {"kept": {}, "missing": {}}
    try:
        more = __salt__["system_packages.plan"](depth, list(kept))["upgrade"] if depth else {}
        due = __salt__["way_back.due"](stages or {}, {**(also or {}), **more})
        if __opts__["test"]:
            return answers.answer(name, True, f"{len(due)} packages would be kept, as far as there is room")
        done = __salt__["way_back.keep"](name, due, list(exclude), touched)
    except Exception as error:  # whatever it is, the run goes on
        told.append(f"no way back for packages ({errors.text_of(error)})")
    try:
        if not __opts__["test"]:
            __salt__["way_back.keep_files"](name, list(files), touched)
    except Exception as error:  # as above
        told.append(f"no way back for configuration files ({errors.text_of(error)})")
    if done["missing"]:
        told.append(f"no way back for {kept_packages.told(done['missing'])}")
    comment = f"kept as the way back of the run: {answers.named(done['kept']) or 'nothing new'}"
    answer = answers.answer(name, True, "; ".join([comment, *told]))
    return answer | ({"warnings": told} if told else {})


def images_held(name, moving, wanted=()):
    """Have the images that a run is about to replace held against an operator's pruning.

    name (str): the run's identifier. moving (dict), wanted (list): as for way_back.former_images.

    What cannot be held is a warning: no run fails for it, and the image is there as long as nobody prunes.

    .. code-block:: yaml

        20261130-010203-abcd:
          way_back.images_held:
            - moving: {nova_compute: "registry.example/nova-compute@sha256:…"}
    """
    try:
        former = __salt__["way_back.former_images"](moving, list(wanted))
        if __opts__["test"]:
            return answers.answer(name, True, f"{len(former)} former images would be held")
        new = __salt__["way_back.hold_images"](name, former)
    except Exception as error:  # as above
        why = f"former images are not held against pruning ({errors.text_of(error)})"
        return answers.answer(name, True, why) | {"warnings": [why]}
    return answers.answer(name, True, f"{len(former)} former images are held, {len(new)} of them anew")


def file_restored(name, run):
    """Have a configuration file be what it was before a run; one that was not there goes.

    name (str): its path. run (str): the run's identifier.

    The reason of a failure is NODE_ERROR.

    .. code-block:: yaml

        /etc/nova/nova.conf:
          way_back.file_restored:
            - run: 20261130-010203-abcd
    """
    path = Path(name)
    try:
        former = kept_files.former(run, name)
        if former is None:
            raise NodeError("NODE_ERROR", f"it was not kept what {name} was before run {run}")
        now = path.read_text(encoding="utf-8") if path.exists() else None
        if now == former.text:
            return answers.answer(name, True, f"{name} is what it was before run {run}")
        changes = {name: {"old": "of another run", "new": f"as before run {run}"}}
        if __opts__["test"]:
            return answers.answer(name, None, f"{name} would be as before run {run}", changes)
        if former.text is None:
            path.unlink()
        else:
            replace(path, former.text, former.mode)
            os.chown(path, former.uid, former.gid)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    except (OSError, UnicodeError) as error:
        return answers.failed(name, NodeError("NODE_ERROR", f"{name}: {error}"))
    return answers.answer(name, True, f"{name} is as before run {run}", changes)
