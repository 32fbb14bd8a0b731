"""What guests felt, written down while a run goes on: whatever fails, and whoever dies."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from openstack_rollout.declared.audit import Audit
from openstack_rollout.records.audits import Audits
from openstack_rollout.rollout import auditing
from openstack_rollout.rollout.auditing import Auditor, Found
from tests.unit.simulated_fleet import MemoryStore

RUN, WEB = "20261130-120000-abcd", "203.0.113.7"
BEGAN = 1_800_000_000.0


class World:
    """Probes that tell what a test says, of a clock that it moves. opened: what was opened, in order."""

    def __init__(self):
        self.store = MemoryStore()
        self.audits = Audits(self.store)
        self.now = 100.0  # monotonic
        self.opened = []
        self.error = None
        self.servers = {}
        self.looked = 0

    def clock(self):
        return BEGAN + self.now

    def open(self, addresses, apart):
        if self.error:
            raise self.error
        self.opened.append(Told(addresses, apart))
        return self.opened[-1]

    def find(self, servers):
        self.looked += 1
        if isinstance(self.servers, Exception):
            raise self.servers
        return {one: self.servers.get(one, Found(problem=f"no server is called {one}")) for one in servers}

    def auditor(self, **declared):
        audit = Audit(**(declared or {"addresses": [WEB]}))
        return Auditor(RUN, audit, self.audits, self.find, self.open, self.clock, lambda: self.now)

    def until(self, holds):
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.005)

    def told(self, probes, *lines):
        """Have probes tell something, and wait until it is heard."""
        probes.lines += lines
        self.until(lambda: not probes.lines and probes.reads > probes.last + 1)

    @property
    def probes(self):
        self.until(lambda: self.opened)
        return self.opened[-1]


class Told:
    def __init__(self, addresses, apart):
        self.addresses, self.apart = addresses, apart
        self.lines, self.rest = [], []
        self.reads = self.last = 0
        self.closed = False

    def read(self, seconds):
        time.sleep(0.005)
        self.reads += 1
        found, self.lines = self.lines, []
        if found:
            self.last = self.reads
        for one in found:
            if isinstance(one, Exception):
                raise one
        return found

    def close(self):
        self.closed = True
        return self.rest


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(auditing, "RETRY", 0.02)
    monkeypatch.setattr(auditing, "SAVES", 0.0)
    return World()


def seen(at, sent=0, answered=0, key="g0001"):
    return {"seen": at, "counts": {key: [sent, answered]}}


def guest(world):
    (found,) = world.audits.guests(RUN).values()
    return found


def test_a_gap_from_the_first_lost_probe_to_the_first_answered_one_by_the_runs_clock(world):
    auditor = world.auditor()
    auditor.start()
    world.told(world.probes, seen(100, 1, 1), {"gap": "g0001", "at": 101.0, "first": False, "counts": {}})
    world.now = 110.0
    assert [(one.begun, one.ended) for one in guest(world).gaps] == [(BEGAN + 101, None)]
    world.told(
        world.probes, {"over": "g0001", "at": 104.5, "lost": 4, "counts": {"g0001": [6, 2]}}, seen(109, 9, 5)
    )
    auditor.close()
    (gap,) = guest(world).gaps
    assert (gap.begun, gap.ended, gap.lost, gap.cut_before, gap.cut_after) == (
        BEGAN + 101, BEGAN + 104.5, 4, False, False,
    )  # fmt: skip
    assert (guest(world).sent, guest(world).answered) == (9, 5) and world.probes.closed
    assert world.audits.probed(RUN).stretches == [(BEGAN + 100, BEGAN + 109)]


def test_who_never_answered_has_no_gap(world):
    auditor = world.auditor()
    auditor.start()
    world.told(
        world.probes, {"gap": "g0001", "at": 100.0, "first": True, "counts": {"g0001": [1, 0]}}, seen(130, 30)
    )
    auditor.close()
    assert guest(world).gaps == [] and (guest(world).sent, guest(world).answered) == (30, 0)


def test_the_last_word_of_the_probes_counts(world):
    auditor = world.auditor()
    auditor.start()
    world.told(world.probes, seen(100, 1, 1))
    world.probes.rest = [{"gap": "g0001", "at": 101.0, "first": False, "counts": {}}, seen(105, 6, 1)]
    auditor.close()
    (gap,) = guest(world).gaps
    assert (gap.begun, gap.ended, gap.cut_after) == (BEGAN + 101, BEGAN + 105, True)


def test_after_a_kill_the_time_in_which_nobody_probed_is_no_gap_and_none(world):
    killed = world.auditor()
    killed.start()
    first = world.probes
    world.told(
        first, seen(100, 1, 1), {"gap": "g0001", "at": 101.0, "first": False, "counts": {}}, seen(103, 4, 1)
    )
    kept = {bank: dict(keys) for bank, keys in world.store.__dict__.items() if isinstance(keys, dict)}
    assert kept
    world.until(lambda: guest(world).gaps and world.audits.probed(RUN).stretches[-1][1] == BEGAN + 103)
    saved = [guest(world), world.audits.probed(RUN)]
    killed.close()
    world.audits.save_guests(RUN, {"g0001": saved[0]})  # as the killed one left it
    world.audits.save_probed(RUN, saved[1])
    world.now = 300.0
    resumed = world.auditor()
    resumed.start()
    world.until(lambda: len(world.opened) == 2)
    lost = {"gap": "g0001", "at": 300.0, "first": True, "counts": {"g0001": [1, 0]}}
    world.told(
        world.probes,
        lost,
        {"over": "g0001", "at": 302.0, "lost": 2, "counts": {"g0001": [3, 1]}},
        seen(305, 6, 4),
    )
    resumed.close()
    told = [(one.begun, one.ended, one.cut_before, one.cut_after) for one in guest(world).gaps]
    assert told == [
        (BEGAN + 101, BEGAN + 103, False, True),
        (BEGAN + 300, BEGAN + 302, True, False),
    ]
    assert world.audits.probed(RUN).stretches == [(BEGAN + 100, BEGAN + 103), (BEGAN + 300, BEGAN + 305)]
    assert (guest(world).sent, guest(world).answered) == (10, 5)


def test_a_program_that_did_not_run_knows_nothing_of_that_time(world):
    auditor = world.auditor()
    auditor.start()
    gap = {"gap": "g0001", "at": 101.0, "first": False, "counts": {}}
    world.told(world.probes, seen(100, 1, 1), gap, {"unseen": [102.0, 160.0]}, seen(165, 7, 6))
    auditor.close()
    (gap,) = guest(world).gaps
    assert (gap.ended, gap.cut_after) == (BEGAN + 102, True)
    assert world.audits.probed(RUN).stretches == [(BEGAN + 100, BEGAN + 102), (BEGAN + 160, BEGAN + 165)]


def test_probes_that_fail_are_opened_again_and_the_time_between_is_unknown(world):
    auditor = world.auditor()
    auditor.start()
    world.told(world.probes, seen(100, 1, 1))
    world.probes.lines.append(OSError("the program that probes has ended"))
    world.until(lambda: len(world.opened) == 2)
    world.told(world.probes, seen(140, 1, 1))
    auditor.close()
    assert world.audits.probed(RUN).stretches == [(BEGAN + 100, BEGAN + 100), (BEGAN + 140, BEGAN + 140)]
    assert world.audits.probed(RUN).problem == ""


def test_what_cannot_be_probed_at_all_says_why(world):
    world.error = OSError("ICMP: no ping sockets,\n no ping")
    auditor = world.auditor()
    auditor.start()
    world.until(lambda: (found := world.audits.probed(RUN)) and found.problem)
    auditor.close()
    assert world.audits.probed(RUN).problem == "ICMP: no ping sockets, no ping"


def test_a_journal_that_refuses_fails_nothing(world):
    refusing = threading.Event()
    refusing.set()
    store, stored = world.store, world.store.store

    def store_(*of):
        if refusing.is_set():
            raise OSError("no space left")
        stored(*of)

    store.store = store_
    auditor = world.auditor()
    auditor.start()
    world.told(world.probes, seen(100, 1, 1))
    refusing.clear()
    world.until(lambda: world.audits.guests(RUN))
    auditor.close()
    assert guest(world).address == WEB


def test_servers_are_probed_where_nova_says_and_one_that_is_not_there_is_told(world):
    world.servers = {"web": Found("id-1", "cmp1", (WEB, "203.0.113.8"))}
    auditor = world.auditor(servers=["web", "gone"], addresses=["203.0.113.9"], per_second=1)
    auditor.start()
    assert sorted(world.probes.addresses.values()) == [WEB, "203.0.113.8", "203.0.113.9"]
    assert world.probes.apart == 3.0
    world.until(lambda: len(world.audits.guests(RUN)) == 4)
    auditor.close()
    found = {(one.server, one.address): one for one in world.audits.guests(RUN).values()}
    assert (found["web", WEB].id, found["web", WEB].host) == ("id-1", "cmp1")
    assert found["gone", ""].problem == "no server is called gone"


def test_while_nova_cannot_be_asked_addresses_are_probed_and_servers_that_are_known(world):
    world.servers = {"web": Found("id-1", "cmp1", (WEB,))}
    first = world.auditor(servers=["web"])
    first.start()
    world.told(world.probes, seen(100, 1, 1))
    first.close()
    world.servers = RuntimeError("compute API is down")
    second = world.auditor(servers=["web", "db"])
    second.start()
    world.until(lambda: len(world.opened) == 2)
    assert list(world.probes.addresses.values()) == [WEB]
    world.servers = {"web": Found("id-1", "cmp2", (WEB,)), "db": Found("id-2", "cmp1", ("203.0.113.8",))}
    world.now += 1000
    world.until(lambda: len(world.opened) == 3)
    assert sorted(world.probes.addresses.values()) == [WEB, "203.0.113.8"]
    second.close()
    found = {(one.server, one.address): one.host for one in world.audits.guests(RUN).values() if one.address}
    assert found == {("web", WEB): "cmp2", ("db", "203.0.113.8"): "cmp1"}


def test_a_gap_knows_the_host_of_its_server_as_it_began(world):
    world.servers = {"web": Found("id-1", "cmp1", (WEB,))}
    auditor = world.auditor(servers=["web"])
    auditor.start()
    gap = {"gap": "g0001", "at": 101.0, "first": False, "counts": {}}
    over = {"over": "g0001", "at": 102.0, "lost": 1, "counts": {}}
    world.told(world.probes, seen(100, 1, 1), gap)
    world.servers = {"web": Found("id-1", "cmp2", (WEB,))}
    world.told(world.probes, over)
    looked = world.looked
    world.now += auditing.AFTER_A_GAP + 1
    world.until(lambda: world.looked > looked)
    world.told(world.probes, {**gap, "at": 140.0}, {**over, "at": 141.0})
    auditor.close()
    assert [one.host for one in guest(world).gaps] == ["cmp1", "cmp2"]


def test_its_end_waits_for_seconds_alone(world, monkeypatch):
    monkeypatch.setattr(auditing, "CLOSES", 0.1)
    auditor = world.auditor()
    auditor.start()
    hangs = threading.Event()
    world.probes.close = lambda: hangs.wait(20) and []
    began = time.monotonic()
    auditor.close()
    assert time.monotonic() - began < 5
    hangs.set()


def test_of_very_many_gaps_the_longest_stay(world):
    auditor = world.auditor()
    auditor.start()
    lines = []
    for number in itertools.islice(itertools.count(), 250):
        at = 1000.0 + 10 * number
        lines.append({"gap": "g0001", "at": at, "first": False, "counts": {"g0001": [1, 1]}})
        lines.append({"over": "g0001", "at": at + 1 + number % 7, "lost": 1, "counts": {}})
    world.told(world.probes, *lines)
    auditor.close()
    found = guest(world)
    assert len(found.gaps) + found.forgotten == 250 and len(found.gaps) == 200
    assert min(one.ended - one.begun for one in found.gaps) == pytest.approx(2.0)
