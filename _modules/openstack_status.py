"""What a project of OpenStack says of its own readiness for a newer release: nova-status, placement-status, …

It knows what no one else does: whether the cells are mapped, whether services are older than the next release
still speaks with, whether placement's records are whole.
"""

from __future__ import annotations

import re

from openstack_rollout.node import commands
from openstack_rollout.node.errors import NodeError

_TIMEOUT = 300.0
_FIELD = re.compile(r"^\| (Check|Result|Details): (.*?)\s*\|$")
_MORE = re.compile(r"^\|\s+(.*?)\s*\|$")
#: Exit statuses: all is well, something is to be looked at, something has to be done first.
_WELL = (0, 1)
_FAILED = 2


def upgrade_check(container: str, program: str) -> list[str]:
    """What `PROGRAM upgrade check` calls a failure: a check, which changes nothing.

    container (str): of a service that reaches the project's database. program (str): nova-status,
    placement-status, cinder-status, …

    Returns one line for each failed part; its warnings are none. Raises NodeError CLIENT_FAILED when it
    cannot tell.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' openstack_status.upgrade_check nova_conductor nova-status
    """
    result = commands.in_container(__salt__, container, [program, "upgrade", "check"], timeout=_TIMEOUT)
    parts = _parts(result.stdout)
    failed = [one for one in parts if one["Result"] == "Failure"]
    if result.retcode not in (*_WELL, _FAILED) or (result.retcode == _FAILED and not failed):
        raise NodeError("CLIENT_FAILED", f"{program} upgrade check in {container}: {result.complaint()}")
    return [f"{program}: {one['Check']}: {one['Details']}" for one in failed]


def _parts(text: str) -> list[dict[str, str]]:
    """The parts of the table that such a program prints."""
    found: list[dict[str, str]] = []
    field = ""
    for line in text.splitlines():
        if match := _FIELD.match(line):
            field = match[1]
            if field == "Check":
                found.append({"Check": "", "Result": "", "Details": ""})
            if found:
                found[-1][field] = match[2]
        elif (match := _MORE.match(line)) and found and field == "Details":
            found[-1][field] = f"{found[-1][field]} {match[1]}"
        else:
            field = ""
    return found
