"""The virtual addresses that the keepalived of a node may hold, whoever runs it: a unit, or a container.

Its configuration is read where the process itself sees it, in the grammar of keepalived.conf(5). Processes in
another network namespace are left out: Neutron's L3 agent runs one for each router with HA.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

PROGRAM = "keepalived"
DEFAULT = "/etc/keepalived/keepalived.conf"
_FILE = ("-f", "--use-file")
_BLOCKS = ("virtual_ipaddress", "virtual_ipaddress_excluded")
_COMMENTS = "#!"
_MOST_INCLUDES = 8  # files that include one another


def addresses(proc: Path = Path("/proc")) -> set[str]:
    """The addresses that keepalived may hold here, without their prefix; empty where none runs.

    proc (Path): /proc.
    """
    own = _namespace(proc / "self")
    found: set[str] = set()
    for process in proc.glob("[0-9]*"):
        try:
            if (process / "comm").read_text(encoding="utf-8", errors="replace").strip() != PROGRAM:
                continue
            if _namespace(process) == own:
                lines = _lines(process / "root", _file(process), _MOST_INCLUDES)
                found.update(_of_blocks([word for line in lines for word in line]))
        except OSError:
            continue  # it ended meanwhile
    return found


def _namespace(process: Path) -> str:
    return os.readlink(process / "ns" / "net")


def _file(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _FILE:
            return value if equals else "".join(words[place + 1 : place + 2])
        if word.startswith("-f") and not word.startswith("--"):
            return word[2:]
    return DEFAULT


def _lines(root: Path, name: str, depth: int) -> Iterator[list[str]]:
    """The words of each line of a file (name, as under root), and of those that it includes."""
    pattern = name.lstrip("/")
    for path in sorted(root.glob(pattern)) if depth else ():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            words = _words(line)
            if words[:1] == ["include"]:
                inner = os.path.join(os.path.dirname(name), *words[1:2])
                yield from _lines(root, inner, depth - 1)
            else:
                yield words


def _words(line: str) -> list[str]:
    """The words of a line; braces are words of their own."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="{}")
    reader.commenters = _COMMENTS
    reader.whitespace_split = True
    try:
        found = list(reader)
    except ValueError:  # a quote that is not closed
        found = line.split()
    return [one for word in found for one in (word if set(word) <= {"{", "}"} else [word])]


def _of_blocks(words: Iterable[str]) -> Iterator[str]:
    """The first word of each line of the blocks that list addresses.

    An address may be followed by words of its own (`dev eth0 label x`): none of them is an address but that
    after `brd`.
    """
    inside, previous = False, ""
    for word in words:
        if word == "{":
            inside = previous in _BLOCKS
        elif word == "}":
            inside = False
        elif inside and previous != "brd" and (address := _address(word)):
            yield address
        previous = word


def _address(word: str) -> str:
    try:
        return str(ipaddress.ip_interface(word).ip)
    except ValueError:
        return ""
