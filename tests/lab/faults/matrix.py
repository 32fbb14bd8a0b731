"""One fault after another on one cloud: what an update says of it, what is lost, what the next update does.

A row is written down as soon as it is known, so that a suite that is cut off leaves what it saw.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openstack_rollout.errors import REASONS

from .. import operator, proof, settings
from ..cloud import Lab
from ..enclosure import LabError
from ..events import EventLog

RESULT = settings.CHECKOUT / "build" / "faults.json"
RIGHT = "as it should be"
_SAID = 4000  # characters of what an update printed, in a failed test
_WORDS = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b")


@dataclass
class Case:
    """A fault on its way: the cloud, the version that the update is for, and what planting remembers."""

    lab: Lab
    version: str
    process: subprocess.Popen | None = None
    kept: dict[str, Any] = field(default_factory=dict)


def nothing(case: Case) -> None:
    """There is nothing to heal."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Args:
        name: What it is, in the table.
        reasons: The words of which the update has to give one; none: it has to go through in spite of it.
        by_salt: What Salt itself says, where it does not even ask us; then no reason is given.
        plant: Does it.
        heal: What an operator would do about it.
        when: A condition for `EventLog.wait_for`, at which it is planted; None: before the update begins.
        key: The image key that moves; "": the matrix' own.
        images: Images that the target has instead, by key; None: those of a release.
        packages: The release whose packages the target has; "": those that are installed.
        page: Keys of the operator's page.
        untouched: Whether nothing may have changed on any node that runs when the update gives up.
        hit: The nodes that the fault itself takes something from.
        limit: Seconds within which the update has to have said it.
    """

    name: str
    reasons: tuple[str, ...]
    plant: Callable[[Case], None]
    heal: Callable[[Case], None] = nothing
    when: Callable[[str, dict], bool] | None = None
    key: str = ""
    images: Callable[[Lab], dict[str, str]] | None = None
    packages: str = ""
    page: Mapping[str, object] = field(default_factory=dict)
    by_salt: str = ""
    untouched: bool = False
    hit: tuple[str, ...] = ()
    limit: float = 300

    @property
    def identifier(self) -> str:
        """Its name as part of a test's."""
        return re.sub(r"\W+", "-", self.name)


@dataclass
class Row:
    """What was seen of a fault."""

    profile: str
    fault: str
    expected: list[str]
    reason: str = ""
    status: int = 0  # of the command
    noticed: float = 0.0  # seconds from the fault to the end of the command
    lost: list[str] = field(default_factory=list)  # containers that ran before and did not afterwards
    next_run: str = ""
    verdict: str = "not seen to its end"


class Matrix:
    """The faults of one cloud.

    Args:
        lab: The cloud, at a release.
        key: The image key that moves in each update, where a fault names no other.
    """

    def __init__(self, lab: Lab, key: str) -> None:
        self.lab, self.key = lab, key
        self.packages = operator.FIRST
        self._count = 0
        #: image key → which of the lab's releases it has; they take turns
        self._turn: dict[str, int] = {}

    def suffer(self, fault: Fault) -> Row:
        """Plant a fault, run the update, heal, run it again; the row, which is also written down.

        Raises:
            AssertionError: The update did not say it, or lost something, or the next one did not converge; in
                the first two cases the cloud is as the next fault needs it.
        """
        row = Row(self.lab.profile, fault.name, list(fault.reasons or filter(None, [fault.by_salt])))
        write(row)
        case = Case(self.lab, self._aim(fault))
        before, running = proof.fingerprint(self.lab), _running(self.lab)
        try:
            said, row.status, row.noticed = self._meet(fault, case)
            row.reason = _reason(self.lab, said)
            row.lost = _lost(running, _running(self.lab), fault.hit)
            after = proof.fingerprint(self.lab, _up(self.lab))
            touched = _differs(before, after, fault.hit) if fault.untouched else []
        finally:
            fault.heal(case)
        print(f"\n== {fault.name}: {row.reason or 'went through'} after {row.noticed:.0f} s\n{said[-1500:]}")
        write(row)
        row.next_run = self._converge(case)
        wrong = _wrong(fault, row, said, touched)
        row.verdict = "; ".join(wrong) or RIGHT
        write(row)
        assert not wrong, f"{row}\n{said[-_SAID:]}"
        return row

    def _aim(self, fault: Fault) -> str:
        """Have the pillar name a new release that differs in one image, or as the fault says."""
        self._count += 1
        version = f"1.1.{self._count}"
        key = fault.key or self.key
        self._turn[key] = 1 - self._turn.get(key, 0)
        self.packages = fault.packages or self.packages
        self._release(version, fault.images(self.lab) if fault.images else {})
        self.lab.set_pillar(**{"target_version": version} | dict(fault.page))
        return version

    def _release(self, version: str, images: dict[str, str]) -> None:
        """Write a release of the images whose turn it is, but for some."""
        turn = {
            key: self.lab.releases[settings.RELEASES[one]]["images"][key] for key, one in self._turn.items()
        }
        self.lab.add_release(version, like=operator.FIRST, packages_like=self.packages, images=turn | images)

    def _meet(self, fault: Fault, case: Case) -> tuple[str, int, float]:
        """What the update printed, its exit status, and how long after the fault it ended."""
        if fault.when is None:
            fault.plant(case)
            began = time.monotonic()
            case.process = operator.start_update(self.lab)
            said = _end_of(case.process, fault)
        else:
            with EventLog(self.lab) as log:
                case.process = operator.start_update(self.lab)
                log.wait_for(fault.when)
                began = time.monotonic()
                fault.plant(case)
                said = _end_of(case.process, fault)
        return said, case.process.returncode, time.monotonic() - began

    def _converge(self, case: Case) -> str:
        """Run the update again on the healed cloud; what it did, in words."""
        self._release(case.version, {})
        self.lab.set_pillar(target_version=case.version)
        began = time.monotonic()
        with EventLog(self.lab) as log:
            operator.update(self.lab)
            applied = [
                f"{event['node']}/{event['stage']}" for event in log.steps(step="apply", status="started")
            ]
        proof.assert_cloud_at(self.lab, case.version)
        whole(self.lab)
        did = ", ".join(applied) or "nothing"
        return f"at {case.version} in {time.monotonic() - began:.0f} s: {did}"


def _wrong(fault: Fault, row: Row, said: str, touched: list[str]) -> list[str]:
    """What of a row is not as it should be."""
    named = row.reason in fault.reasons if fault.reasons else not row.reason and fault.by_salt in said
    ended = (row.status != 0) == bool(fault.reasons or fault.by_salt)
    found = {
        "a traceback": "Traceback" in said,
        f"lost {', '.join(row.lost)}": bool(row.lost),
        f"touched {', '.join(touched)}": bool(touched),
        f"{row.reason or 'no reason'} for {' or '.join(row.expected) or 'none'}": not named,
        f"ended with {row.status}": not ended,
        f"took {row.noticed:.0f} s of {fault.limit:.0f}": row.noticed > fault.limit,
    }
    return [what for what, true in found.items() if true]


def whole(lab: Lab) -> None:
    """The package manager and podman of each node find nothing to complain of."""
    for node, machine in lab.nodes.items():
        if machine.debian:
            audit = lab.exec(node, ["dpkg", "--audit"]).stdout
            assert not audit.strip(), (node, audit)
        else:
            lab.exec(node, ["dnf", "--quiet", "check"])
            query = ["rpm", "-qa", "--queryformat", "%{NAME}.%{ARCH}\\n"]
            names = [name for name in lab.exec(node, query).stdout.split() if not name.startswith("kernel")]
            double = {name for name in names if names.count(name) > 1}
            assert not double, (node, double)
        damage = proof.storage_damage(lab, node)
        assert not damage, (node, damage)


def write(row: Row) -> None:
    """Put a row in the table, in the place of an earlier one of the same fault."""
    RESULT.parent.mkdir(exist_ok=True)
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    kept = [one for one in rows if (one["profile"], one["fault"]) != (row.profile, row.fault)]
    _replace(RESULT, json.dumps([*kept, asdict(row)], indent=1))


def _replace(path: Path, text: str) -> None:
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text)
    scratch.rename(path)


def _end_of(process: subprocess.Popen, fault: Fault) -> str:
    try:
        return process.communicate(timeout=fault.limit + 300)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _reason(lab: Lab, said: str) -> str:
    """The word under which the update gave up: of a run that stopped, else the first one printed."""
    with contextlib.suppress(LabError):  # a journal that cannot be read is a fault too
        status = operator.status(lab)
        run = status["run"]
        if run and run["state"] in ("paused", "aborted") and run["target"] == status["target"]:
            return run["reason"]
    return next((word for word in _WORDS.findall(said) if word in REASONS), "")


def _up(lab: Lab) -> list[str]:
    return [node for node in lab.nodes if lab.state(node) not in ("off", "booting")]


def _running(lab: Lab) -> dict[str, set[str]]:
    """What runs on each node that is up."""
    return {node: set(proof.running_digests(lab, node)) for node in _up(lab)}


def _lost(before: dict[str, set[str]], after: dict[str, set[str]], hit: tuple[str, ...]) -> list[str]:
    return [
        f"{node}: {name}"
        for node, names in before.items()
        if node not in hit
        for name in sorted(names - after.get(node, set()))
    ]


def _differs(before: dict, after: dict, hit: tuple[str, ...]) -> list[str]:
    return [node for node in after if node not in hit and before[node] != after[node]]
