"""What GRUB starts by default, from its own files: its menu, entries of the Boot Loader Specification, its
environment. Pure functions over their text.

GRUB resolves the default as here: by an entry's id or title, else by its number, else it takes the first; `>`
goes into a submenu (GRUB's manual, "default"). Entries of their own (BLS) are shown by the newest version
first, as grubby lists them.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from openstack_rollout.node.kernels import Compare

_MENU = ("menuentry", "submenu")
_KERNEL = ("linux", "linux16", "linuxefi")
_INITIAL = ("initrd", "initrd16", "initrdefi")
_ID = ("$menuentry_id_option", "--id")
_SET_DEFAULT = re.compile(r"(?:^|;|\bthen\b|\belse\b|\{)\s*(?:set\s+)?default=(?P<written>.*)$")
#: a value in the three quotings of GRUB's scripts, without what would need an interpreter
_VALUE = re.compile(
    r"""(?:"(?P<double>[^"\\]*)"|'(?P<single>[^']*)'|(?P<bare>\$\{\w+\}|[^\s"'\\;{}|&$<>#]+))\s*(?:\s\#.*)?"""
)
_VARIABLE = re.compile(r"^\$\{(?P<name>\w+)\}$")
_BLS = re.compile(r"^\s*blscfg\s*$", re.M)
_STEP = re.compile(r"(?<!>)>(?!>)")
_RELEASE = re.compile(r"^(?:vmlinuz|vmlinux|linux)-(?P<release>.+)$")
#: The variable with the entry that is started once, at the next boot alone (grub-reboot).
ONCE = "next_entry"
#: The variable with which Fedora and RHEL count starts that failed: after some, the menu takes another entry.
_COUNTER = "boot_counter"
#: RHEL's grub.cfg, as far as it decides the default.
MENU_OF_ENTRIES = 'set default="${next_entry}"\nset default="${saved_entry}"\nblscfg\n'


@dataclass
class Entry:
    """An entry of a menu.

    title, id (str): its names. kernel (str): the file that it starts, "" for none. initial (list): the
    initial RAM disks that it loads. version (str): of an entry of its own. entries (list): of a submenu.
    """

    title: str
    id: str = ""
    kernel: str = ""
    initial: list[str] = field(default_factory=list)
    version: str = ""
    entries: list[Entry] = field(default_factory=list)

    @property
    def release(self) -> str:
        """The kernel's release, as `uname -r` prints it, by its file's name; "" where that tells none."""
        match = _RELEASE.match(PurePosixPath(self.kernel).name)
        return match["release"] if match else ""


def has_own_entries(menu: str) -> bool:
    """Whether a grub.cfg shows the entries of the Boot Loader Specification (by GRUB's command blscfg)."""
    return bool(_BLS.search(menu))


def variables(listed: str) -> dict[str, str]:
    """GRUB's environment (dict) from what `grub-editenv list` prints."""
    return dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)


def needs_environment(menu: str) -> bool:
    """Whether the default of a grub.cfg may be decided by GRUB's environment. Raises as `default_key`."""
    return any(counted or _VARIABLE.match(value) for value, counted in _defaults(menu))


def default_key(menu: str, environment: Mapping[str, str]) -> str:
    """What a grub.cfg takes for the default: an id, a title, a number, or "" for the first.

    menu (str): its text. environment (dict): of `variables`. Raises ValueError where another variable than
    the environment's decides, where starts are counted, and for a default in a form that is not known here.
    """
    found = _defaults(menu)
    if environment.get(_COUNTER) and any(counted for _, counted in found):
        raise ValueError(f"the default entry depends on {_COUNTER}")
    values = [value for value, counted in found if not counted]
    if f"${{{ONCE}}}" in values and environment.get(ONCE):
        return environment[ONCE]
    rest = [value for value in values if value != f"${{{ONCE}}}"]
    if not rest:
        return ""
    variable = _VARIABLE.match(rest[-1])
    if variable and variable["name"] in ("saved_entry", "prev_saved_entry"):
        return environment.get(variable["name"], "")
    if "$" in rest[-1]:
        raise ValueError(f"the default entry is {rest[-1]}")
    return rest[-1]


def of_menu(menu: str) -> list[Entry]:
    """The entries of a grub.cfg, as grub-mkconfig writes it. Raises ValueError where it has another form."""
    top = Entry("")
    inside = [top]
    for line in menu.splitlines():
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        if words == ["}"]:
            if len(inside) == 1:
                raise ValueError("a } too many")
            inside.pop()
        elif line.rstrip().endswith("{"):
            opened = _opened(line.strip()[:-1])
            if words[0] in _MENU:
                inside[-1].entries.append(opened)
            inside.append(opened)
        elif words[0] in _KERNEL and words[1:]:
            inside[-1].kernel = shlex.split(words[1])[0]
        elif words[0] in _INITIAL and words[1:]:
            inside[-1].initial += shlex.split(words[1])
    if len(inside) > 1:
        raise ValueError(f"{inside[-1].title or 'a block'} does not end")
    return top.entries


def of_files(files: Mapping[str, str], compare: Compare) -> list[Entry]:
    """The entries of the Boot Loader Specification, the newest version first.

    files (dict): {name without .conf: text}. compare: the package manager's comparison of versions.
    """
    entries = [_own_entry(name, text) for name, text in files.items()]

    def order(one: Entry, other: Entry) -> int:
        return compare(one.version, other.version) or 0

    return sorted(entries, key=functools.cmp_to_key(order), reverse=True)


def of_grubby(told: str) -> Entry:
    """The entry that `grubby --info=DEFAULT` tells of: rows of name=value, the value quoted or not."""
    rows = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    said = {name: " ".join(shlex.split(value)) for name, value in rows.items()}
    initial = [word for word in said.get("initrd", "").split() if not word.startswith("$")]
    return Entry(said.get("title", ""), said.get("id", ""), said.get("kernel", ""), initial)


def default(entries: Sequence[Entry], key: str) -> Entry | None:
    """The entry that a key stands for (of `default_key`), None where there is none at all."""
    chosen: Entry | None = None
    for step in _STEP.split(key):
        some = chosen.entries if chosen else entries
        if not some:
            return chosen
        chosen = _chosen(some, step.replace(">>", ">"))
    while chosen and not chosen.kernel and chosen.entries:
        chosen = chosen.entries[0]
    return chosen


def all_of(entries: Iterable[Entry]) -> list[Entry]:
    """Some entries, and those of their submenus."""
    return [found for one in entries for found in (one, *all_of(one.entries))]


def _defaults(menu: str) -> list[tuple[str, bool]]:
    """What a grub.cfg sets the default to, in its order, and whether only where starts are counted.

    Raises ValueError for a value in a form that is not known here.
    """
    found = []
    conditions: list[str] = []
    for line in menu.splitlines():
        words = line.replace(";", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if match := _SET_DEFAULT.search(line):
            found.append((_unquoted(match["written"]), any(_COUNTER in one for one in conditions)))
        elif words[0] == "if" and words[-1] != "fi":
            conditions.append(line)
        elif words[0] == "fi" and conditions:
            conditions.pop()
    return found


def _unquoted(written: str) -> str:
    match = _VALUE.fullmatch(written)
    if not match or "$" in (match["single"] or ""):
        raise ValueError(f"the default entry is {written.strip()}")
    return next(value for value in match.group("double", "single", "bare") if value is not None)


def _chosen(entries: Sequence[Entry], name: str) -> Entry:
    for one in entries:
        if name and name in (one.id, one.title):
            return one
    number = int(name) if name.isdecimal() else 0
    return entries[number if number < len(entries) else 0]


def _opened(line: str) -> Entry:
    words = shlex.split(line)
    named = next((words[place + 1] for place, word in enumerate(words[:-1]) if word in _ID), "")
    return Entry(words[1] if len(words) > 1 else "", named)


def _own_entry(name: str, text: str) -> Entry:
    found = Entry("", name)
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        value = value.strip()
        if key == "title":
            found.title = value
        elif key == "version":
            found.version = value
        elif key == "linux":
            found.kernel = value
        elif key == "initrd":
            found.initial += [word for word in value.split() if not word.startswith("$")]
    return found
