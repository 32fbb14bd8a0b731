"""Versions of packages compared, as rpm and dpkg do: on the master, which may have neither. Pure."""

from __future__ import annotations

import re
from typing import Any

RPM, DEB = "rpm", "deb"
_PARTS = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^")
_TURNS = re.compile(r"([^0-9]*)([0-9]*)")


def compare(kind: str, one: str, other: str) -> int:
    """-1, 0 or 1: whether a version is older than another, the same, or newer.

    kind (str): RPM or DEB. one, other (str): [epoch:]version[-release].
    """
    left, right = _key(kind, one), _key(kind, other)
    return (left > right) - (left < right)


def _key(kind: str, version: str) -> tuple[int, list[Any], list[Any]]:
    """What sorts a version among others of its kind."""
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdigit():
        epoch, rest = "0", version
    # A revision is what follows the last hyphen, where there is one.
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, "0" if kind == DEB else ""
    parts = _rpm if kind == RPM else _deb
    return int(epoch), parts(upstream), parts(revision)


def _rpm(text: str) -> list[Any]:
    """As rpm's rpmvercmp has it: ~ sorts before the end, ^ after it, then letters, then numbers."""
    found: list[Any] = []
    for part in _PARTS.findall(text):
        if part in "~^":
            found.append((-1,) if part == "~" else (1,))
        else:
            found.append((3, int(part)) if part.isdigit() else (2, part))
    return [*found, (0,)]


def _deb(text: str) -> list[Any]:
    """As dpkg has it: by turns what has no digits, where ~ sorts before the end and letters before all else,
    and numbers.
    """
    found: list[Any] = []
    for letters, digits in _TURNS.findall(text):
        # An empty turn at the end is as one of nothing and 0: 1 is 1.0's beginning, and 1~ is before it.
        found.append([*map(_weight, letters), 0])
        found.append([int(digits or 0)])
    return [*found, [0], [0]]


def _weight(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
