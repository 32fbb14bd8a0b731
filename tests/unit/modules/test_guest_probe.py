"""guest_probe: a program beside the minion that probes while somebody asks for what it told."""

from __future__ import annotations

import json
import socket
import time

import psutil
import pytest

from openstack_rollout.node import prober
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load


@pytest.fixture
def module(tmp_path):
    made = load("modules", "guest_probe", opts={"cachedir": str(tmp_path)})
    yield made
    for file in (tmp_path / "openstack_rollout_probe").glob("*"):
        file.unlink()
    until(lambda: not programs(tmp_path))


@pytest.fixture
def plan():
    with socket.create_server(("127.0.0.1", 0)) as server:
        guests = {"g": "127.0.0.1"}
        yield {"guests": guests, "port": server.getsockname()[1], "interval": 0.1, "beat": 0.2}


def programs(folder):
    found = []
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        if prober.__file__ in words and words[-1].startswith(str(folder)):
            found.append(one)
    return found


def until(holds):
    end = time.monotonic() + 20
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_what_it_told_is_read_bit_by_bit(module, plan, tmp_path):
    assert module.start("run-1", plan)["now"] <= time.monotonic()
    first = until(lambda: (told := module.read("run-1"))["lines"] and told)
    assert all("seen" in json.loads(line) for line in first["lines"]) and first["now"] <= time.monotonic()
    more = until(lambda: (told := module.read("run-1", after=first["after"]))["lines"] and told)
    assert not set(first["lines"]) & set(more["lines"]) and more["after"] > first["after"]
    module.stop("run-1")
    module.stop("run-1")
    until(lambda: not programs(tmp_path))
    with pytest.raises(NodeError, match="nothing probes under the name run-1"):
        module.read("run-1")


def test_another_one_ends_the_one_before(module, plan, tmp_path):
    module.start("run-1", plan)
    until(lambda: module.read("run-1")["lines"])
    module.start("run-2", plan)
    until(lambda: [one.info["cmdline"][-1] for one in programs(tmp_path)] == [
        str(tmp_path / "openstack_rollout_probe" / "run-2")
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "x" * 65])
def test_a_name_is_no_path(module, plan, name):
    with pytest.raises(NodeError, match="is no name"):
        module.start(name, plan)
