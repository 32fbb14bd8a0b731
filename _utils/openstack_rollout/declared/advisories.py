"""What mends something of security, as distributions publish it: dnf's updateinfo.xml, and the data of
Debian's security tracker (JSON). Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree import ElementTree

from openstack_rollout.declared.package_versions import DEB, RPM, compare
from openstack_rollout.errors import RolloutError

_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, RecursionError, ElementTree.ParseError)


class Moved(NamedTuple):
    """A package that moves. kind: rpm or deb. name, source: its name, and that of its source package (of
    Debian's). suite: the codename of Debian, "" where that is not known.
    """

    kind: str
    name: str
    source: str
    before: str
    after: str
    suite: str = ""


@dataclass(frozen=True)
class _Entry:
    """An advisory, or a CVE: in which version of a package it is mended."""

    id: str
    severity: str
    kind: str
    name: str
    version: str
    suite: str
    cves: tuple[str, ...]


class Advisories:
    """What is known of some files."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[_Entry]] = {}

    def read(self, name: str, content: bytes) -> None:
        """Take in a file. name (str): of messages. Raises RolloutError WRONG_ARGUMENT."""
        text = content.lstrip()
        try:
            some = _tracker(json.loads(text)) if text[:1] == b"{" else _updateinfo(text)
            for one in some:
                self._entries.setdefault((one.kind, one.name), []).append(one)
        except _MALFORMED as error:
            raise RolloutError(
                "WRONG_ARGUMENT",
                f"advisories: {name}: neither updateinfo.xml nor the data of Debian's tracker: {error}",
            ) from error

    def mended(self, moved: Iterable[Moved]) -> dict[str, dict[str, Any]]:
        """What is mended by packages that move: id → {"severity", "cves", "packages": {name: version in which
        it is mended}}.
        """
        found: dict[str, dict[str, Any]] = {}
        for one in moved:
            name = one.source if one.kind == DEB else one.name
            for entry in self._entries.get((one.kind, name), ()):
                elsewhere = one.suite and entry.suite and one.suite != entry.suite
                late = compare(one.kind, one.before, entry.version) < 0
                if not elsewhere and late and compare(one.kind, entry.version, one.after) <= 0:
                    told = {"severity": entry.severity, "cves": list(entry.cves), "packages": {}}
                    found.setdefault(entry.id, told)["packages"][one.name] = entry.version
        return dict(sorted(found.items()))


def _updateinfo(text: bytes) -> Iterable[_Entry]:
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:  # as UTF-16 has them, too
        raise ValueError("it declares entities, or is not UTF-8")
    root = ElementTree.fromstring(text)  # noqa: S314 - without entities
    if root.tag != "updates":
        raise ValueError(f"it begins with {root.tag}")
    for update in root.iter("update"):
        if update.get("type") != "security":
            continue
        cves = [one.get("id", "") for one in update.iter("reference") if one.get("type") == "cve"]
        for package in update.iter("package"):
            version = f"{package.get('epoch') or 0}:{package.get('version')}-{package.get('release')}"
            yield _Entry(
                id=update.findtext("id") or "",
                severity=update.findtext("severity") or "",
                kind=RPM,
                name=package.get("name") or "",
                version=version,
                suite="",
                cves=tuple(dict.fromkeys(cves)),
            )


def _tracker(data: Mapping[str, Any]) -> Iterable[_Entry]:
    for source, cves in data.items():
        for cve, told in cves.items():
            if not re.match(r"CVE-|TEMP-", cve):
                raise ValueError(f"{cve} is no name of the tracker")
            for suite, one in told["releases"].items():
                version = one.get("fixed_version")
                if not isinstance(version, str | None):
                    raise ValueError(f"{cve}: {version!r} is no version")
                if one.get("status") == "resolved" and version and version != "0":
                    yield _Entry(cve, one.get("urgency") or "", DEB, source, version, suite, (cve,))
