"""Configuration files that services render into each other's way: each would overwrite the other's."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from openstack_rollout.declared.problems import shown

_Entries = Iterable[tuple[str, Mapping[str, Any]]]


def renders(entry: Mapping[str, Any]) -> bool:
    """Whether a merged entry has files to render, and does."""
    return bool(entry.get("enabled") and entry.get("config") == "rerender" and entry.get("config_files"))


def shared(entries: _Entries) -> bool:
    """Whether two of the merged entries name one path, rendered or not."""
    seen: set[str] = set()
    for _, entry in entries:
        paths = entry.get("config_files") or {}
        if not seen.isdisjoint(paths):
            return True
        seen.update(paths)
    return False


def conflicts(entries: _Entries) -> Iterator[tuple[str, str]]:
    """(service, text) for each file of a merged entry that is in the way of one before it, or of its own.

    Two services may render one file of the same template with the same options. Only where they have a role
    in common do they meet.
    """
    nodes: dict[str, _Nodes] = {}
    for name, entry in entries:
        if not renders(entry):
            continue
        of_roles = [nodes.setdefault(role, _Nodes(role)) for role in entry.get("roles", ())]
        for path in entry["config_files"]:
            if text := next(filter(None, (one.problem(name, entry, path) for one in of_roles)), ""):
                yield name, text
            for one in of_roles:
                one.add(name, entry, path)


class _Nodes:
    """What is rendered on the nodes of a role."""

    def __init__(self, role: str):
        self._role = role
        self._files: dict[str, tuple[str, Mapping[str, Any]]] = {}
        #: Who renders something below a folder first, and what.
        self._folders: dict[str, tuple[str, str]] = {}

    def problem(self, name: str, entry: Mapping[str, Any], path: str) -> str:
        """What is wrong with a further file, "" for nothing."""
        other, theirs = self._files.get(path, (name, entry))
        if other != name and _source(theirs, path) != _source(entry, path):
            return (
                f"{shown(path)} is rendered by {other} too, of another template or with other options, on"
                f" nodes of {self._role}: give {other} or {name} another path"
            )
        if path in self._folders:
            other, below = self._folders[path]
            return f"{shown(path)} is a file here, and a folder of {other}, in {shown(below)}"
        folder = next((one for one in _above(path) if one in self._files), "")
        if folder:
            return f"{shown(path)} lies below {shown(folder)}, which is a file of {self._files[folder][0]}"
        return ""

    def add(self, name: str, entry: Mapping[str, Any], path: str) -> None:
        """A file from now on."""
        self._files.setdefault(path, (name, entry))
        for folder in _above(path):
            self._folders.setdefault(folder, (name, path))


def _source(entry: Mapping[str, Any], path: str) -> tuple[str, Any]:
    return entry["config_files"][path], entry.get("options") or {}


def _above(path: str) -> list[str]:
    found: list[str] = []
    while (path := posixpath.dirname(path)) != "/":
        found.append(path)
    return found
