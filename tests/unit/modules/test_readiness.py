"""readiness: what a node tells before a run is what the master accepts; a part that fails spoils no other."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared import readiness as form
from openstack_rollout.declared import share
from openstack_rollout.node import (
    certificates,
    http_answers,
    listening,
    other_installers,
    package_sizes,
    storage,
)
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.sockets import Place
from tests.unit.cloud_pillar import model
from tests.unit.cloud_pillar import node as place
from tests.unit.loading import Commands, load


def cluster(**more):
    nodes = {"ctl1": {"standby": True, "maintenance": False}}
    return {"maintenance": False, "node": "ctl1", "nodes": nodes, "resources": [], **more}


@pytest.fixture
def node(monkeypatch, tmp_path):
    monkeypatch.setattr(other_installers, "_PROC", tmp_path)
    monkeypatch.setattr(certificates, "PLACES", ())
    monkeypatch.setattr(storage, "room", lambda folder: storage.Room("/", 10**9, None))

    def make(**functions):
        salt = {
            "cmd.run_all": Commands({"timedatectl": "yes", "systemctl list-units": "nova_compute.service x"}),
            "package_set.changes": lambda wanted, stage: {"install": {}, "remove": []},
            "bootc.status": lambda: None,
            "system_packages.plan": lambda depth, kept: {"upgrade": {}, "install": {}},
            "x509.read_certificate": lambda text: {},
            **functions,
        }
        pillar = {"openstack_node": share.share(model(), place("compute"))}
        grains = {"id": "cmp1", "os_family": "Debian", "kernelrelease": ""}
        pillar = json.loads(json.dumps(pillar))
        return load("modules", "readiness", salt=salt, pillar=pillar, grains=grains)

    return make


def told(module, **asking):
    return form.read("cmp1", json.loads(json.dumps(module.report(**asking))))


def test_what_a_node_tells_is_what_the_master_accepts(node):
    found = told(node())
    assert found.clock.synchronized and found.failed == {"nova_compute.service": True}
    assert found.begun <= found.ended and found.unknown == {}
    assert set(found.rooms) >= {"/usr", "/boot", "/var/cache/apt/archives"}


@pytest.mark.parametrize("error", [NodeError("REPOSITORY_BROKEN", "no mirror"), OSError("I/O error")])
def test_a_part_that_cannot_be_told_says_why_and_spoils_no_other(node, error):
    def fails(*_):
        raise error

    found = told(node(**{"package_set.changes": fails, "bootc.status": fails}))
    assert list(found.unknown) == ["packages"] and str(error).split()[-1] in found.unknown["packages"]
    assert found.packages.count == 0 and found.clock.synchronized


def test_a_share_that_the_master_refuses_leaves_what_needs_none(node):
    module = node()
    module.__pillar__["openstack_node"] = {"refused": {"reason": "UNKNOWN_TARGET", "message": "no target"}}
    found = told(module)
    assert "share" in found.unknown and found.clock.synchronized


def test_no_part_is_begun_once_the_others_took_too_long(node):
    module = node()
    module._PATIENCE = -1
    found = told(module)
    assert found.unknown["clock"] == "the other parts took too long" and not found.rooms


def test_only_packages_of_the_stages_of_a_run_count(node):
    asked = []

    def changes(wanted, stage):
        asked.append(stage)
        return {"install": {}, "remove": []}

    module = node(**{"package_set.changes": changes, "system_packages.plan": None, "bootc.status": dict})
    told(module, stages=["ovs"])
    assert set(asked) == {"ovs"}


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (None, []),
        (cluster(), ["Pacemaker: this node is in standby"]),
        (cluster(maintenance=True, nodes={}), ["Pacemaker: the cluster is in maintenance mode"]),
        (
            cluster(nodes={}, resources=[{"id": "vip", "managed": False}, {"id": "db", "managed": True}]),
            ["Pacemaker: resource vip is not managed"],
        ),
    ],
)
def test_what_operators_have_set_in_pacemaker_is_told(node, status, lines):
    assert told(node(**{"pacemaker.status": lambda: status})).by_hand == lines


def test_a_pacemaker_that_does_not_answer_is_its_own_condition(node):
    def fails():
        raise NodeError("QUORUM_AT_RISK", "no answer")

    assert told(node(**{"pacemaker.status": fails})).by_hand == []


def test_a_masked_unit_of_a_service_is_told(node):
    run = Commands({"systemctl list-unit-files": "nova_compute.service masked enabled"})
    found = told(node(**{"cmd.run_all": run}))
    assert found.by_hand == ["nova_compute.service is masked"]


@pytest.mark.parametrize(("hangs", "lines"), [(True, 1), (False, 0)])
def test_an_api_that_takes_connections_and_never_answers_is_told(node, monkeypatch, hangs, lines):
    module = node()
    api = {"name": "neutron", "units": ["neutron-api.service"], "http": "/"}
    other = {"name": "nova-scheduler", "units": ["nova-scheduler.service"], "http": ""}
    found = {"packaged": [api, other], "services": [], "packages": {}, "system": {}}
    monkeypatch.setattr(module, "_share", lambda fresh: found)
    monkeypatch.setattr(module, "_packages", lambda share, stages: package_sizes.needed({}, {}, is_apt=True))
    monkeypatch.setattr(http_answers, "_WITHIN", 0.2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        place = Place("127.0.0.1", server.server_port)
        monkeypatch.setattr(listening, "of", lambda units: {place})
        if not hangs:  # who is not served is taken in by the system all the same
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mute = told(module).mute
        if not hangs:
            server.shutdown()
    assert len(mute) == lines and all(
        f"neutron: no HTTP answer at 127.0.0.1:{place.port}/" == one for one in mute
    )


def test_an_api_is_not_asked_any_more_once_the_others_took_too_long(node, monkeypatch):
    asked = []
    monkeypatch.setattr(http_answers, "lacking", lambda units, path: asked.append(units) or [])
    api = {"name": "neutron", "units": ["neutron-api.service"], "http": "/"}
    assert list(node()._mute({"packaged": [api]}, 0.0)) == ["neutron: not asked, the others took too long"]
    assert asked == []


def test_systemd_that_fails_is_told(node):
    def run(command, **_):
        raise CommandExecutionError("no bus")

    assert {"failed", "by_hand"} <= set(told(node(**{"cmd.run_all": run})).unknown)
