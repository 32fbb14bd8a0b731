"""Small checks that validation is made of: types, known keys, lines that begin with their pillar key.

A check returns what it looked at when it may be used further, and something empty when it may not: the line
is already in the list then, and whoever called goes on with the rest, so that an operator sees every mistake
at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class Problems:
    """What is wrong, as (reason, line), each line beginning with the pillar key it is about."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, path: str, text: str, reason: str = "INVALID_PILLAR") -> None:
        """Note what is wrong at a pillar key."""
        self.found.append((reason, f"{path}: {text}"))

    def mapping(self, path: str, value: Any) -> Mapping[Any, Any]:
        """The value when it is a mapping; an absent one is an empty one."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.add(path, f"has to be a mapping, not {_kind(value)}")
            return {}
        return value

    def keys(self, path: str, value: Mapping[Any, Any], known: Iterable[str], what: str = "key") -> list[str]:
        """The known keys of a mapping; the unknown ones are noted with the nearest right one."""
        allowed = list(known)
        for key in value:
            if key not in allowed:
                self.add(f"{path}:{key}", f"unknown {what}{suggestion(str(key), allowed)}")
        return [key for key in value if key in allowed]

    def known(self, path: str, value: Any, known: Iterable[str], what: str) -> None:
        """Note a value that is none of the known names, with the nearest right one."""
        allowed = list(known)
        if value not in allowed:
            self.add(path, f"{value} is no known {what}{suggestion(str(value), allowed)}")

    def strings(self, path: str, value: Any) -> list[str]:
        """The value when it is a list of non-empty strings."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.add(path, f"has to be a list, not {_kind(value)}")
            return []
        return [item for number, item in enumerate(value) if self.string(f"{path}:{number}", item)]

    def string(self, path: str, value: Any) -> str:
        """The value when it is a non-empty string."""
        if isinstance(value, bool | int | float):
            self.add(path, f"{value} is {_kind(value)}: put it in quotes")
        elif not isinstance(value, str) or not value.strip():
            self.add(path, f"has to be a string, not {_kind(value)}")
        else:
            return value
        return ""

    def number(self, path: str, value: Any, least: int) -> None:
        """Note a value that is not a whole number of at least `least`."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, f"has to be a whole number, not {_kind(value)}")
        elif value < least:
            self.add(path, f"{value} is not allowed: give a number from {least}")

    def flag(self, path: str, value: Any) -> None:
        """Note a value that is neither true nor false."""
        if not isinstance(value, bool):
            self.add(path, f"has to be true or false, not {_kind(value)}")

    def choice(self, path: str, value: Any, allowed: Iterable[str], later: Iterable[str] = ()) -> None:
        """Note a value that is none of the allowed words; `later` are words that are not built yet."""
        words = list(allowed)
        if isinstance(value, str) and value in later:
            self.add(path, f"{value} is not built yet: set {path.rsplit(':', 1)[-1]}: {words[0]}")
        elif not isinstance(value, str) or value not in words:
            close = suggestion(str(value), [*words, *later])
            self.add(path, f"{value} is not one of {', '.join(words)}{close}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`, did you mean X?` when something known is near, else nothing."""
    near = get_close_matches(word, [str(item) for item in known], n=1)
    return f", did you mean {near[0]}?" if near else ""


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    if value is None:
        return "nothing"
    if value == "":
        return "an empty string"
    if isinstance(value, Mapping):
        return "a mapping"
    return names.get(type(value), type(value).__name__)
