"""Two releases compared: a file of its own beside release.py, of the same virtual name."""

import json
import time
from functools import partial

from openstack_rollout.declared import reading
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import console, master_pillar, output_file, registry_logins
from openstack_rollout.on_salt import release_diff as comparing
from openstack_rollout.on_salt.refusal import REFUSED as _REFUSED
from openstack_rollout.screens import masking
from openstack_rollout.screens import release_diff as screen

__virtualname__ = "release"

_FORMATS = ("text", "json", "html")
_MODE = 0o644  # of a comparison: releases are no secret

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(
    first=console.text,
    second=console.text,
    format=console.text,
    output=console.text,
    online=console.flag,
    packages=console.flag,
    advisories=console.names,
)
def diff(first, second, *, format="text", output=None, online=True, packages=False, advisories=None):
    """What is different in the second of two releases, and what an update from the first to it does to a node
    of each role: restarts, packages, drains, reboots, by the code that plans updates. Touches no node.

    first
        The release that nodes are at.

    second
        The one that they would go to. Neither has to be the target.

    format
        text; json; or html, one file that needs nothing else.

    output
        The file to write it into, whose folder is there; a file of that name is replaced. By default it is
        printed.

    online
        True or False. False asks no registry: nothing is told of labels and build dates.

    packages
        True or False. True reads the packages of images that differ: of the bill of materials that is beside
        an image (SPDX or CycloneDX, as cosign attaches it), else of the databases of rpm or dpkg in it, for
        which it is fetched. Nothing of it is run.

    advisories
        Files on the master, with commas: updateinfo.xml of repositories, or the data of Debian's security
        tracker (JSON), packed or not. What they say of packages that move is told.

    Returns {from, to, newer, images: {key: {from, to, custom, built, labels, packages}}, same, packages,
    migrations, checks, services, notes, irreversible, advisories: {id: {severity, cves, packages: {name:
    version that mends it}}}, roles: {role: [{stage, os_family, restarts, packages, drain, reboot, steps}]},
    unknown: {image or role: why}}, or {written, format} where a file was written. Where
    something could not be told, it is named, and the exit status is 1. Refuses with one line under
    UNKNOWN_TARGET, EMPTY_CATALOGUE, INVALID_PILLAR or WRONG_ARGUMENT.

    CLI Example:

    .. code-block:: bash

        salt-run release.diff 1.0.0 1.0.1
        salt-run release.diff 1.0.0 1.0.1 --out=json
        salt-run release.diff 1.0.0 1.0.1 packages=True advisories=/root/updateinfo.xml.gz
        salt-run release.diff 1.0.0 1.0.1 format=html output=/srv/reports/1.0.1.html
    """
    if format not in _FORMATS:
        raise RolloutError("WRONG_ARGUMENT", f"format: {format!r} is none of {', '.join(_FORMATS)}")
    path = output_file.wanted(output) if output else None
    model = _model(second)
    read = {"packages": packages, "advisories": advisories or ()}
    reach = partial(registry_logins.of, __opts__, model) if online else None
    data = masking.masked(
        {"diff": f"{first} {second}", **comparing.diff(model, first, second, reach, **read)}
    )
    told = {"retcode": _REFUSED if data["unknown"] else 0}  # the exit status of salt-run
    if path is None and format != "html":
        return {"data": {**data, **told}, "outputter": "rollout" if format == "text" else "json"}
    text = _text(data, format)
    if path is None:
        return {"data": {"text": text, **told}, "outputter": "rollout"}
    written = output_file.write(path, text, _MODE)
    told |= {"text": f"written: {written}", "written": written, "format": format}
    return {"data": told, "outputter": "rollout"}


def _model(target):
    """What is declared, with another target."""
    pillar = master_pillar.compiled_pillar(__opts__)
    openstack = pillar.get("openstack")
    if isinstance(openstack, dict):
        openstack = {**openstack, "target_version": target}
    return reading.read({**pillar, "openstack": openstack})


def _text(data, format):
    if format == "json":
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if format == "html":
        return screen.html(data, time.time())
    return screen.text(data) + "\n"
