"""Which of two releases is newer: by what the releases say of their order, else by what their names say.

A name decides only where it cannot be read otherwise. What it leaves open is a question to the operator:
nothing here guesses.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.version import InvalidVersion, Version

from openstack_rollout.declared.names import LONGEST

_LEADING = re.compile(r"v?(\d+(?:\.\d+)*)(?=$|[.+_-])")
_SEPARATORS = re.compile(r"[.+_-]+")
_WORD_AND_NUMBER = re.compile(r"([a-z]*)(\d*)([a-z]*)")
#: A commit: it has no order.
_COMMIT = re.compile(r"g?(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}|g[0-9a-f]{7,}")
_BEFORE_A_RELEASE = frozenset(("a", "alpha", "b", "beta", "c", "dev", "pre", "preview", "rc"))
_YEARS = range(1990, 2100)
_EPOCH = range(1_000_000_000, 2**31)


@dataclass(frozen=True)
class Said:
    """What a release says of its order.

    order (int): higher is newer, among releases that have one. follows (str): a version that it is newer
    than.
    """

    order: int | None = None
    follows: str | None = None


@dataclass(frozen=True)
class _Name:
    """A version's name, read: the numbers that it begins with, and (text, number) of what comes after."""

    version: Version | None
    numbers: tuple[int, ...]
    rest: tuple[tuple[str, int | None], ...]
    day: datetime.date | None


def by_name(one: str, other: str) -> int | None:
    """-1 where the name of `one` is older than that of `other`, 0 where both are one version, 1 where it is
    newer; None where names do not tell.

    By `packaging` where it knows both; else by the numbers that both begin with, by the numbers at the same
    place of names that are equal otherwise, or by the day that each has in it.
    """
    first, second = _read(one), _read(other)
    if one.lower() == other.lower():
        return 0
    if first.version is not None and second.version is not None:
        return _compared(first.version, second.version)
    found = _by_numbers(first, second)
    if found == 0:
        found = _by_rest(first, second)
    return _by_day(first, second) if found is None else found


def decided(one: str, other: str, said: Mapping[str, Said]) -> int | None:
    """As `by_name`, where releases may say their order themselves: that counts before their names.

    said: version -> what its release says.
    """
    first, second = said.get(one, Said()), said.get(other, Said())
    if first.order is not None and second.order is not None and first.order != second.order:
        return _compared(first.order, second.order)
    if first.follows == other and second.follows != one:
        return 1
    if second.follows == one and first.follows != other:
        return -1
    return by_name(one, other)


def in_order(said: Mapping[str, Said]) -> tuple[list[str], list[tuple[str, str]]]:
    """All versions, oldest first, and the pairs of them of which nothing tells which is newer.

    said: version -> what its release says. Where a pair is open, its order in the list means nothing. A pair
    whose first version is "" stands for one that says it is newer than what is newer than itself.
    """
    if all(one == Said() for one in said.values()):
        known = [(found, name) for name in said if (found := _read(name).version) is not None]
        if len(known) == len(said):  # as ever, and quick
            return [name for _, name in sorted(known)], []
    return _sorted(said)


def newer(one: str, other: str, said: Mapping[str, Said]) -> bool | None:
    """Whether `one` is newer than `other`; None where nothing tells. Arguments as of `decided`.

    Either may be of no release any more: then what the releases in between say counts as well.
    """
    found = decided(one, other, said)
    if found is not None:
        return found > 0
    between = {*said, one, other}
    above = {
        name: [low for low in between if low != name and decided(name, low, said) == 1] for name in between
    }
    up, down = _reaches(one, other, above), _reaches(other, one, above)
    return None if up == down else up


def question(one: str, other: str) -> str:
    """What to ask where nothing tells which of two versions is newer."""
    return (
        f"is {one} or {other} newer? Their names do not tell: give the newer one's release"
        f" follows: with the other's version, or give both an order:"
    )


def _reaches(start: str, end: str, above: Mapping[str, Iterable[str]]) -> bool:
    left, seen = [start], {start}
    while left:
        for name in above[left.pop()]:
            if name == end:
                return True
            if name not in seen:
                seen.add(name)
                left.append(name)
    return False


def _sorted(said: Mapping[str, Said]) -> tuple[list[str], list[tuple[str, str]]]:
    below: dict[str, set[str]] = {name: set() for name in sorted(said)}
    names = list(below)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            found = decided(one, other, said)
            if found:
                older, later = (one, other) if found < 0 else (other, one)
                below[later].add(older)
    result: list[str] = []
    unclear = [("", name) for name in names if said[name].follows == name]
    while below:
        first = [name for name, older in below.items() if not older]
        if not first:
            name = min(below)
            unclear.append(("", name))
        else:
            name = first[0]
            unclear += [(name, other) for other in first[1:2] if by_name(name, other) != 0]
        result.append(name)
        del below[name]
        for left in below.values():
            left.discard(name)
    return result, unclear


@lru_cache(maxsize=4096)
def _read(name: str) -> _Name:
    if len(name) > LONGEST:  # of no release, and Python reads no number of any length
        return _Name(None, (), ((f"={name}", None),), None)
    try:
        version = Version(name)
    except InvalidVersion:
        version = None
    text = name.lower()
    match = _LEADING.match(text)
    numbers = tuple(map(int, match[1].split("."))) if match else ()
    rest = tuple(_tokens(text[match.end() :] if match else text))
    days = [_day(number) for number in (*numbers, *(number for _, number in rest if number is not None))]
    some = [day for day in days if day is not None]
    final = not any(text in _BEFORE_A_RELEASE for text, _ in rest)
    return _Name(version, numbers, rest, some[0] if len(some) == 1 and final else None)


def _tokens(text: str) -> Iterator[tuple[str, int | None]]:
    for segment in filter(None, _SEPARATORS.split(text)):
        match = _WORD_AND_NUMBER.fullmatch(segment)
        if _COMMIT.fullmatch(segment) or not match:
            yield f"={segment}", None
        else:
            before, digits, after = match.groups()
            yield f"{before}{'|' if after else ''}{after}", int(digits) if digits else None


def _by_numbers(one: _Name, other: _Name) -> int | None:
    """0 where what both begin with is the same; None where that does not tell."""
    for have, against in zip(one.numbers, other.numbers, strict=False):
        if have != against:
            return _compared(have, against) if _kind(have) == _kind(against) or 0 in (have, against) else None
    if len(one.numbers) == len(other.numbers):
        return 0
    short, long = sorted((one, other), key=lambda name: len(name.numbers))
    if not short.numbers or short.rest:
        return None
    if not any(long.numbers[len(short.numbers) :]):
        return 0
    return -1 if short is one else 1


def _by_rest(one: _Name, other: _Name) -> int | None:
    """By the first number that differs, of names whose words are the same."""
    words = [[text for text, _ in name.rest if not text.startswith("=")] for name in (one, other)]
    if len(one.rest) != len(other.rest) or words[0] != words[1]:
        return None
    for (text, have), (against_text, against) in zip(one.rest, other.rest, strict=True):
        if text != against_text or (have is None) != (against is None):
            return None
        if have is not None and against is not None and have != against:
            return _compared(have, against) if _kind(have) == _kind(against) else None
    return 0


def _by_day(one: _Name, other: _Name) -> int | None:
    if one.day is None or other.day is None or one.day == other.day:
        return None
    return _compared(one.day, other.day)


def _kind(number: int) -> str:
    """What a number is: one that counts, or a point of time."""
    if _day(number):
        return f"time of {len(str(number))} digits"
    return "count"


def _day(number: int) -> datetime.date | None:
    """The day that a number of a name stands for: YYYYMMDD, with a time or a count behind it, or seconds."""
    text = str(number)
    if len(text) in (8, 10, 12, 14) and int(text[:4]) in _YEARS:
        try:
            return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError:
            pass
    if number in _EPOCH:
        return datetime.datetime.fromtimestamp(number, datetime.UTC).date()
    return None


def _compared(one: object, other: object) -> int:
    return (one > other) - (one < other)  # type: ignore[operator]
