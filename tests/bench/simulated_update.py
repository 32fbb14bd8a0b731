"""One measurement of `make bench-engine`, in a process of its own: a whole update of a simulated cloud.

    python simulated_update.py TREE NODES

TREE: the checkout whose engine is measured, of this commit or another. Prints one JSON object: CPU seconds of
this process alone, bytes and MB as named. The clock of the simulated cloud is virtual, so that nothing waits.
"""

from __future__ import annotations

import cProfile
import functools
import gc
import io
import json
import logging
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONTROLLERS, GATEWAYS = 3, 5
BATCH = "10%"  # of computes in flight together
EVENTS_SHOWN = 30
_TERMINAL = (80, 40)  # columns and lines of the one that watches


class Events:
    """Stands for the list of events that a cloud keeps: counts them and their bytes, and keeps a few."""

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self.kept: list[dict[str, Any]] = []

    def append(self, event: tuple[str, dict[str, Any]]) -> None:
        tag, data = event
        self.count += 1
        self.bytes += len(tag) + len(json.dumps(data))
        if data["node"] != "-" and self.count % 100 == 0 and len(self.kept) < EVENTS_SHOWN:
            self.kept.append(data)


class Spent:
    """Counts calls, and the CPU seconds of those that are not made by another of them."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0
        self._inside = False

    def timed(self, call: Any) -> Any:
        """The same call, counted."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return call(*args, **kwargs)
            self._inside, began = True, time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - began
                self.calls += 1
                self._inside = False

        return timed

    @property
    def beside(self) -> float:
        """The CPU seconds of the counting itself that are not among those counted."""
        return self.calls * _beside_a_call()


@functools.cache
def _beside_a_call(times: int = 20000) -> float:
    """What it costs to count one call, as measured here."""
    spent = Spent()
    call, began = spent.timed(lambda: None), time.process_time()
    for _ in range(times):
        call()
    return max(0.0, time.process_time() - began - spent.seconds) / times


class Timed:
    """A journal, or its part, whose calls from outside are counted."""

    def __init__(self, journal: Any, spent: Spent) -> None:
        self._journal, self._spent = journal, spent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        if name.startswith("_"):
            return found
        counted = self._spent.timed(found) if callable(found) else Timed(found, self._spent)
        setattr(self, name, counted)
        return counted


class Measurement:
    """What each part of a simulated cloud's update costs. nodes (int): how many it has."""

    def __init__(self, nodes: int, folder: Path) -> None:
        import salt.cache
        import salt.config

        from openstack_rollout.on_salt.cache_store import CacheStore
        from openstack_rollout.records.journal import Journal
        from tests.unit.simulated_fleet import Cloud, Master, SimulatedFleet

        self.nodes = nodes
        self.figures: dict[str, float] = {"nodes": nodes}
        own = {"controller": CONTROLLERS, "gateway": GATEWAYS}
        self.cloud = Cloud(**own, compute=nodes - sum(own.values()))
        self.cloud.policy("compute", batch=BATCH)
        self.events = self.cloud.events = Events()
        self.master = Master(self.cloud, folder)
        opts = {**salt.config.master_config(None), "cachedir": str(folder / "cache")}
        cache = CacheStore(salt.cache.factory(opts))
        in_files = {"folder": cache.folder} if hasattr(cache, "folder") else {}  # not of older commits
        # Of a process that has read nothing.
        self.fresh = lambda: Journal(cache, self.cloud.clock, **in_files)
        self.kept, self.simulated = Spent(), Spent()
        self.master.journal = Timed(self.fresh(), self.kept)
        for what, name in ((self.cloud, "facts_of"), (self.cloud, "wanted"), (self.master, "content")):
            if hasattr(what, name):  # no part of an engine; not all are of older commits
                setattr(what, name, self.simulated.timed(getattr(what, name)))
        for name in ("start", "poll", "facts", "announce", "new_job", "members"):
            setattr(SimulatedFleet, name, self.simulated.timed(getattr(SimulatedFleet, name)))
        for number, node in enumerate(self.cloud.nodes.values()):
            node.seconds = 20.0 + number % 21  # nodes are not equally fast

    def measure(self) -> dict[str, float]:
        """All figures."""
        self._memory("memory_before_mb")
        self.figures["yardstick_cpu_s"] = _yardstick()
        self._plan()
        # The nodes are no part of an engine: its collector has not to walk over them.
        gc.collect()
        gc.freeze()
        with self._cpu("update"):
            self.master.update()
        self._memory("memory_mb")
        self.figures["events"] = self.events.count
        self.figures["events_mb"] = self.events.bytes / 1e6
        self.figures["journal_calls"] = self.kept.calls
        self.figures["journal_cpu_s"] = self.kept.seconds
        self.figures["simulation_cpu_s"] = self.simulated.seconds
        self.figures["counting_cpu_s"] = self.kept.beside + self.simulated.beside
        self.figures["journal_mb"] = _size(self._folder) / 1e6
        beside = self.kept.seconds + self.simulated.seconds + self.figures["counting_cpu_s"]
        self.figures["engine_cpu_s"] = self.figures["update_cpu_s"] - beside
        self.figures["engine_ms_a_node"] = 1000 * self.figures["engine_cpu_s"] / self.nodes
        # Who looks has a process of his own, and so has the next update.
        gc.collect()
        gc.freeze()
        self._screens()
        before = self._beside()
        with self._cpu("no_op"):
            self.master.update()
        self.figures["no_op_cpu_s"] -= self._beside() - before
        return self.figures

    def _beside(self) -> float:
        """The CPU seconds so far that neither engine nor journal used."""
        return self.simulated.seconds + self.simulated.beside + self.kept.beside

    @property
    def _folder(self) -> Path:
        return Path(self.master.lock._file.path).parent / "cache"

    def _plan(self) -> None:
        from openstack_rollout.rollout import dry_run, plan
        from openstack_rollout.rollout.membership import Membership

        ports = self.master.ports()
        model = self.cloud.model
        members = Membership.of(model, ports.fleet)
        found = members.measure(ports.fleet, members.ids).nodes
        drains = ports.drains(model)
        with self._cpu("plan"):
            plan.of_run(model, members, found, drains)
        with self._cpu("dry_run"):
            dry_run.dry_run(model, ports, lambda nodes, stage: {})

    def _screens(self) -> None:
        from rich.console import Console

        from openstack_rollout.records.journal import plain
        from openstack_rollout.rollout import control, history, status
        from openstack_rollout.rollout.account import account
        from openstack_rollout.rollout.membership import Membership
        from openstack_rollout.screens import tables, watch

        ports, journal = self.master.ports(), self.fresh()
        model = self.cloud.model
        members = Membership.of(model, ports.fleet)
        measured = members.measure(ports.fleet, members.ids)
        with self._cpu("status"):
            run = journal.latest()
            records = journal.nodes(run.id)
            estimate = control.estimate(journal, run, records, self.cloud.now)
            found = status.status(
                *(model, members, measured, run, records),
                drained=journal.all_drained(), gone={}, estimate=estimate,
            )  # fmt: skip
            tables.text(found)
        with self._cpu("report"):
            tables.text(account(self.fresh()))
        with self._cpu("history"):
            history.history(journal)
        records = {node: plain(record) for node, record in journal.nodes(run.id).items()}
        going = {**plain(run), "state": "running"}
        del measured, found
        columns, lines = _TERMINAL
        console = Console(
            file=io.StringIO(), force_terminal=True, width=columns, height=lines, color_system="standard"
        )
        with self._cpu("watch_begin"):
            board = watch.Board(going, records)
            screen = watch.Screen(board, console)
        began = time.thread_time()  # another thread draws four times a second, however many events there are
        with screen:
            for data in self.events.kept:
                screen.show(board.take(data))
        self.figures["watch_ms_an_event"] = 1000 * (time.thread_time() - began) / len(self.events.kept)

    def _cpu(self, name: str) -> _Cpu:
        return _Cpu(self.figures, f"{name}_cpu_s")

    def _memory(self, name: str) -> None:
        self.figures[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Cpu:
    """Around what is measured: writes its CPU seconds. PROFILE=name in the environment prints where."""

    def __init__(self, figures: dict[str, float], name: str) -> None:
        self._figures, self._name = figures, name
        self._profile = cProfile.Profile() if f"{os.environ.get('PROFILE')}_cpu_s" == name else None

    def __enter__(self) -> None:
        self._began = time.process_time()
        if self._profile:
            self._profile.enable()

    def __exit__(self, *_: object) -> None:
        if self._profile:
            import pstats

            self._profile.disable()
            shown = pstats.Stats(self._profile, stream=sys.stderr)
            shown.sort_stats("tottime").print_stats(35)
            shown.sort_stats("cumulative").print_stats(60)
        self._figures[self._name] = time.process_time() - self._began


def _yardstick() -> float:
    """CPU seconds of a piece of work that is always the same: how fast this machine is just now."""
    began = time.process_time()
    for number in range(20000):
        json.loads(json.dumps({"number": number, "some": [str(one) for one in range(20)]}))
    return time.process_time() - began


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def main(tree: str, nodes: int) -> None:
    """Measure, and print."""
    sys.path[:0] = [f"{tree}/_utils", tree]
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(Measurement(nodes, Path(folder)).measure()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
