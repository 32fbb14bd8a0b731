"""Secrets that tools put into their messages: a report goes to people who must not have them."""

from __future__ import annotations

import re
from typing import Any

_MASK = "…"
#: The login of an address, and what follows a word for a secret.
_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.I)
_NAMED = re.compile(
    r"""\b([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|authorization)[\w-]*["']?\s*[=:]\s*["']?)"""
    r"""((?:bearer|basic)\s+)?[^\s"',;}]+""",
    re.I,
)


def masked(value: Any) -> Any:
    """The same data without what looks like a secret in any of its strings. Its keys stay."""
    if isinstance(value, str):
        return _NAMED.sub(rf"\1\2{_MASK}", _LOGIN.sub(rf"\1{_MASK}@", value))
    if isinstance(value, dict):
        return {key: masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return value
