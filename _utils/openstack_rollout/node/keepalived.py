"""The virtual addresses that the keepalived of a node may hold, whoever runs it: a unit, or a container.

Its configuration is read where the process itself sees it, in the grammar of keepalived.conf(5). Processes in
another network namespace are left out: Neutron's L3 agent runs one for each router with HA. Where none runs,
what one would read counts that is enabled, or that kolla has put there.
"""

from __future__ import annotations

import glob
import ipaddress
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PROGRAM = "keepalived"
DEFAULT = "/etc/keepalived/keepalived.conf"
_KOLLA = "/etc/kolla/keepalived/keepalived.conf"
_WANTED = "etc/systemd/system/*.wants/keepalived.service"
_BLOCKS = ("virtual_ipaddress", "virtual_ipaddress_excluded")
_INCLUDE = re.compile(r"include[rmwba]*")
_DEFINED = re.compile(r"\s*\$(\w+)\s*=\s?(.*)", re.S)
_CONDITION = re.compile(r"\s*@(\^?)(\S+)\s?(.*)", re.S)
_NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_WITH_VALUE = "fSuprcisA"  # short options that take one
_MOST_INCLUDES = 8  # files that include one another


class Found(NamedTuple):
    """What a node shares.

    addresses: those that keepalived may hold here, without their prefix. running (bool): whether a keepalived
    runs that may. unknown (str): why that cannot be told, "" where it can.
    """

    addresses: frozenset[str] = frozenset()
    running: bool = False
    unknown: str = ""


def found(root: Path = Path("/")) -> Found:
    """What this node shares. root (Path): /."""
    own = _namespace(root / "proc" / "self")
    all_of = [one for process in (root / "proc").glob("[0-9]*") if (one := _of_process(process, own))]
    if not all_of:
        files = [DEFAULT] if any(root.glob(_WANTED)) else []
        all_of = [
            _of_file(root, name, os.uname().nodename)
            for name in (*files, _KOLLA)
            if (root / name.lstrip("/")).is_file()
        ]
        return _joined(all_of, running=False)
    return _joined(all_of, running=True)


def _joined(some: Sequence[Found], running: bool) -> Found:
    addresses = frozenset[str]().union(*(one.addresses for one in some))
    unknown = next((one.unknown for one in some if one.unknown), "")
    return Found(addresses, running and bool(addresses or unknown), unknown)


def _of_process(process: Path, own: str) -> Found | None:
    """What a process may hold; None where it is no keepalived of this node's own, or ended meanwhile."""
    try:
        if (process / "comm").read_text(encoding="utf-8", errors="replace").strip() != PROGRAM:
            return None
        if _namespace(process) != own:
            return None
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    name, config_id = _options(words)
    return _of_file(process / "root", name or DEFAULT, config_id or os.uname().nodename)


def _of_file(root: Path, name: str, config_id: str) -> Found:
    try:
        lines = [_words(line) for line in _Reader(root, config_id).lines(name)]
    except OSError as error:
        return Found(unknown=f"{name}: {error.strerror or error}")
    addresses, unread = set(), ""
    for word, device in _of_blocks(lines):
        address = _address(word)
        if not address:
            unread = unread or f"{name}: {word} cannot be read"
        elif device != "lo":  # an address of a server behind a balancer
            addresses.add(address)
    return Found(frozenset(addresses), False, unread)


def _namespace(process: Path) -> str:
    return os.readlink(process / "ns" / "net")


def _options(words: Sequence[str]) -> tuple[str, str]:
    """The configuration file and the configuration's id in a process' arguments, "" where they lack."""
    values: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            key = {"use-f": "f", "confi": "i"}.get(name[:5])
            if key and name != "config-test":
                values[key] = value if equals else next(rest, "")
        elif word.startswith("-"):
            for place, letter in enumerate(word[1:], 2):
                if letter in _WITH_VALUE:
                    values[letter] = word[place:] or next(rest, "")
                    break
    return values.get("f", ""), values.get("i", "")


class _Reader:
    """Reads a configuration with what it includes and defines. config_id: whose conditional lines count."""

    def __init__(self, root: Path, config_id: str):
        self._root = root
        self._config_id = config_id
        self._defined: dict[str, str] = {}

    def lines(self, name: str, depth: int = _MOST_INCLUDES) -> Iterator[str]:
        """The lines of a file, as keepalived has them. Raises OSError where it cannot be read."""
        text = (self._root / name.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        self._defined["_PWD"] = os.path.dirname(name)
        for line in text.replace("\\\n", "\n\x00").split("\n"):
            # What goes on from a line before it is a part of a definition.
            yield from self._line(line, name, depth) if not line.startswith("\x00") else self._more(line[1:])

    def _line(self, line: str, name: str, depth: int) -> Iterator[str]:
        self._last = ""
        if condition := _CONDITION.fullmatch(line):
            unless, config_id, line = condition.groups()
            if (config_id == self._config_id) == bool(unless):
                return
        if definition := _DEFINED.fullmatch(line):
            self._last = definition[1]
            self._defined[self._last] = _without_comment(self._replaced(definition[2]))
            return
        for one in self._replaced(line).split("\n"):
            words = _words(one)
            if words and _INCLUDE.fullmatch(words[0]) and len(words) > 1 and depth:
                for file in self._files(os.path.join(os.path.dirname(name), one.split()[1])):
                    yield from self.lines(file, depth - 1)
            else:
                yield one

    def _more(self, line: str) -> Iterator[str]:
        if self._last:
            self._defined[self._last] += "\n" + self._replaced(line)
            return
        yield self._replaced(line)

    def _replaced(self, text: str) -> str:
        return _NAMED.sub(lambda found: self._defined.get(found[1] or found[2], found[0]), text)

    def _files(self, pattern: str) -> Iterator[str]:
        for one in _without_braces(pattern):
            for path in sorted(glob.glob(one.lstrip("/"), root_dir=self._root)):
                if (self._root / path).is_file():
                    yield f"/{path}"


def _without_braces(pattern: str) -> Iterator[str]:
    """What {a,b} stands for."""
    if not (found := _BRACES.search(pattern)):
        yield pattern
        return
    for word in found[1].split(","):
        yield from _without_braces(pattern[: found.start()] + word + pattern[found.end() :])


def _without_comment(line: str) -> str:
    return re.split(r"(?:^|\s)[#!]", line, maxsplit=1)[0].strip()


def _words(line: str) -> list[str]:
    """The words of a line; braces are words of their own, but for those of a name that is not known."""
    reader = shlex.shlex(line, posix=True)
    reader.commenters = "#!"
    reader.whitespace_split = True
    try:
        found = list(reader)
    except ValueError:  # a quote that is not closed
        found = line.split()
    parts = ([word] if "${" in word else re.split(r"([{}])", word) for word in found)
    return [one for some in parts for one in some if one]


def _of_blocks(lines: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The first word of each line in the blocks that list addresses, and the device that it names."""
    inside, previous = False, ""
    for words in lines:
        entry: list[str] = []
        for word in words:
            if word == "{":
                inside = inside or previous in _BLOCKS
            elif word == "}":
                if inside and entry:
                    yield entry[0], _device(entry)
                inside, entry = False, []
            elif inside:
                entry.append(word)
            previous = word
        if inside and entry:
            yield entry[0], _device(entry)


def _device(entry: Sequence[str]) -> str:
    return next((entry[place + 1] for place, word in enumerate(entry[:-1]) if word == "dev"), "")


def _address(word: str) -> str:
    try:
        return str(ipaddress.ip_interface(word).ip)
    except ValueError:
        return ""
