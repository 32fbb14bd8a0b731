"""openstack_node: a node's desired state and facts, from the shipped catalogue and a small pillar."""

from __future__ import annotations

import copy
import fnmatch
import json
from pathlib import Path

import pytest
import yaml
from salt.exceptions import CommandExecutionError

from tests.unit.loading import load

CATALOGUE = yaml.safe_load((Path(__file__).parents[3] / "pillar/openstack/services.sls").read_text())[
    "openstack"
]


def image(key, version):
    return f"registry.example/{key}@sha256:{version.replace('.', '') * 22:0<64.64}"


def images(version):
    keys = {entry["image"] for entry in CATALOGUE["service_types"].values()}
    return {
        key: {"default": image(key, version)} if key.endswith("_images") else image(key, version)
        for key in keys
    }


PILLAR = {
    "openstack": {
        **CATALOGUE,
        "target_version": "1.0.1",
        "roles": {"controller": "ctl*", "gateway": "gtw*", "compute": "cmp*"},
        "zones": {"az1": "cmp1", "az2": "cmp2"},
        "services": {"nova": {"options": {"DEFAULT": {"transport_url": "secret"}}}},
        "releases": {
            version: {"images": images(version), "packages": {"openstack-selinux": version, "bash": "5"}}
            for version in ("1.0.0", "1.0.1")
        },
    }
}


def node(minion="cmp1", pillar=None, **functions):
    salt = {
        "match.compound": lambda target: fnmatch.fnmatchcase(minion, target),
        "quadlet.managed": dict,
        "legacy_unit.present": lambda units: [],
        "ovn_controller.pending": lambda container: None,
        **functions,
    }
    pillar = PILLAR if pillar is None else pillar
    return load(
        "modules", "openstack_node", salt=salt, pillar=pillar, grains={"id": minion, "os_family": "RedHat"}
    )


def measuring(containers, local, **functions):
    return {
        "podman.containers": lambda: containers,
        "podman.image_ids": lambda references: {ref: f"id-{ref}" for ref in references if ref in local},
        "package_set.installed": lambda: {"bash": ["5"]},
        "ovs.status": lambda: None,
        "ovs.switch": lambda: None,
        "datapath.health": list,
        "reboot_needed.evidence": lambda thorough: [],
        "bootc.status": lambda: None,
        "pkg.version_cmp": lambda one, other: 0,
        "rollout_hooks.due": lambda openstack: [],
        "minion_package.state": lambda: {"state": "none"},
        "system_packages.held": list,
        "system_packages.configuration": list,
        "system_packages.plan": lambda depth, kept: {"upgrade": {}, "held": {}},
        **functions,
    }


def test_a_compute_of_a_zone():
    desired = node().desired()
    assert (desired["version"], desired["roles"], desired["zone"]) == ("1.0.1", ["compute"], "az1")
    assert desired["stages"] == ["ovn", "services", "ovs", "system"]
    assert desired["last"] == "services"
    assert {"ovn_controller", "nova_compute"} <= set(desired["containers"])


def test_what_is_guarded_is_known_without_a_target():
    known = node("ctl1").guarded()
    assert known["mariadb"] == "galera" and "memcached" not in known
    untargeted = {"openstack": {**PILLAR["openstack"], "target_version": ""}}
    assert node("ctl1", untargeted).guarded() == known
    assert node("cmp1", untargeted).guarded() == {"ovn_controller": "ovn_controller"}


def test_a_stage_alone():
    desired = node().desired("services")
    assert {service["stage"] for service in desired["services"]} == {"services"}
    assert desired["packages"] == {"openstack-selinux": "1.0.1"}
    assert desired["images"] == [service["image"] for service in desired["services"]]
    assert "ovn_controller" in desired["containers"]
    assert node("ctl1").desired("services")["packages"] == {}
    assert node("ctl1").desired("control_plane")["last"] == "control_plane"


def test_an_image_belongs_to_the_first_stage_that_needs_it():
    pillar = copy.deepcopy(PILLAR)
    pillar["openstack"]["services"]["node-exporter"] = {"image": "ovn_controller_image"}
    assert image("ovn_controller_image", "1.0.1") not in node(pillar=pillar).desired("services")["images"]


@pytest.mark.parametrize("pillar", [PILLAR, {}])
def test_a_minion_without_a_role_has_nothing(pillar):
    for stage in (None, "ovn", "services", "system"):
        desired = node("web1", pillar).desired(stage)
        assert (desired["stages"], desired["services"], desired["last"]) == ([], [], None)


def test_a_bad_pillar_is_refused_by_its_key():
    pillar = copy.deepcopy(PILLAR)
    pillar["openstack"]["custom_image"] = {}
    for call in (node(pillar=pillar).desired, node(pillar=pillar).facts):
        with pytest.raises(
            CommandExecutionError, match=r"^INVALID_PILLAR: openstack:custom_image.*custom_images"
        ):
            call()
    pillar = copy.deepcopy(PILLAR)
    pillar["openstack"]["target_version"] = "9.9.9"
    with pytest.raises(CommandExecutionError, match=r"^UNKNOWN_TARGET: .*9\.9\.9"):
        node(pillar=pillar).facts()


def test_facts_measure_and_carry_no_secrets():
    old = image("nova_compute_image", "1.0.0")
    containers = {
        "nova_compute": {
            "running": True,
            "image_id": f"id-{old}",
            "healthy": True,
            "labels": {"x": "secret"},
        },
        "dnsmasq-1": {"running": True, "image_id": "z", "healthy": None, "labels": {}},
    }
    functions = measuring(containers, {old, image("nova_compute_image", "1.0.1")})
    facts = node(
        **functions,
        **{
            "quadlet.managed": lambda: {"nova_compute": "nova_compute.service", "swift": "swift.service"},
            "legacy_unit.present": lambda units: [unit for unit in units if unit == "edpm_nova_compute"],
        },
    ).facts()
    assert (facts["id"], facts["target"], facts["deployed"], facts["zone"]) == ("cmp1", "1.0.1", None, "az1")
    assert facts["services"]["nova"]["release"] == "1.0.0"
    assert facts["stages"]["system"] == []
    assert any("ovn_controller" in line for line in facts["stages"]["ovn"])
    assert len(facts["boot_id"]) == 36
    notes = "\n".join(facts["notes"])
    assert "dnsmasq-1" in notes and "swift" in notes and "edpm_nova_compute" in notes
    assert "secret" not in json.dumps(facts)


def test_a_change_that_a_guard_did_not_finish_keeps_its_stage_open():
    left = {"ovn_controller.pending": lambda container: {"chassis": "cmp1"}}
    found = node(**measuring({}, []), **left).facts()
    assert "container ovn_controller: its change was begun and not finished" in found["stages"]["ovn"]


def test_facts_can_ask_the_master_for_a_fresh_pillar():
    module = node(**measuring({}, set()))
    fresh = copy.deepcopy(PILLAR)
    fresh["openstack"]["target_version"] = "1.0.0"
    module._fresh_pillar = lambda: fresh
    assert module.facts(fresh=True)["target"] == "1.0.0"
    assert module.facts()["target"] == "1.0.1"


def test_a_node_that_cannot_tell_is_an_error():
    def fail():
        raise CommandExecutionError("podman ps: cannot open storage")

    with pytest.raises(CommandExecutionError, match=r"^NODE_ERROR: podman ps"):
        node(**measuring({}, set(), **{"podman.containers": fail})).facts()
    with pytest.raises(CommandExecutionError, match=r"^NODE_ERROR: podman is not installed"):
        node().facts()


def test_a_run_to_another_target_is_refused_before_anything_is_rendered():
    run = {"openstack_rollout": {"target": "1.0.1", "stages": ["services"]}}
    assert node(pillar={**PILLAR, **run}).desired("services")["version"] == "1.0.1"
    edited = {"openstack": {**PILLAR["openstack"], "target_version": "1.0.0"}, **run}
    with pytest.raises(
        CommandExecutionError, match=r"^TARGET_CHANGED: .*now 1\.0\.0, the run is for 1\.0\.1"
    ):
        node(pillar=edited).desired("services")


def test_a_round_of_a_run_narrows_a_stage_and_not_what_the_node_wants():
    told = {"target": "1.0.1", "services": ["mariadb"]}
    whole, part = node("ctl1").desired("control_plane"), node("ctl1", PILLAR | {"openstack_rollout": told})
    part = part.desired("control_plane")
    assert [service["name"] for service in part["services"]] == ["mariadb"]
    assert part["images"] == [part["services"][0]["image"]]
    assert part["containers"] == whole["containers"] and part["packages"] == whole["packages"]


@pytest.mark.parametrize(("runs", "found"), [("1.0.0", {"control_plane": ["a flag is off"]}), ("1.0.1", {})])
def test_a_release_asks_before_its_service_moves_and_not_afterwards(runs, found):
    pillar = copy.deepcopy(PILLAR)
    pillar["openstack"]["releases"]["1.0.1"]["checks"] = [
        {"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags", "arguments": {"enabled": ["one"]}}
    ]
    asked = []
    local = [image("rabbitmq_image", version) for version in ("1.0.0", "1.0.1")]
    running = {
        "image_id": f"id-{image('rabbitmq_image', runs)}",
        "running": True,
        "healthy": True,
        "labels": {},
    }
    functions = measuring({"rabbitmq": running}, local) | {
        "rabbitmq_cluster.feature_flags": lambda *a, **k: asked.append((a, k)) or ["a flag is off"],
        **{f"{guard}.pending": lambda container: None
           for guard in ("galera", "rabbitmq_cluster", "ovsdb_cluster", "pacemaker")},
    }  # fmt: skip
    assert node("ctl1", pillar, **functions).facts()["checks"] == found
    assert asked == ([(("rabbitmq",), {"enabled": ["one"]})] if found else [])


def test_a_release_that_asks_for_what_a_node_cannot_tell_is_refused():
    pillar = copy.deepcopy(PILLAR)
    pillar["openstack"]["releases"]["1.0.1"]["checks"] = [{"service": "nova", "call": "no.such"}]
    running = {"image_id": "id-old", "running": True, "healthy": True, "labels": {}}
    found = node(pillar=pillar, **measuring({"nova_compute": running}, [])).facts()
    assert found["checks"] == {"services": ["no.such: this node has no such function"]}
