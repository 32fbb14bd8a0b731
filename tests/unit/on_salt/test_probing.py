"""The program that probes, as a run has it: as a process of the master, or of a node over Salt."""

from __future__ import annotations

import json
import socket
import time

import pytest

from openstack_rollout.drains.contract import Answer
from openstack_rollout.on_salt import probing


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_here_it_tells_and_ends_with_its_last_word(port, monkeypatch):
    monkeypatch.setattr(probing, "_BEAT", 0.2)
    probes = probing.here({"port": port}, {"g": "127.0.0.1"}, 0.1)
    told, end = [], time.monotonic() + 20
    while not told and time.monotonic() < end:
        told += probes.read(0.5)
    assert told[0]["counts"]["g"][0] >= 1 and told[0]["seen"] <= time.monotonic()
    last = list(probes.close())[-1]
    assert last["counts"]["g"][0] >= told[0]["counts"]["g"][0]
    assert probes._process.poll() == 0


def test_a_program_that_died_is_an_error_and_a_hanging_one_is_killed(port, monkeypatch):
    monkeypatch.setattr(probing, "_ENDS", 0.3)
    probes = probing.here({"port": port}, {"g": "127.0.0.1"}, 0.1)
    probes._process.send_signal(19)
    assert probes.close() is not None and probes._process.poll() == -9
    probes = probing.here({"port": port}, {"g": "127.0.0.1"}, 0.1)
    probes._process.kill()
    with pytest.raises(OSError, match="has ended"):
        while True:
            probes.read(1)
    probes.close()


class Node:
    """A node whose monotonic clock shows more than ours. asked: what it was asked for."""

    def __init__(self, ahead=1000.0, error=""):
        self.ahead, self.error, self.asked, self.lines = ahead, error, [], []

    def members(self, target):
        return [target]

    def ask(self, nodes, function, keywords=None, timeout=15):
        (node,) = nodes
        self.asked.append((function, keywords))
        now = time.monotonic() + self.ahead
        lines, self.lines = [json.dumps(one) for one in self.lines], []
        return {node: Answer({"lines": lines, "after": 7, "now": now}, self.error)}


def test_a_node_tells_by_its_own_clock_which_is_not_ours():
    node = Node()
    probes = probing.on_node(node, "ctl1", "20261130-120000-abcd", {"port": None}, {"g": "203.0.113.7"}, 1.0)
    (function, keywords) = node.asked[0]
    assert function == "guest_probe.start" and keywords["name"].startswith("20261130-120000-abcd-")
    assert keywords["plan"]["guests"] == {"g": "203.0.113.7"} and keywords["plan"]["port"] is None
    at = time.monotonic()
    node.lines = [
        {"seen": at + 1000, "counts": {"g": [3, 3]}},
        {"gap": "g", "at": at + 1001, "first": False, "counts": {}},
        {"unseen": [at + 1002, at + 1003]},
    ]
    seen, gap, unseen = probes.read(1)
    assert seen["seen"] == pytest.approx(at, abs=0.2) and seen["counts"] == {"g": [3, 3]}
    assert gap["at"] == pytest.approx(at + 1, abs=0.2) and gap["gap"] == "g"
    assert unseen["unseen"] == pytest.approx([at + 2, at + 3], abs=0.2)
    assert probes.read(0.01) == []  # it is not asked all the time
    assert probes.close() == []
    assert [one for one, _ in node.asked] == [
        f"guest_probe.{one}" for one in ("start", "read", "read", "stop")
    ]
    assert node.asked[2][1]["after"] == 7 and node.asked[3][1] == {"name": keywords["name"]}


def test_a_node_that_does_not_answer_is_an_error():
    with pytest.raises(OSError, match="ctl1: no answer"):
        probing.on_node(Node(error="no answer"), "ctl1", "run", {"port": 22}, {"g": "203.0.113.7"}, 1.0)
