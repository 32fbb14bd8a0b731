"""Probe guests from this node while an update runs, and tell what they felt.

The program that probes (node/prober.py) is no job of the minion, so that a restart of it is no gap of a
guest. It ends by itself once nobody asks for it any more.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from openstack_rollout.node import prober
from openstack_rollout.node.errors import NodeError

_MOST = 500_000  # bytes that are told at once
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def start(name: str, plan: Mapping) -> dict:
    """Begin to probe, in place of what was begun under that name, or any other.

    name (str): of what is begun. plan (dict): {"guests": {key: address}, "port": of TCP, or none for a ping,
    "interval": seconds from one probe of an address to the next, "beat": seconds from one word of all to the
    next}.

    Returns {"now": seconds of this node's monotonic clock}. Raises NodeError NODE_ERROR where it does not
    start.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' guest_probe.start audit '{guests: {a: 203.0.113.7}, port: null, interval: 1, beat: 10}'
    """
    file = _file(name)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in file.parent.iterdir():
        old.unlink(missing_ok=True)  # whoever probes for one of these ends by that
    file.write_text(json.dumps(dict(plan)), encoding="utf-8")
    nothing = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [sys.executable, "-I", prober.__file__, str(file)],
            stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, cwd="/",
        )  # fmt: skip
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{prober.__file__} does not start: {error}") from error
    return {"now": time.monotonic()}


def read(name: str, after: int = 0) -> dict:
    """What was told of guests, and have it go on.

    name (str): as of `start`. after (int): bytes that are known already, as of the last answer.

    Returns {"lines": [one JSON text each], "after": bytes, "now": seconds of this node's monotonic clock}.
    Raises NodeError NODE_ERROR where nothing of that name was begun.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' guest_probe.read audit
    """
    file = _file(name)
    try:
        os.utime(file)
        with file.with_suffix(".out").open("rb") as output:
            output.seek(after)
            told = output.read(_MOST)
    except FileNotFoundError as error:
        if not file.exists():
            raise NodeError("NODE_ERROR", f"nothing probes under the name {name}") from error
        told = b""  # it is only just starting
    whole = told[: told.rfind(b"\n") + 1]
    return {"lines": whole.decode().splitlines(), "after": after + len(whole), "now": time.monotonic()}


def stop(name: str) -> None:
    """Have it end; nothing happens where it has. What it told is forgotten.

    name (str): as of `start`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' guest_probe.stop audit
    """
    for file in (_file(name), _file(name).with_suffix(".out")):
        file.unlink(missing_ok=True)


def _file(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise NodeError("NODE_ERROR", f"{name!r} is no name of what probes")
    return Path(__opts__["cachedir"]) / "openstack_rollout_probe" / name
