"""Compound targets: refused unless Salt's master and its minions would read them alike.

Salt itself answers a target that it cannot read with "no node" and a line in a log; on the master and on a
minion not for the same ones.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from openstack_rollout.declared.problems import Wrong, shown

_OPERATORS = ("and", "or", "not", "(", ")")
_ENGINE = re.compile(r"(?P<engine>[A-Za-z])(?P<delimiter>[^A-Za-z0-9@])?@(?P<pattern>.*)")
_CLASS = re.compile(r"\[!?([^\]]*)\]")
_RANGE = re.compile(r"(.)-(.)")
#: Of a minion's id, and of globs.
_GLOB = re.compile(r"[A-Za-z0-9_.:*?\[\]!-]+")
_ID = re.compile(r"[A-Za-z0-9_.:-]+")
_LONGEST_EXPRESSION = 1000
#: Salt reads a target word by word, and asks Python to: more is no target that anybody wrote.
_WORDS = 1000
_DEEPEST = 50
_OPERAND = "x"
_KINDS = "there are G@, P@, E@, L@ and S@"
#: Kinds that the master alone knows: by pillar, and nodegroups.
_OF_MASTER = "IJN"
_REFUSED = {
    "I": "matches by pillar (I@, J@), which the pillar itself cannot depend on",
    "J": "matches by pillar (I@, J@), which the pillar itself cannot depend on",
    "N": "is a nodegroup, which minions do not know: write out what it stands for",
    "R": "is a range, which master and minions may not both know",
    "T": "is a target of resources, not of minions",
    "M": "is a target of resources, not of minions",
}


def problem(target: str, *, by_master: bool = False) -> str:
    """What is wrong with a compound target, "" for nothing.

    by_master: whether the master alone reads it, who knows pillars and nodegroups.
    """
    if not target.strip():
        return "has to be a target, not blanks"
    words = target.split()
    if len(words) > _WORDS:
        return f"{shown(target)} has {len(words)} words, {_WORDS} are allowed"
    try:
        for word in words:
            if word not in _OPERATORS:
                _operand(word, _OF_MASTER if by_master else "")
        _order(words)
    except Wrong as error:
        text = str(error)
        return text if text.startswith(shown(target)) else f"{shown(target)}: {text}"
    return ""


def named(target: str) -> list[str]:
    """The minions that a compound target names one by one, without those after a `not`: ids, in its order."""
    found: list[str] = []
    negated, excluded = [False], False  # of the parentheses that are open, and of the next word
    for word in target.split():
        ids = word.removeprefix("L@").split(",") if word.startswith("L@") else [word]
        if word == "(":
            negated.append(negated[-1] or excluded)
        elif word == ")":
            negated.pop()
        elif word not in _OPERATORS and not (negated[-1] or excluded) and all(map(_ID.fullmatch, ids)):
            found += ids
        excluded = word == "not"
    return list(dict.fromkeys(found))


def _order(words: list[str]) -> None:
    """Operators and operands follow each other as they may. Raises Wrong."""
    depth = 0
    before = ""  # "" at the beginning and after a (, an operator, or _OPERAND
    for word in words:
        starts = word in ("(", "not") or word not in _OPERATORS
        if starts and word != "not" and before == _OPERAND:
            raise Wrong(f"'and' or 'or' is missing before {shown(word)}")
        if not starts and before != _OPERAND:
            raise Wrong(f"{before!r} has nothing after it" if before else f"{word!r} has nothing before it")
        if word == "not" and before == "not":
            raise Wrong("two 'not' in a row")
        depth += (word == "(") - (word == ")")
        if depth > _DEEPEST:
            raise Wrong(f"has more than {_DEEPEST} parentheses inside each other")
        if depth < 0:
            raise Wrong("a ) has no ( before it")
        before = "" if word == "(" else word if word in ("and", "or", "not") else _OPERAND
    if before != _OPERAND:
        raise Wrong(f"{before!r} has nothing after it" if before else "a ( has nothing after it")
    if depth:
        raise Wrong("a ( has no )")


def _operand(word: str, known: str) -> None:
    match = _ENGINE.fullmatch(word)
    if not match:
        _glob(word)
        return
    engine, delimiter, pattern = match["engine"], match["delimiter"], match["pattern"]
    if engine in known and pattern:
        return
    if engine in _REFUSED:
        raise Wrong(f"{shown(word)} {_REFUSED[engine]}")
    if engine not in _ENGINES:
        raise Wrong(f"{shown(word)} is no kind of target, {_KINDS}")
    if not pattern:
        raise Wrong(f"{shown(word)}: nothing stands behind it")
    if delimiter and engine not in "GP":
        raise Wrong(f"{shown(word)}: only G and P take a delimiter")
    _ENGINES[engine](word, delimiter or ":", pattern)


def _glob(word: str) -> None:
    if "(" in word or ")" in word:
        raise Wrong(f"{shown(word)}: parentheses need a blank on both sides")
    if "@" in word:
        raise Wrong(f"{shown(word)} is no kind of target, {_KINDS}")
    if word.lower() in _OPERATORS:
        raise Wrong(f"{shown(word)} has to be written {word.lower()}")
    if word.startswith("-") or not _GLOB.fullmatch(word):
        raise Wrong(f"{shown(word)} is no glob of minions' names: letters, digits, _.:- and *?[] only")
    if text := classes(word):
        raise Wrong(text)


def classes(glob: str) -> str:
    """What is wrong with the classes of a glob, such as [0-9], "" for nothing."""
    rest = _CLASS.sub("", glob)
    if "[" in rest or "]" in rest:
        return f"{shown(glob)}: a {'[' if '[' in rest else ']'} of it has no {']' if '[' in rest else '['}"
    for body in _CLASS.findall(glob):
        if not body:
            return f"{shown(glob)}: [] and [!] match nothing, name characters in them"
        backwards = [one for one in _RANGE.findall(body) if one[0] > one[1]]
        if backwards:
            first, last = backwards[0]
            return f"{shown(glob)}: {first}-{last} is no range, write {last}-{first}"
    return ""


def _expression(word: str, delimiter: str, pattern: str) -> None:
    if len(pattern) > _LONGEST_EXPRESSION:
        raise Wrong(f"{shown(word)} is too long for an expression")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise Wrong(f"{shown(word)} is no regular expression: {error}") from error


def _grain(word: str, delimiter: str, pattern: str) -> str:
    grain, found, value = pattern.partition(delimiter)
    if not grain or not found or not value:
        raise Wrong(f"{shown(word)} has to be a grain and its value: {word[0]}@os:Debian")
    return value


def _grain_expression(word: str, delimiter: str, pattern: str) -> None:
    # Salt matches grains in lower case.
    _expression(word, delimiter, _grain(word, delimiter, pattern).lower())


def _names(word: str, delimiter: str, pattern: str) -> None:
    if not all(map(_ID.fullmatch, pattern.split(","))):
        raise Wrong(f"{shown(word)} has to be names of minions, with a comma between them")


def _address(word: str, delimiter: str, pattern: str) -> None:
    try:
        network = ipaddress.ip_network(pattern, strict=False)
    except ValueError as error:
        raise Wrong(f"{shown(word)} is neither an address nor a network") from error
    if "/" in pattern and ipaddress.ip_address(pattern.partition("/")[0]) != network.network_address:
        raise Wrong(f"{shown(word)} has to be written as the network: S@{network}")


_ENGINES: dict[str, Callable[[str, str, str], object]] = {
    "G": _grain,
    "P": _grain_expression,
    "E": _expression,
    "L": _names,
    "S": _address,
}
