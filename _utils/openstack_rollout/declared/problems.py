"""What is wrong with a pillar, as lines for people: one a problem, led by its key, always printable ASCII.

Values are shown as Python writes them and cut, so that a blank, a zero-width character or a megabyte of text
is seen for what it is. The work is linear in the number of problems, however large the pillar.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

#: Characters of a value or a key that a line shows at most.
SHOWN = 80
#: Words of which no misspelt one is said to be near: an operator has to ask for less safety by its name.
LESS_SAFE = frozenset(("none", "never", "accept", "go_on", "leave", "skip", "cold", "force_complete"))
_PLAIN_KEY = re.compile(r"[!#-9;-~]{1,80}")
_NEAREST = 64  # longer words have no typing mistakes, and difflib takes its time over them
_DEPTH = 3
_COMPARISONS = 10_000
_budget: ContextVar[list[int] | None] = ContextVar("budget", default=None)

Path = tuple[Any, ...]


class Wrong(ValueError):
    """What validators of the model raise: one or more problems, each below the value that was validated.

    lines: [(keys below the value, text)].
    """

    def __init__(self, text: str, *, lines: Sequence[tuple[Path, str]] = ()):
        self.lines = list(lines) or [((), text)]
        super().__init__(text)


def raise_all(lines: Sequence[tuple[Path, str]]) -> None:
    """Raise Wrong when there are problems."""
    if lines:
        raise Wrong("several problems", lines=lines)


def shown(value: Any, limit: int = SHOWN) -> str:
    """A value as one short ASCII text; never more work than its length is worth."""
    text = _text(value, limit, _DEPTH)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def path(keys: Iterable[Any]) -> str:
    """Pillar keys as operators write them: openstack:policies:compute."""
    return ":".join(key_shown(key) for key in keys)


def key_shown(key: Any) -> str:
    """One key, in quotes when it has anything in it that a key should not have."""
    if isinstance(key, int) and not isinstance(key, bool):
        return shown(key)
    return key if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) else shown(key)


def kind(value: Any) -> str:
    """What a value is, in an operator's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, float):
        return "a fraction"
    names: dict[type, str] = {int: "a number", list: "a list", tuple: "a list", bytes: "binary data"}
    if isinstance(value, Mapping):
        return "a mapping"
    found = next((name for type_, name in names.items() if isinstance(value, type_)), None)
    if found is None:
        found = "a date" if hasattr(value, "isoformat") else f"a {type(value).__name__}"
    return found


def not_a(what: str, value: Any) -> str:
    """`has to be a list, not a string: 'x'`."""
    if value is None or value == "":
        return f"has to be {what}, not {kind(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"has to be {what}, not {value}"
    return f"has to be {what}, not {kind(value)}: {shown(value)}"


def finite(value: Any) -> float | None:
    """A number as a float; None for what is no number, is infinite, or more than a float can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def not_a_string(value: Any) -> str:
    """What to say of a value that is no string: quotes, where YAML made something else of it."""
    if isinstance(value, bool):
        return (
            f"{value} is what YAML makes of {'yes, on' if value else 'no, off'} or {str(value).lower()}:"
            " put it in quotes"
        )
    if isinstance(value, float) and math.isfinite(value):
        return f"{shown(value)} is a number: put it in quotes (YAML reads 1.10 as 1.1)"
    if isinstance(value, int) or hasattr(value, "isoformat"):
        return f"{shown(value)} is {kind(value)}: put it in quotes"
    return not_a("a string", value)


def not_a_key(key: Any) -> str:
    """What to say of a key that YAML turned into something else than a string."""
    if key is None:
        return "null is no key: YAML makes it of ~, null and nothing; put it in quotes"
    if isinstance(key, str):
        return f"{shown(key)} is no key: it cannot be written as text"
    return f"as a key: {not_a_string(key)}"


@contextmanager
def few_suggestions() -> Iterator[None]:
    """In here, only the first misspelt words are compared with the right ones: comparing takes its time."""
    token = _budget.set([_COMPARISONS])
    try:
        yield
    finally:
        _budget.reset(token)


def plain(line: str) -> str:
    """A line of somebody else's words as one of printable ASCII."""
    text = " ".join(line.split())
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def suggestion(word: Any, known: Iterable[str]) -> str:
    """`, did you mean X?` when something known is near, else nothing; never towards less safety."""
    if not isinstance(word, str) or not word or len(word) > _NEAREST:
        return ""
    budget = _budget.get()
    if budget is not None and budget[0] <= 0:
        return ""
    candidates = [one for one in known if one not in LESS_SAFE]
    if budget is not None:
        budget[0] -= len(candidates)
    folded = word.casefold()
    same = next((one for one in candidates if one.casefold() == folded), None)
    if same is None:
        near = difflib.get_close_matches(word, [one for one in candidates if _may_be_near(word, one)], n=1)
        same = near[0] if near else None
    return f", did you mean {same}?" if same else ""


def _may_be_near(word: str, other: str) -> bool:
    """Whether difflib could find them near: its own upper bound, by length alone."""
    return 2 * min(len(word), len(other)) >= 0.6 * (len(word) + len(other))


def _text(value: Any, room: int, depth: int) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_text(key, room, 0)}: {_text(one, room, depth - 1)}" for key, one in value.items())
        return f"{{{_parts(pairs, room) if depth else '...'}}}"
    if isinstance(value, list | tuple):
        items = (_text(one, room, depth - 1) for one in value)
        return f"[{_parts(items, room) if depth else '...'}]"
    if isinstance(value, str | bytes):
        return ascii(value[: room + 1])
    if value is None or isinstance(value, bool | float):
        return str(value)
    if isinstance(value, int):
        return _number(value)
    return ascii(value.isoformat()) if hasattr(value, "isoformat") else f"<{type(value).__name__}>"


def _parts(texts: Iterable[str], room: int) -> str:
    """As many of the texts as there is room for."""
    found: list[str] = []
    for text in texts:
        found.append(text)
        room -= len(text) + 2
        if room < 0:
            break
    return ", ".join(found)


def _number(value: int) -> str:
    # Python refuses to write numbers of more than a few thousand digits.
    bits = value.bit_length()
    return str(value) if bits < 4096 else f"<a number of about {int(bits * 0.30103)} digits>"
