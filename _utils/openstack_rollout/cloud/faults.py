"""Why Nova did not do what it was asked: its own words, and the remedy of what they name.

The patterns are messages of Nova, Neutron and oslo.messaging, in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.errors import REASONS, one_line

_ACTIONS = ("live-migration", "migrate")
_LONGEST = 200  # characters of a fault that a message repeats
# Messages, and the reason whose remedy helps; the first match counts. What wraps another is below it.
_REASONS = (
    (
        re.compile(
            r"quota exceeded|exceeds? .*quota|OverQuota|no more IP addresses|no fixed IP",
            re.I,
        ),
        "LIMIT_REACHED",
    ),
    (
        re.compile(
            r"timed out waiting for a reply|MessagingTimeout|MessageDeliveryFailure|MessageUndeliverable"
            r"|AMQP server .* unreachable",
            re.I,
        ),
        "MESSAGE_BUS_SILENT",
    ),
    (
        re.compile(
            r"Port binding failed|Binding failed for port|Compute service of \S+ is unavailable"
            r"|Compute host \S+ could not be found|is not up|Network interface .*timed? ?out",
            re.I,
        ),
        "NO_SPARE",
    ),
    (
        re.compile(
            r"No valid host|not enough hosts|Unacceptable CPU|CPU doesn't have compatibility"
            r"|Migration pre-check error|Destination host|Unable to migrate instance|Insufficient compute"
            r"|is not on shared storage|is on shared storage",
            re.I,
        ),
        "SERVERS_UNMOVABLE",
    ),
)


def why(cloud: Cloud, server_id: str) -> str:
    """Why a server is in ERROR, or its last migration failed, in Nova's own words; "" where it does not say.

    server_id (str): the server's. Raises RolloutError API_UNREACHABLE.
    """
    try:
        said = cloud.retry(f"faults of server {server_id}", lambda: _asked(cloud, server_id))
    except Exception as error:
        if not status_of(error):
            raise
        return ""  # an older Nova, or one whose policy hides it
    return one_line(said, limit=_LONGEST).rstrip(".")


def remedies(lines: Iterable[str], reason: str) -> str:
    """What helps against the causes in some lines, each once, to be put after them; "" where none is known.

    lines: what Nova or Neutron said, whatever stands around it. reason (str): under which they are raised:
    its own remedy is told anyway.
    """
    found = (next((word for known, word in _REASONS if known.search(line)), "") for line in lines)
    return "".join(f"; {word}: {REASONS[word]}" for word in dict.fromkeys(found) if word not in ("", reason))


def _asked(cloud: Cloud, server_id: str) -> str:
    compute = cloud.api.compute
    fault = compute.get_server(server_id).fault or {}
    if fault.get("message"):
        return str(fault["message"])
    newest = next((one for one in compute.server_actions(server_id) if one.action in _ACTIONS), None)
    if newest is None:
        return ""
    events = compute.get_server_action(newest.request_id, server_id).events or ()
    failed = [one.details for one in events if one.result == "Error" and one.details]
    return str(failed[-1]) if failed else ""
