"""The drain of Ceph on a real one: three hosts lose their power one after the other under a client."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.ceph import Ceph
from openstack_rollout.drains.contract import Answer
from openstack_rollout.errors import RolloutError
from openstack_rollout.node import errors
from tests.lab.ceph import cluster
from tests.lab.ceph.hosts import Hosts
from tests.lab.enclosure import wait_for
from tests.unit.loading import load

pytestmark = pytest.mark.timeout(1200)
HOSTS = ("sto1", "sto2", "sto3")
CLIENT = "cmp1"
LIMIT = 90


class Ask:
    """In place of Salt: the module itself, with the commands of a host."""

    def __init__(self, hosts: Hosts):
        self._hosts = hosts

    def members(self, target):
        return [node for node in self._hosts.nodes if node.startswith(target.rstrip("*"))]

    def ask(self, nodes, function, keywords=None, timeout=15):
        return {node: self._answer(node, function.partition(".")[2], keywords or {}) for node in nodes}

    def _answer(self, node, function, keywords):
        if not self._hosts.running(node):
            return Answer(None, "no answer", "NODE_SILENT")
        try:
            return Answer(getattr(self._module(node), function)(**keywords))
        except CommandExecutionError as error:
            return Answer(None, errors.text_of(error), errors.reason_of(error))

    def _module(self, node):
        def run(command, timeout=None, **_):
            try:
                done = self._hosts.exec(node, list(command), check=False, timeout=timeout or 60)
            except subprocess.TimeoutExpired as late:  # as Salt has it
                return {"retcode": 1, "stdout": str(late), "stderr": ""}
            return {"retcode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

        def which(name):
            return name if self._hosts.seen(node, f"/usr/bin/{name}").exists() else None

        module = load(
            "modules", "ceph_cluster", salt={"cmd.run_all": run, "cmd.which": which}, grains={"id": node}
        )
        for name, path in (("PROC", "/proc"), ("LIBRARY", "/var/lib/ceph")):
            setattr(module, f"_{name}", self._hosts.seen(node, path))
        module._CONFIGURATION = self._hosts.seen(node, "/etc/ceph/ceph.conf")
        module._ADMIN = self._hosts.seen(node, "/etc/ceph/ceph.client.admin.keyring")
        module.socket = type("Named", (), {"gethostname": staticmethod(lambda: node)})
        return module


def said(ceph, host, function):
    answer = Ask(ceph).ask([host], f"ceph_cluster.{function}")[host]
    assert not answer.error, answer
    return answer.value


class Record:
    def __init__(self):
        self.data = {}

    def save(self):
        self.saved = json.loads(json.dumps(self.data))


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with Hosts(tmp_path_factory.mktemp("ceph")) as hosts:
        cluster.build(hosts)
        cluster.ask(hosts, "osd", "set", "nodeep-scrub", form="plain")
        cluster.ask(hosts, "osd", "set-group", "noout", "osd.1", form="plain")
        yield hosts


@pytest.fixture
def drain(ceph):
    page = {
        "roles": {"storage": "sto*"},
        "policies": {"storage": {"drain": "ceph", "batch": 3, "return_timeout": LIMIT}},
    }
    return Ceph(Model.model_validate(page), "storage", Ask(ceph))


def whole(ceph):
    return wait_for(lambda: cluster.whole(ceph), LIMIT, 0.5)


def test_what_a_host_carries_is_told_by_its_own_processes_and_by_the_cluster(ceph):
    for number, host in enumerate(HOSTS):
        found = said(ceph, host, "here")
        assert found["daemons"] == {"mon": [host], "mgr": [host], "osd": [str(number)]} and found["asks"]
        places = said(ceph, host, "places")
        assert places["on"][host] == found["daemons"] and places["crush"][host] == [str(number)]
        assert said(ceph, host, "status")["fsid"] == found["fsid"]


def test_one_host_may_go_and_not_two(ceph, drain):
    drain.refuse(HOSTS)
    assert drain.capacity(HOSTS) == 1
    first, second = Record(), Record()
    drain.drain("sto1", first)
    with pytest.raises(RolloutError, match=r"^CEPH_AT_RISK: sto2"):
        drain.drain("sto2", second)
    assert cluster.flags(ceph)["crush_node_flags"] == {"sto1": ["noout"]} and second.data == {}
    drain.restore("sto1", first)
    assert cluster.flags(ceph)["crush_node_flags"] == {}


def test_while_another_host_is_away_none_may_go(ceph, drain):
    before = cluster.flags(ceph)
    ceph.kill("sto3")
    assert wait_for(lambda: not cluster.whole(ceph), LIMIT, 0.5)
    with pytest.raises(RolloutError) as refused:
        drain.refuse(["sto1"])
    assert refused.value.reason == "CEPH_AT_RISK"
    ceph.start("sto3")
    assert whole(ceph) and cluster.flags(ceph) == before


def test_three_hosts_go_one_after_the_other_and_no_client_is_met_by_an_error(ceph, drain, tmp_path):
    before = cluster.flags(ceph), sorted(cluster.status(ceph)["health"]["checks"])
    log = tmp_path / "client"
    with log.open("w") as output:
        client = subprocess.Popen(
            ceph.command(CLIENT, ["/usr/local/lib/lab-ceph-client", cluster.POOL]), stdout=output
        )
    try:
        time.sleep(3)
        for host in HOSTS:
            record = Record()
            drain.drain(host, record)
            assert cluster.flags(ceph)["crush_node_flags"] == {host: ["noout"]}
            ceph.kill(host)
            time.sleep(5)
            ceph.start(host)
            print(drain.restore(host, record))
            assert cluster.whole(ceph)
        time.sleep(2)
    finally:
        ceph.exec(CLIENT, ["pkill", "-TERM", "-f", "lab-ceph-client"])
        client.wait(60)
    told = [json.loads(line) for line in Path(log).read_text().splitlines()]
    (end,) = [one for one in told if one["kind"] == "end"]
    print(end, [one for one in told if one["kind"] == "slow"])
    assert [one for one in told if one["kind"] == "error"] == [] and end["reads"] == end["writes"] > 100
    assert (cluster.flags(ceph), sorted(cluster.status(ceph)["health"]["checks"])) == before


def test_a_ceph_without_a_manager_is_not_known_to_be_whole(ceph, drain):
    for host in HOSTS:
        ceph.exec(host, ["pkill", "-KILL", "ceph-mgr"])
    with pytest.raises(RolloutError) as refused:
        drain.refuse(["sto1"])
    assert refused.value.reason == "CEPH_UNREACHABLE"
