"""What guests feel of a real engine's run: of a listener that stops, and of an engine that is killed."""

from __future__ import annotations

import os
import signal
import socket
import time

import psutil
import pytest

from tests.integration.simulated_cloud import PATIENCE

SLOW = {"seconds": {"ovn": 25}}


class Guest:
    """A port of this machine that takes connections, or none."""

    def __init__(self):
        self.open(0)
        self.port = self._socket.getsockname()[1]

    def open(self, port=None):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port if port is None else port))
        self._socket.listen(500)

    def gone(self, seconds):
        """Take no connection for some seconds; returns from when to when."""
        began = time.time()
        self._socket.close()
        time.sleep(seconds)
        self.open()
        return began, time.time()


@pytest.fixture
def guest():
    made = Guest()
    yield made
    made._socket.close()


def declared(guest, **more):
    return {"addresses": ["127.0.0.1"], "tcp_port": guest.port, "interval": 0.2, **more}


def told(cloud):
    audit = cloud.json("rollout.report")["audit"]
    (found,) = audit["guests"]
    return audit, found["gaps"]


def near(gap, gone):
    """Whether a gap is that of a time in which nobody took a connection, also on a busy machine."""
    return abs(gap["from"] - gone[0]) < 1.5 and abs(gap["to"] - gone[1]) < 1.5


@pytest.mark.long  # SUITE=eyes, and a killed process in unit tests
def test_gaps_are_put_down_to_their_step_and_a_killed_engine_knows_nothing(cloud, guest):
    cloud.fresh(audit=declared(guest), cmp1=SLOW, cmp2=SLOW)
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        time.sleep(2)
        first = guest.gone(3)
        time.sleep(8)  # what is known is written within seconds
        probers = [
            one
            for one in psutil.Process(update.pid).children(recursive=True)
            if "prober.py" in str(one.cmdline())
        ]
        assert len(probers) == 1
        os.kill(update.pid, signal.SIGKILL)
        killed = time.time()
        update.communicate()
        _, alive = psutil.wait_procs(probers, timeout=10)
        assert not alive
    unseen = guest.gone(2)
    with cloud.events() as events:
        resumed = cloud.popen("rollout.run", "ovn")
        events.until(resumed, stage="ovn", node="cmp2", step="apply", status="started")
        time.sleep(2)
        second = guest.gone(2)
        output, _ = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, output
    audit, gaps = told(cloud)
    print(f"stopped {first}, {unseen} (unseen), {second}; told {gaps}; unknown {audit['unknown']}")
    assert len(gaps) == 2 and near(gaps[0], first) and near(gaps[1], second)
    step = {"stage": "ovn", "round": "", "step": "apply"}
    assert [one["causes"] for one in gaps] == [[{"node": node, **step}] for node in ("cmp1", "cmp2")]
    assert not any(one["cut"] or one["lasts"] for one in gaps)
    (unknown,) = [one for one in audit["unknown"] if one["from"] < killed < one["to"]]
    assert unknown["from"] > first[1] and unknown["from"] <= unseen[0] and unknown["to"] >= unseen[1]
    assert "PUT DOWN TO" in cloud.run("rollout.report").stdout


def test_a_minion_probes_where_it_is_told_to(cloud, guest):
    cloud.fresh(audit=declared(guest, node="cmp2"), cmp1={"seconds": {"ovn": 15}})
    with cloud.events() as events:
        update = cloud.popen("rollout.run", "ovn")
        events.until(update, stage="ovn", node="cmp1", step="apply", status="started")
        time.sleep(2)
        gone = guest.gone(3)
        output, _ = update.communicate(timeout=PATIENCE)
    assert update.returncode == 0, output
    audit, gaps = told(cloud)
    print(f"stopped {gone}; told {gaps}")
    assert audit["by"] == "cmp2" and audit["problem"] == ""
    assert len(gaps) == 1 and near(gaps[0], gone) and gaps[0]["causes"][0]["node"] == "cmp1"


def test_who_cannot_be_probed_is_warned_of_and_the_run_goes_on(cloud, guest):
    cloud.fresh(audit=declared(guest, node="ctl9"))
    done = cloud.run("rollout.run", "ovn")
    assert done.returncode == 0, done.stdout
    data = cloud.json("rollout.report")
    assert "ctl9 is no accepted minion" in data["run"]["conditions"]["audit"]["seen"][0]
    assert data["audit"]["problem"] and data["audit"]["unknown"]
    cloud.fresh(audit={"addresses": ["web.example"]})
    refused = cloud.run("rollout.run", "ovn")
    assert refused.returncode == 1 and refused.stdout.count("\n") == 1
    assert refused.stdout.startswith("INVALID_PILLAR: openstack:audit:addresses:0: "), refused.stdout
