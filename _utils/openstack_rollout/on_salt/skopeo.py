"""skopeo as the master calls it: its arguments, and what it says of a failure."""

from __future__ import annotations

import re

from openstack_rollout.errors import RolloutError
from openstack_rollout.node import registries

_RECORD = re.compile(r'\blevel=\w+ msg="(.*)"$')


class Silent(RolloutError):
    """A registry that did not answer in time: another question would wait as long."""


def command(reached: registries.Given, verb: str, *arguments: str) -> list[str]:
    """The command line of skopeo, with what it needs to reach a registry.

    reached: of registries.given. verb (str): of skopeo. arguments: of that.
    """
    # Podman follows the variable of the same meaning by itself, skopeo does not.
    conf = ["--registries-conf", reached.conf] if reached.conf else []
    auth = ["--authfile", reached.auth] if reached.auth else []
    return ["skopeo", *conf, verb, *auth, *arguments]


def said(output: bytes | str) -> str:
    """The message of skopeo's last line, which may be a record: time="…" level=fatal msg="…"."""
    text = output if isinstance(output, str) else output.decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "skopeo said nothing"
    record = _RECORD.search(lines[-1])
    return record.group(1).replace('\\"', '"') if record else lines[-1]
