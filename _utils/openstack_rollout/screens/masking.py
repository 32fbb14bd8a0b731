"""Secrets that tools put into their messages: a report goes to people who must not have them."""

from __future__ import annotations

import re
from typing import Any

_MASK = "…"
_WORDS = "password|passwd|passphrase|secret|token|api[_-]?key"
#: The login of an address, or those of several (rabbit://u:p@one,u:p@two), and what follows a word for a
#: secret: in quotes, as an argument, or as one word; not the address of one.
_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s]+@", re.I)
_BEFORE = rf"""\b([\w-]*(?:{_WORDS}|authorization)[\w-]*["']?\s*[=:]\s*"""
_QUOTED = re.compile(rf"""{_BEFORE}(["']))(?!sdb://)(?:\\.|(?!\2)[^\\])*""", re.I)
_OPTION = re.compile(rf"""((?<!-)--[\w-]*(?:{_WORDS}|creds)[\w-]*\s+)[^\s"',;}}-][^\s"',;}}]*""", re.I)
_NAMED = re.compile(rf"""{_BEFORE}["']?)(?!sdb://)((?:bearer|basic)\s+)?[^\s"',;}}]+""", re.I)
#: What is looked for, and what is put there: \1 and \2 are what was before the secret.
PATTERNS = (
    (_LOGIN, rf"\1{_MASK}@"),
    (_QUOTED, rf"\1{_MASK}"),
    (_OPTION, rf"\1{_MASK}"),
    (_NAMED, rf"\1\2{_MASK}"),
)
#: One of these is in every string in which any of them finds something: most have none.
_HINT = re.compile(rf"://|{_WORDS}|authorization|creds", re.I)


def masked(value: Any) -> Any:
    """The same data without what looks like a secret in any of its strings. Its keys stay."""
    if isinstance(value, str):
        for found, by in PATTERNS if _HINT.search(value) else ():
            value = found.sub(by, value)
        return value
    if isinstance(value, dict):
        return {key: masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return value
