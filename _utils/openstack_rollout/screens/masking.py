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
#: What is looked for, and what is put there: \1 and \2 are what was before the secret.
PATTERNS = ((_LOGIN, rf"\1{_MASK}@"), (_NAMED, rf"\1\2{_MASK}"))


def masked(value: Any) -> Any:
    """The same data without what looks like a secret in any of its strings. Its keys stay."""
    if isinstance(value, str):
        for found, by in PATTERNS:
            value = found.sub(by, value)
        return value
    if isinstance(value, dict):
        return {key: masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return value
