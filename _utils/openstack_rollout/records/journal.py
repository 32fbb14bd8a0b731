"""What a run did so far, written after every transition, so that it survives the death of the master.

The journal is a memory, not a measurement: nothing is ever taken for done because it is written here. Times
are seconds since the epoch. Operators' requests have keys of their own and never race the engine's writes.
"""

from __future__ import annotations

import calendar
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from openstack_rollout.errors import RolloutError
from openstack_rollout.records import forms
from openstack_rollout.records.asked import Asked
from openstack_rollout.records.audits import Audits
from openstack_rollout.records.drain_record import DrainRecord
from openstack_rollout.records.kept_durations import KeptDurations
from openstack_rollout.records.node_file import NodeFile
from openstack_rollout.records.planned import Plan
from openstack_rollout.records.run_record import UNFINISHED, Called, NodeRecord, Run
from openstack_rollout.records.stored import ABSENT, F, OneAtATime, Store, plain, read, valid
from openstack_rollout.records.ways_back import WaysBack

BANK = "openstack/rollout"
RUNS = f"{BANK}/runs"
REQUESTS = f"{BANK}/requests"
CONFIRMED = f"{BANK}/confirmed"
SKIPPED = f"{BANK}/skipped"
DRAINS = f"{BANK}/drains"  # of no run: a drained node outlives the run that drained it

_PLAN, _APART = "plan", "apart"  # the key of a run's plan, and what stands for it in the record
_STAMP = "%Y%m%d-%H%M%S"  # at the beginning of a run's id


class Journal:
    """Runs, their nodes, drained nodes, requests of operators, custom images of the last completed update.

    store: where it is kept. folder: where a store that has files has those of a bank; what becomes of nodes
    is in a file for each run there, and a key for each node elsewhere. Reading raises RolloutError
    JOURNAL_VERSION for a record that another version of this program wrote, and JOURNAL_DAMAGED for one that
    cannot be read.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.time,
        folder: Callable[[str], Path] | None = None,
    ):
        self._store = OneAtATime(store)
        self._clock = clock
        self._folder = folder
        self._files: dict[str, NodeFile] = {}
        self._plans: dict[str, tuple[float, Plan]] = {}  # as they were written last, or read, and when made
        self.way_back = WaysBack(self._store)
        self.audits = Audits(self._store)
        self.durations = KeptDurations(self._store)

    def create(  # noqa: PLR0917
        self,
        target: str,
        orchestration: str,
        stages: Iterable[str],
        owner: dict[str, Any],
        asked: Asked | None = None,
        accepted: dict[str, Called] | None = None,
        *,
        rollback: str = "",
        gone: dict[str, dict[str, str]] | None = None,
    ) -> Run:
        """Open a run and make it the current one; returns its record. asked, accepted, rollback, gone: as of
        Run.
        """
        now = self._clock()
        stamp = time.strftime(_STAMP, time.gmtime(now))
        run = Run(
            id=f"{stamp}-{secrets.token_hex(2)}",
            target=target,
            orchestration=orchestration,
            stages=list(stages),
            created=now,
            updated=now,
            owner=owner,
            asked=asked or Asked(),
            accepted=accepted or {},
            rollback=rollback,
            gone=gone or {},
        )
        self.save(run)
        self._store.store(BANK, "current", run.id)
        return run

    def save(self, run: Run) -> None:
        """Write a run's record."""
        run.updated = self._clock()
        told = plain(replace(run, plan=None))
        if run.plan is not None:  # it is large, and does not change: written once, before what tells of it
            if self._plans.get(run.id) != (run.planned, run.plan):
                self._store.store(f"{RUNS}/{run.id}", _PLAN, run.plan.plain())
                self._plans[run.id] = run.planned, run.plan
            told["plan"] = _APART
        self._store.store(RUNS, run.id, told)

    def run(self, run_id: str) -> Run | None:
        """The record of a run, None when there is none of that id."""
        data = self._store.fetch(RUNS, run_id)
        if not isinstance(data, dict) or data.get("plan") != _APART:
            return read(Run, data, f"run {run_id}")
        run = read(Run, {**data, "plan": None}, f"run {run_id}")
        if run is not None:
            made, run.plan = self._plans.get(run_id, (None, None))
            if made != run.planned:
                plan = self._store.fetch(f"{RUNS}/{run_id}", _PLAN)
                run.plan = valid(forms.PLANNED, plan, f"the plan of run {run_id}")
                self._plans[run_id] = run.planned, run.plan
        return run

    def latest(self) -> Run | None:
        """The run that was opened last, whatever its state."""
        run_id = self._told(forms.CURRENT, BANK, "current")
        return self.run(run_id) if run_id else None

    def unfinished(self) -> Run | None:
        """The run that is running or paused, if any."""
        run = self.latest()
        return run if run and run.state in UNFINISHED else None

    def run_ids(self) -> list[str]:
        """All run ids that are kept, oldest first."""
        return sorted(set(self._store.list(RUNS)))

    def prune(self, keep: int, before: float | None = None) -> list[str]:
        """Forget old runs with all that is kept of them; returns their ids. keep, before: as of `old`."""
        found = self.old(keep, before)
        for run_id in found:
            self.forget(run_id)
        return found

    def old(self, keep: int, before: float | None = None) -> list[str]:
        """The ids of runs that are not worth to be kept.

        keep (int): how many of the newest stay, at least the one that was opened last. before: of those, none
        that was opened before that time (seconds since the epoch) stays. A run that left nodes drained stays,
        and the one that is undone.
        """
        ids = self.run_ids()
        stay = {self._told(forms.CURRENT, BANK, "current"), *(one.run for one in self.all_drained().values())}
        if in_force := self.way_back.in_force():
            stay.add(in_force.of)
        old = set(ids[: -max(1, keep)])
        if before is not None:
            old |= {run_id for run_id in ids if (opened := opened_at(run_id)) is not None and opened < before}
        return [run_id for run_id in ids if run_id in old - stay]

    def forget(self, run_id: str) -> None:
        """Forget a run with all that is kept of it."""
        self.way_back.forget(run_id)
        self._files.pop(run_id, None)
        self.audits.forget(run_id)
        for bank in (f"{RUNS}/{run_id}/nodes", *(f"{one}/{run_id}" for one in (RUNS, CONFIRMED, SKIPPED))):
            self._store.flush(bank)
        for bank in (REQUESTS, RUNS):
            if run_id in self._store.list(bank):
                self._store.flush(bank, run_id)

    def node(self, run_id: str, node: str) -> NodeRecord | None:
        """What a run did to one node."""
        file = self._file(run_id)
        return (file and file.one(node)) or self._kept(run_id, node)

    def nodes(self, run_id: str) -> dict[str, NodeRecord]:
        """What a run did to its nodes, by node id."""
        found = {node: self._kept(run_id, node) for node in self._store.list(f"{RUNS}/{run_id}/nodes")}
        file = self._file(run_id)
        appended = file.all() if file else {}
        return {node: record for node, record in found.items() if record} | appended

    def save_node(self, run_id: str, node: str, record: NodeRecord) -> None:
        """Write what a run did to one node."""
        if file := self._file(run_id):
            file.save(node, record)
        else:
            self._store.store(f"{RUNS}/{run_id}/nodes", node, plain(record))

    def _kept(self, run_id: str, node: str) -> NodeRecord | None:
        """A node's record that has a key of its own: also where files are, of an older version of this."""
        return read(NodeRecord, self._store.fetch(f"{RUNS}/{run_id}/nodes", node), f"{node} in run {run_id}")

    def _file(self, run_id: str) -> NodeFile | None:
        """The file of a run's nodes, None where the store has no files."""
        if self._folder and run_id not in self._files:
            path = self._folder(f"{RUNS}/{run_id}") / "nodes.log"

            def record_of(data: Any, node: str) -> NodeRecord:
                record = read(NodeRecord, data, f"{node} in run {run_id}")
                assert record is not None  # noqa: S101 - a line tells something
                return record

            self._files[run_id] = NodeFile(path, record_of)
        return self._files.get(run_id)

    def drained(self, node: str) -> DrainRecord | None:
        """What was taken away from a node, None when nothing was."""
        return read(DrainRecord, self._store.fetch(DRAINS, node), f"the drain of {node}")

    def all_drained(self) -> dict[str, DrainRecord]:
        """What was taken away from nodes, by node id."""
        found = {node: self.drained(node) for node in self._store.list(DRAINS)}
        return {node: record for node, record in found.items() if record}

    def save_drained(self, record: DrainRecord) -> None:
        """Write what is taken away from a node."""
        self._store.store(DRAINS, record.node, plain(record))

    def forget_drained(self, node: str) -> None:
        """Everything is back on a node."""
        self._store.flush(DRAINS, node)

    def ask(self, run_id: str, action: str) -> None:
        """Leave a request ("pause" or "abort") for the engine of a run."""
        self._store.store(REQUESTS, run_id, {"action": action, "at": self._clock()})

    def requested(self, run_id: str) -> str | None:
        """What an operator asked of a run: "pause", "abort" or None."""
        request = self._told(forms.REQUEST, REQUESTS, run_id)
        return request.action if request else None

    def clear_request(self, run_id: str) -> None:
        """Forget what an operator asked of a run."""
        if self.requested(run_id):
            self._store.flush(REQUESTS, run_id)

    def confirm(self, run_id: str, keys: Iterable[str]) -> None:
        """An operator's yes to what a run asked, by the keys of its questions."""
        for key in keys:
            # A key has what no name of a file may have.
            name = hashlib.sha256(key.encode()).hexdigest()[:32]
            self._store.store(f"{CONFIRMED}/{run_id}", name, {"key": key, "at": self._clock()})

    def confirmed(self, run_id: str) -> set[str]:
        """The keys to which an operator said yes."""
        bank = f"{CONFIRMED}/{run_id}"
        return {one.key for one in map(self._answer_in(bank), self._store.list(bank)) if one}

    def forget_confirmed(self, run_id: str) -> None:
        """What was confirmed in a run holds no more."""
        self._store.flush(f"{CONFIRMED}/{run_id}")

    def skip(self, run_id: str, node: str) -> None:
        """An operator has a run leave a node out."""
        self._store.store(f"{SKIPPED}/{run_id}", node, {"key": node, "at": self._clock()})

    def skipped(self, run_id: str) -> set[str]:
        """The nodes that an operator had a run leave out."""
        return set(self._store.list(f"{SKIPPED}/{run_id}"))

    def track_custom_images(self, target: str, custom_images: dict[str, Any]) -> None:
        """Remember the custom images that a completed update of a target had."""
        self._store.store(BANK, "custom_images", {"version": target, "custom_images": custom_images})

    def tracked_custom_images(self) -> dict[str, Any]:
        """{"version", "custom_images"} of the last completed update, {} before the first."""
        tracked = self._told(forms.TRACKED, BANK, "custom_images")
        return vars(tracked) if tracked else {}

    def record_tags(self, digests: dict[str, str]) -> None:
        """Remember what tags of custom images are for all nodes: reference → digest."""
        if digests != self.tags():
            self._store.store(BANK, "tags", {"digests": digests})

    def tags(self) -> dict[str, str]:
        """What tags of custom images were when the last run began: reference → digest."""
        found = self._told(forms.TAGS, BANK, "tags")
        return found.digests if found else {}

    def repair(self) -> list[str]:
        """Drop what cannot be read, and nothing else. Returns what that was.

        A run whose record is dropped is closed: what it was for is measured anew by the next one.
        """
        drained = self._store.list(DRAINS)
        dropped = [f"the drain of {node}" for node in drained if self._lost(DRAINS, node, self.drained)]
        for run_id in self.run_ids():
            bank = f"{RUNS}/{run_id}/nodes"
            read = partial(self._kept, run_id)
            nodes = self._store.list(bank)
            dropped += [f"{node} in run {run_id}" for node in nodes if self._lost(bank, node, read)]
            dropped += self.way_back.repair_run(run_id, self._lost)
            if file := self._file(run_id):
                dropped += [f"{node or 'a line of nodes'} in run {run_id}" for node in file.repair()]
            dropped += self.audits.repair_run(run_id, self._lost)
            if self._lost(RUNS, run_id, self.run):
                self._store.flush(bank)
                self._store.flush(f"{RUNS}/{run_id}")
                self.way_back.forget(run_id)
                self.audits.forget(run_id)
                dropped.append(f"run {run_id}")
            if self._lost(REQUESTS, run_id, self.requested):
                dropped.append(f"the request to run {run_id}")
            bank = f"{CONFIRMED}/{run_id}"
            answers = [
                name for name in self._store.list(bank) if self._lost(bank, name, self._answer_in(bank))
            ]
            dropped += [f"an answer to run {run_id}"] * len(answers)
        if self._lost(BANK, "custom_images", lambda _: self.tracked_custom_images()):
            dropped.append("the custom images of the last update")
        if self._lost(BANK, "tags", lambda _: self.tags()):
            dropped.append("what the tags of custom images were")
        dropped += self.way_back.repair(self._lost)
        if self._lost(BANK, "current", lambda _: self.latest()):
            dropped.append("which run was the last one")
        return dropped

    def _answer_in(self, bank: str) -> Callable[[str], forms.Answer | None]:
        return lambda name: self._told(forms.ANSWER, bank, name)

    def _told(self, form: TypeAdapter[F], bank: str, key: str) -> F | None:
        """What a key has, by its form; None where it is not there."""
        data = self._store.fetch(bank, key)
        return None if data == ABSENT else valid(form, data, f"{bank}/{key} in the master's cache")

    def _lost(self, bank: str, key: str, read: Callable[[str], Any]) -> bool:
        """Whether a key cannot be read; it is dropped then."""
        try:
            read(key)
        except RolloutError as error:
            if error.reason != "JOURNAL_DAMAGED":
                raise
            self._store.flush(bank, key)
            return True
        return False


def opened_at(run_id: str) -> float | None:
    """When a run was opened, by its id (seconds since the epoch); None for an id that does not say it."""
    try:
        return float(calendar.timegm(time.strptime(run_id.rpartition("-")[0], _STAMP)))
    except ValueError:
        return None
