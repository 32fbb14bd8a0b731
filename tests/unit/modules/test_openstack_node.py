"""openstack_node: a node's share and its facts, as the master reads them."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.declared import facts as schema
from openstack_rollout.declared import share
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.differences import Difference, Kind
from openstack_rollout.node import fresh_pillar, kept_files, ovn_wait
from openstack_rollout.node.errors import NodeError
from tests.unit.cloud_pillar import NEW, OLD, digest, model, reference, valid
from tests.unit.cloud_pillar import node as place
from tests.unit.declared.test_next_boot import READY
from tests.unit.loading import load

COMPUTE = place("compute", zone="az1")
CONTROLLER = place("controller")
NOVA = {"running": True, "image_id": "id-nova", "healthy": True, "labels": {}}
GUARDS = ("ovn_controller", "galera", "rabbitmq_cluster", "ovsdb_cluster", "pacemaker")


def pillar(where=COMPUTE, openstack=None, **run):
    """What the master hands to a node, and what a run tells it."""
    found = {"openstack_node": share.share(model(openstack), where)}
    return json.loads(json.dumps(found)) | ({"openstack_rollout": run} if run else {})


def node(given=None, **functions):
    salt = {f"{guard}.pending": lambda container: None for guard in GUARDS} | {
        "ovn_controller.settings": lambda container: [],
        "quadlet.managed": dict,
        "legacy_unit.present": lambda units: [],
        **functions,
    }
    given = pillar() if given is None else given
    grains = {"id": "cmp1", "os_family": "RedHat"}
    return load("modules", "openstack_node", salt=salt, pillar=given, grains=grains)


def measuring(containers, local=None, **functions):
    """The functions of a node. local: image id → its references that podman has."""
    local = local or {}
    ids = {one: image_id for image_id, some in local.items() for one in some}
    return {
        "podman.containers": lambda known=False: containers,
        "podman.local_images": lambda known=False: local,
        "podman.image_ids": lambda references, local: {one: ids[one] for one in references if one in ids},
        "quadlet.managed": lambda: {name: f"{name}.service" for name in containers},
        "package_set.installed": lambda: {"curl": [f"7-{NEW}"], "secret-tool": ["1"]},
        "ovs.status": lambda: None,
        "ovs.switch": lambda: None,
        "datapath.health": list,
        "reboot_needed.evidence": lambda thorough, switch: [],
        "boot_loader.next_boot": lambda: READY,
        "reboot_needed.without_effect": list,
        "node_workloads.stateful": lambda share: {},
        "virtual_addresses.found": lambda: {"addresses": {}, "running": False, "unknown": ""},
        "bootc.status": lambda: None,
        "pkg.version_cmp": lambda one, other: 0,
        "rollout_hooks.due": lambda share: [],
        "minion_package.state": lambda: {"state": "none"},
        "system_packages.held": list,
        "package_repair.found": lambda: {"doubles": {}, "half": {}, "unknown": ""},
        "system_packages.configuration": list,
        "system_packages.plan": lambda depth, kept: {"upgrade": {}, "held": {}},
        **functions,
    }


def compared(facts, where=COMPUTE, openstack=None):
    """What the master makes of facts, which pass what Salt's event bus does to them."""
    told = schema.read(facts["id"], json.loads(json.dumps(facts)))
    return Comparison(model(openstack)).compare(told, where.roles, where.zone)


def test_a_compute_of_a_zone():
    desired = node().desired()
    assert (desired["target"], desired["roles"], desired["zone"]) == (NEW, ["compute"], "az1")
    assert desired["refused"] is None
    assert desired["stages"] == ["ovn", "services", "ovs", "system"]
    assert desired["last"] == "services"
    assert {"ovn_controller", "nova_compute"} <= set(desired["containers"])


@pytest.fixture
def on_master(monkeypatch):
    """Sets what the master hands out now."""
    return lambda given: monkeypatch.setattr(fresh_pillar, "fresh", lambda opts, grains: given)


def test_what_is_guarded_is_known_without_a_target(on_master):
    def guarded(*given):
        on_master(pillar(*given))
        return node({}).guarded()  # whatever the minion has in memory

    known = guarded(CONTROLLER)
    assert known["mariadb"] == "galera" and "memcached" not in known
    untargeted = {**valid(), "target_version": ""}
    assert guarded(CONTROLLER, untargeted) == known
    assert guarded(COMPUTE, untargeted) == {"ovn_controller": "ovn_controller"}


def test_a_stage_alone():
    desired = node().desired("services")
    assert {service["stage"] for service in desired["services"]} == {"services"}
    assert desired["packages"] == {"openstack-selinux": f"0.8-{NEW}"}
    assert desired["images"] == [service["image"] for service in desired["services"]]
    assert "ovn_controller" in desired["containers"]
    assert node(pillar(CONTROLLER)).desired("services")["packages"] == {}
    assert node(pillar(CONTROLLER)).desired("control_plane")["last"] == "control_plane"


def test_an_image_belongs_to_the_first_stage_that_needs_it():
    openstack = valid()
    openstack["services"] = {"node-exporter": {"image": "ovn_controller_image"}}
    desired = node(pillar(openstack=openstack)).desired("services")
    assert reference("ovn_controller_image", NEW) in [one["image"] for one in desired["services"]]
    assert reference("ovn_controller_image", NEW) not in desired["images"]


@pytest.mark.parametrize("stage", [None, "ovn", "services", "system"])
def test_a_minion_without_a_role_has_nothing(stage):
    desired = node(pillar(place())).desired(stage)
    assert (desired["stages"], desired["services"], desired["last"]) == ([], [], None)
    assert desired["refused"] is None


REFUSED = {
    "openstack_node": {"refused": {"reason": "INVALID_PILLAR", "message": "openstack:custom_image: unknown"}}
}


@pytest.mark.parametrize(
    ("given", "reason", "told"),
    [
        (REFUSED, "INVALID_PILLAR", "openstack:custom_image: unknown"),
        ({}, "INVALID_PILLAR", "ext_pillar"),
        ({"openstack_node": "x"}, "INVALID_PILLAR", "ext_pillar"),
        ({"openstack_node": {"version": 99, "roles": ["compute"]}}, "SHARE_VERSION", "of version 99"),
        ({"openstack_node": {"roles": ["compute"]}}, "SHARE_VERSION", "of version none"),
    ],
)
def test_what_the_master_refuses_is_refused_under_its_reason(given, reason, told, on_master):
    on_master(given)
    desired = node(given).desired("services")
    assert desired["refused"]["reason"] == reason and told in desired["refused"]["message"]
    assert (desired["stages"], desired["services"], desired["packages"]) == ([], [], {})
    for call in (node(given, **measuring({})).facts, node(given).guarded):
        with pytest.raises(NodeError) as refused:
            call()
        assert refused.value.reason == reason and told in refused.value.text


def test_without_a_target_there_is_the_system_stage_alone():
    untargeted = node(pillar(openstack={**valid(), "target_version": ""}))
    assert untargeted.desired("system")["stages"] == ["system"]
    assert untargeted.desired("services")["refused"]["reason"] == "UNKNOWN_TARGET"


def test_the_next_boot_is_asked_for_where_the_policy_reboots():
    assert node(**measuring({})).facts()["next_boot"] is None
    rebooting = pillar(openstack=valid() | {"system": {"reboot": "when_required"}})
    facts = node(rebooting, **measuring({})).facts()
    assert facts["next_boot"] == READY and compared(facts).next_boot == []


def test_facts_measure_and_carry_no_secrets():
    containers = {
        "nova_compute": NOVA | {"labels": {"x": "secret", "managed_by": "edpm", "openstack-rollout.a": "b"}},
        "dnsmasq-1": NOVA | {"image_id": "z", "healthy": None, "exit_code": 3},
    }
    old = {"id-nova": [reference("nova_compute_image", OLD)]}
    facts = node(
        **measuring(containers, old)
        | {
            "quadlet.managed": lambda: {"nova_compute": "nova_compute.service", "swift": "swift.service"},
            "legacy_unit.present": lambda units: [unit for unit in units if unit == "edpm_nova_compute"],
        },
    ).facts()
    assert (facts["schema"], facts["id"], facts["target"]) == (schema.SCHEMA, "cmp1", NEW)
    assert len(facts["boot_id"]) == 36
    assert facts["packages"] == {"curl": [f"7-{NEW}"]}
    assert facts["containers"]["nova_compute"]["labels"] == {"managed_by": "edpm", "openstack-rollout.a": "b"}
    assert facts["containers"]["nova_compute"]["digests"] == [digest(OLD)]
    assert {name: one["exit_code"] for name, one in facts["containers"].items()} == {
        "nova_compute": None,
        "dnsmasq-1": 3,
    }
    assert "secret" not in json.dumps(facts)
    found = compared(facts)
    assert (found.target, found.deployed, found.zone) == (NEW, None, "az1")
    assert found.services["nova"]["release"] == OLD
    assert found.stages["system"] == []
    assert [(one.kind, one.subject) for one in found.stages["ovn"]] == [
        (Kind.CONTAINER_ABSENT, "ovn_controller")
    ]
    assert {(one["kind"], one["subject"], one["detail"]) for one in found.notes} == {
        ("beside", "dnsmasq-1", ""),
        ("orphan", "swift", ""),
        ("legacy", "nova_compute", "edpm_nova_compute"),
    }


def test_facts_are_of_now_and_ask_once_for_all():
    asked, units = [], []

    def containers(known=False):
        asked.append(known)
        return {"nova_compute": NOVA}

    def masked(*names):
        units.append(names)
        return [names[0]]

    one = {"engine": "podman", "image": "x", "journal": True}
    known = {"nova_compute": {**one, "unit": "nova.service"}, "iscsid": {**one, "unit": "iscsid.service"}}
    functions = {"podman.containers": containers, "quadlet.masked": masked}
    carrier = {"foreign_quadlet.carried": lambda: known}
    facts = node(**measuring({}, **functions, **carrier)).facts()
    assert asked[0] is False and set(asked[1:]) == {True}
    assert units == [("iscsid.service", "nova.service")]
    assert {name: one["masked"] for name, one in facts["carried"].items()} == {
        "nova_compute": False,
        "iscsid": True,
    }


def test_an_image_of_several_names_has_each_digest_once_and_is_local_by_reference():
    wanted = reference("nova_compute_image", NEW)
    local = {"id-nova": [f"elsewhere.example/nova@{digest(NEW)}", wanted]}
    facts = node(**measuring({"nova_compute": NOVA}, local)).facts()
    assert facts["containers"]["nova_compute"]["digests"] == [digest(NEW)]
    assert facts["images"] == [wanted]
    found = compared(facts)
    assert found.services["nova"]["local"] and not found.services["ovn"]["local"]
    assert [one.subject for one in found.stages["services"] if one.kind == Kind.CONTAINER_IMAGE] == []


def test_a_change_that_a_guard_did_not_finish_keeps_its_stage_open():
    left = {"ovn_controller.pending": lambda container: {"chassis": "cmp1"}}
    facts = node(**measuring({}), **left).facts()
    assert facts["pending"] == ["ovn_controller"]
    assert Difference("ovn", Kind.CHANGE_UNFINISHED, "ovn_controller") in compared(facts).stages["ovn"]


def test_floors_are_asked_of_the_package_manager():
    openstack = valid()
    openstack["releases"][NEW]["packages"]["curl"] = ">=7-9"
    openstack["releases"][NEW]["packages"]["absent"] = ">=1"
    answers = {
        "-1": {"curl": {">=7-9": False}},
        "0": {"curl": {">=7-9": True}},
        "None": {"curl": {">=7-9": False}},
    }
    for answer, floors in answers.items():
        compare = {"pkg.version_cmp": lambda one, least, said=answer: None if said == "None" else int(said)}
        facts = node(pillar(openstack=openstack), **measuring({}, **compare)).facts()
        assert facts["floors"] == floors
        wants = [one.subject for one in compared(facts, openstack=openstack).stages["system"]]
        assert wants == ([] if floors["curl"][">=7-9"] else ["curl"])


def test_facts_can_ask_the_master_for_a_fresh_share(on_master):
    module = node(**measuring({}))
    fresh = pillar(openstack={**valid(), "target_version": OLD})
    on_master(fresh)
    assert module.facts(fresh=True)["target"] == OLD
    assert module.facts()["target"] == NEW


def test_a_node_that_cannot_tell_is_an_error():
    def fail(known=False):
        raise CommandExecutionError("podman ps: cannot open storage")

    with pytest.raises(NodeError, match=r"^NODE_ERROR: podman ps"):
        node(**measuring({}, **{"podman.containers": fail})).facts()


def test_what_is_newer_is_told_or_told_to_be_unknown():
    def fail(depth, kept):
        raise CommandExecutionError("no repository answers")

    facts = node(**measuring({}, **{"system_packages.plan": fail})).facts()
    assert facts["newer"] == {"unknown": "no repository answers"}
    assert [one.kind for one in compared(facts).stages["system"]] == [Kind.NEWER_UNKNOWN]
    asked = []
    refresh = {"system_packages.refresh": asked.append}
    node(**measuring({}, **refresh)).facts()
    assert asked == []
    node(**measuring({}, **refresh)).facts(refresh=True)
    assert asked == [None]


def test_what_the_repositories_offer_is_told_of_packages_that_a_release_wants_at_the_newest():
    openstack = valid()
    openstack["services"] = {
        "nova": {"deploy": "package", "packages": {"RedHat": ["nova*"]}, "units": {"RedHat": ["nova"]}}
    }
    openstack["releases"][OLD]["packages"]["nova-old"] = "newest"
    openstack["releases"][NEW]["packages"] |= {"nova": {"RedHat": "newest"}, "nova-absent": "newest"}
    record = {"here": True, "units": {"nova.service": "active"}, "stale": []}
    asked = []

    def offered(names):
        asked.append(names)
        return {"upgrade": {"nova": "2"}, "stays": {}}

    functions = {
        "package_set.installed": lambda: {"nova": ["1"], "nova-old": ["1"]},
        "packaged_service.found": lambda own, units, libraries: record,
        "system_packages.offered": offered,
        "system_packages.refresh": lambda timeout: asked.append("refreshed"),
    }
    facts = node(pillar(openstack=openstack), **measuring({}, **functions)).facts(refresh=True)
    assert asked == ["refreshed", ["nova", "nova-old"]]
    open_ends = compared(facts, openstack=openstack).stages["services"]
    service = next(one for one in open_ends if one.subject == "nova")
    assert (service.kind, service.want) == (Kind.SERVICE_PACKAGES, {"nova": "2"})

    def fail(names):
        raise NodeError("REPOSITORY_BROKEN", "no repository answers")

    functions["system_packages.offered"] = fail
    facts = node(pillar(openstack=openstack), **measuring({}, **functions)).facts()
    open_ends = compared(facts, openstack=openstack).stages["services"]
    service = next(one for one in open_ends if one.subject == "nova")
    assert service.kind == Kind.SERVICE_UNKNOWN and "no repository answers" in service.have


def test_a_run_to_another_target_is_refused_before_anything_is_rendered():
    run = {"target": NEW, "stages": ["services"]}
    assert node(pillar(**run)).desired("services")["refused"] is None
    refused = node(pillar(openstack={**valid(), "target_version": OLD}, **run)).desired("services")["refused"]
    assert refused["reason"] == "TARGET_CHANGED" and OLD in refused["message"] and NEW in refused["message"]


@pytest.mark.parametrize("stage", ["services", None])
def test_a_run_to_a_release_that_was_edited_since_is_refused_before_anything_is_rendered(stage):
    now = pillar()["openstack_node"]["content"]
    run = {"target": NEW, "stages": ["services"]}
    assert node(pillar(**run, content={"services": now["services"]})).desired(stage)["refused"] is None
    refused = node(pillar(**run, content={"services": "another"})).desired(stage)["refused"]
    assert refused["reason"] == "TARGET_CHANGED" and "services" in refused["message"]


def test_a_round_of_a_run_narrows_a_stage_and_not_what_the_node_wants():
    whole = node(pillar(CONTROLLER)).desired("control_plane")
    part = node(pillar(CONTROLLER, target=NEW, services=["mariadb"])).desired("control_plane")
    assert [service["name"] for service in part["services"]] == ["mariadb"]
    assert part["images"] == [part["services"][0]["image"]]
    assert part["containers"] == whole["containers"] and part["packages"] == whole["packages"]


def asking(service="rabbitmq", call="rabbitmq_cluster.feature_flags"):
    openstack = valid()
    check = {"service": service, "call": call, "arguments": {"enabled": ["one"]}}
    openstack["releases"][NEW]["checks"] = [check]
    return openstack


@pytest.mark.parametrize(("runs", "found"), [(OLD, {"control_plane": ["a flag is off"]}), (NEW, {})])
def test_a_release_asks_before_its_service_moves_and_not_afterwards(runs, found):
    openstack, asked = asking(), []
    flags = {"rabbitmq_cluster.feature_flags": lambda *a, **k: asked.append((a, k)) or ["a flag is off"]}
    local = {"id": [reference("rabbitmq_image", runs)]}
    facts = node(
        pillar(CONTROLLER, openstack), **measuring({"rabbitmq": NOVA | {"image_id": "id"}}, local), **flags
    ).facts()
    assert asked == [(("rabbitmq",), {"enabled": ["one"]})]
    assert facts["checks"] == [
        {"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags", "lines": ["a flag is off"]}
    ]
    assert compared(facts, CONTROLLER, openstack).checks == found


def test_a_node_is_asked_for_the_checks_of_its_own_services_alone():
    facts = node(pillar(COMPUTE, asking()), **measuring({})).facts()
    assert facts["checks"] == []


def test_a_release_that_asks_for_what_a_node_cannot_tell_is_refused():
    openstack = asking()
    local = {"id": [reference("rabbitmq_image", OLD)]}
    given = pillar(CONTROLLER, openstack)
    facts = node(given, **measuring({"rabbitmq": NOVA | {"image_id": "id"}}, local)).facts()
    line = "rabbitmq_cluster.feature_flags: this node has no such function"
    assert compared(facts, CONTROLLER, openstack).checks == {"control_plane": [line]}


def test_a_tag_that_no_run_has_resolved_is_refused_where_something_would_be_applied():
    """Each node would take what the tag is at that moment; a prediction may name it."""
    openstack = valid() | {"custom_images": {"nova_compute_image": "registry.example/nova:fix"}}
    own = node(pillar(openstack=openstack))
    refused = own.desired("services")["refused"]
    assert refused["reason"] == "TAG_UNRESOLVED" and "registry.example/nova:fix" in refused["message"]
    assert own.desired("system")["refused"] is None
    own.__opts__["test"] = True
    assert own.desired("services")["refused"] is None


@pytest.mark.parametrize(
    ("here", "undone", "refused"),
    [("", "", False), ("r1", "r1", False), ("r1", "", True), ("", "r1", True), ("r1", "r0", True)],
)
def test_a_run_that_is_for_another_way_than_the_nodes_share_is_refused(here, undone, refused):
    """The share was made when a rollback had begun, or before: the step would bring the node elsewhere."""
    found = pillar(target=NEW, stages=["services"], run="r2", rollback=undone)
    if here:
        found["openstack_node"]["rollback"] = {"of": here, "by": "r2"}
    answer = node(found).desired("services")["refused"]
    assert bool(answer) is refused and (not refused or answer["reason"] == "TARGET_CHANGED")
    found["openstack_rollout"] = {}
    assert node(found).desired("services")["refused"] is None  # ad hoc: the share alone counts


def test_files_that_are_kept_of_the_run_that_is_undone_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_files, "FOLDER", tmp_path)
    found = pillar()
    service = next(one for one in found["openstack_node"]["services"] if one["config_files"])
    path = sorted(service["config_files"])[0]
    kept_files.keep("r1", [path])
    restored = [one["restored"] for one in node(found).desired("services")["services"]]
    assert restored and not any(restored)
    found["openstack_node"]["rollback"] = {"of": "r1", "by": "r2"}
    again = {one["name"]: one["restored"] for one in node(found).desired("services")["services"]}
    assert again[service["name"]] == [path]


WAIT = {"have": "8000", "theirs": "8000", "longest": 500, "flows": 100_000, "by_itself": False}


@pytest.fixture
def waits(monkeypatch, tmp_path):
    """What a node tells of its chassis' wait, and of which container it was asked."""
    monkeypatch.setattr(ovn_wait, "RECORD", tmp_path / "ovn-wait.json")
    asked = []

    def told(wait, where=COMPUTE):
        openstack = {**valid(), "ovn": {"wait_before_clear": wait}}
        functions = measuring({}, **{"ovn_wait.found": lambda container: asked.append(container) or WAIT})
        return node(pillar(where, openstack), **functions).facts()["ovn_wait"], asked

    return told


def test_the_wait_of_a_chassis_is_asked_for_where_something_is_wanted_of_it(waits):
    assert waits("keep") == (None, [])
    assert waits("auto", place("storage")) == (None, [])
    assert waits("auto") == (WAIT, ["ovn_controller"])


def test_the_wait_of_a_chassis_is_told_as_long_as_something_of_ours_is_set(waits):
    ovn_wait.RECORD.write_text("{}")
    assert waits("keep") == (WAIT, ["ovn_controller"])
