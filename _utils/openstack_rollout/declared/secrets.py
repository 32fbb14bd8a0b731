"""Secrets: the pillar has their addresses in Salt's sdb alone."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from openstack_rollout.declared.problems import Wrong

_SECRET = re.compile(r"sdb://[A-Za-z0-9_.-]+/[!-~]+")
_LONGEST = 1000


def _secret(value: Any) -> str:
    """The address of a secret. What stands there instead may be the secret itself: no line shows it."""
    if isinstance(value, str) and len(value) <= _LONGEST and _SECRET.fullmatch(value):
        return value
    raise Wrong("has to be the sdb:// address of a secret, such as sdb://vault/monitoring/token, not itself")


Secret = Annotated[
    str, PlainValidator(_secret), WithJsonSchema({"type": "string", "pattern": f"^{_SECRET.pattern}$"})
]
