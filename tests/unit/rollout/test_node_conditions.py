"""The conditions that are judged of what nodes tell: room, clocks, certificates, others at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openstack_rollout.declared import readiness
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord
from openstack_rollout.rollout import preflight_command
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.ports import Heard, Readied
from tests.unit.simulated_fleet import CONTAINERS, Cloud, Master, digest, refusal

MIB = 2**20
DAY = 86_400


def quiet(node):
    """What a node tells that is ready for anything."""
    room = {"system": "/", "free": 100_000 * MIB, "files": None}
    return {
        "schema": readiness.SCHEMA,
        "id": node,
        "clock": {"by": "chrony", "synchronized": True, "offset": 0.001},
        "stores": [
            {
                **{"engine": "podman", "root": "/store", "copies": "/var/tmp"},
                **{"layers": [], "grows": 2.0, "broken": [], "doubts": []},
            }
        ],
        "packages": {"count": 0, "fetch": 0, "grow": 0, "kernel": False, "unknown": 0},
        "rooms": {folder: dict(room) for folder in ("/store", "/var/tmp", "/usr", "/boot", "/var/cache/dnf")},
        "boot": 60 * MIB,
        "certificates": [],
        "failed": {},
        "by_hand": [],
        "installers": [],
        "unknown": {},
        "begun": 0.0,
        "ended": 1.0,
    }


class Telling(Master):
    """A master whose nodes tell of their readiness. told: node → what it tells; lost: who does not."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.told = {node: quiet(node) for node in cloud.nodes}
        self.lost = set()
        self.asked = []
        self.ahead = {}
        self.sizes = {f"registry.example/{one}@{digest(one, '1.0.1')}": {f"sha256:{one}": 10 * MIB}
                      for one in CONTAINERS}  # fmt: skip

    def ports(self):
        def ask(silences, asking, halted):
            self.asked.append((list(silences), asking))
            now = self.cloud.clock()
            nodes = {}
            for node in silences:
                if node not in self.lost:
                    ahead = self.ahead.get(node, 0.0)
                    times = {"begun": now + 0.2 + ahead, "ended": now + 1.2 + ahead}
                    nodes[node] = Heard(readiness.read(node, self.told[node] | times), now, now + 1.5)
            lost = {node: ("NODE_SILENT", "no answer") for node in silences if node in self.lost}
            return Readied(nodes, lost)

        layers = lambda images: {one: self.sizes[one] for one in images if one in self.sizes}  # noqa: E731
        return replace(super().ports(), readiness=ask, layers=layers)


CLOUD = {"controller": 3, "compute": 2}


@pytest.fixture
def master(cloud, tmp_path):
    return Telling(cloud, tmp_path)


def found(master, name):
    """The verdict on a condition, and its first line."""
    one = preflight_command.report(master.ports())["conditions"][name]
    return one["verdict"], one["seen"][0] if one["seen"] else ""


def test_nodes_that_are_ready_are_asked_once_and_all_together(master, cloud):
    told = preflight_command.report(master.ports())
    assert told["preflight"]["verdict"] == "ok"
    ((nodes, asking),) = master.asked
    assert set(nodes) == set(cloud.nodes)
    assert asking == {
        "days": 30,
        "places": [],
        "stages": ["ovn", "control_plane", "services", "ovs", "system"],
    }


def test_a_run_that_has_nothing_to_do_asks_nobody(tmp_path):
    cloud = Cloud(deployed="1.0.1", controller=3, compute=2)
    master = Telling(cloud, tmp_path)
    assert master.update()["state"] == "completed" and master.asked == []
    preflight_command.report(master.ports())
    assert len(master.asked) == 1


@pytest.mark.parametrize(("free", "verdict"), [(100_000, "ok"), (1_060, "warn"), (49, "refuse")])
def test_room_for_images_is_judged_by_the_registrys_sizes(master, free, verdict):
    # two images of 10 MiB, which double on the disk, and the larger of them once beside the store
    for room in master.told["compute1"]["rooms"].values():
        room["free"] = free * MIB
    line = "" if verdict == "ok" else f"compute1: / has {free} MiB free, images need 50 MiB"
    assert found(master, "room") == (verdict, line)


def test_layers_that_a_node_has_are_not_fetched_again(master):
    one = master.told["compute1"]
    one["stores"][0]["layers"] = ["ovn", "services"]
    for room in one["rooms"].values():
        room["free"] = 1 * MIB
    assert found(master, "room")[0] == "ok"


def test_file_systems_are_judged_apart_and_packages_too(master):
    one = master.told["compute1"]
    one["rooms"]["/usr"] = {"system": "/usr", "free": 10 * MIB, "files": 10}
    one["packages"] |= {"count": 3, "fetch": 5 * MIB, "grow": 11 * MIB}
    verdict, line = found(master, "room")
    assert (verdict, line) == ("refuse", "compute1: /usr has 10 MiB free, packages need 11 MiB")


def test_an_image_whose_size_nobody_knows_is_warned_of(master):
    master.sizes.clear()
    verdict, line = found(master, "room")
    assert verdict == "warn" and "the registry tells no size of registry.example/" in line


@pytest.mark.parametrize(("free", "verdict"), [(130, "ok"), (100, "warn"), (59, "refuse")])
def test_boot_needs_room_where_a_kernel_comes(master, free, verdict):
    one = master.told["compute1"]
    one["rooms"]["/boot"] = {"system": "/boot", "free": free * MIB, "files": None}
    assert found(master, "boot_room")[0] == "ok"
    one["packages"]["kernel"] = True
    assert found(master, "boot_room")[0] == verdict


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        ({}, "ok", ""),
        ({"compute1": 1.0}, "ok", ""),  # a message takes its time
        ({"compute1": 5.0}, "warn", "compute1 is at least 4.5 s ahead of"),
        ({"compute1": 20.0, "compute2": -20.0}, "refuse", "compute1 is at least 39.5 s ahead of compute2"),
        ({f"{role}{n}": 90.0 for role, n in (("controller", 1), ("controller", 2), ("controller", 3),
                                             ("compute", 1), ("compute", 2))},
         "warn", "up to 89.7 s off the master's clock"),
    ],
)  # fmt: skip
def test_clocks_are_compared_by_what_is_certain(master, ahead, verdict, words):
    master.ahead = ahead
    said, line = found(master, "clocks")
    assert said == verdict and words in line


def test_a_clock_that_says_itself_that_it_is_off_or_loose(master, cloud):
    master.told["compute1"]["clock"]["offset"] = 31.0
    assert found(master, "clocks") == ("refuse", "compute1: chrony says that it is 31.0 s off")
    cloud.openstack["preflight"] = {"clock_offset": 60}
    assert found(master, "clocks")[0] == "warn"
    master.told["compute1"]["clock"] = {"by": "", "synchronized": None, "offset": None}
    assert found(master, "clocks") == ("warn", "nothing is known to keep the clock right of compute1")


@pytest.mark.parametrize(("days", "verdict"), [(-1, "refuse"), (10, "warn")])
def test_certificates_that_end(master, cloud, days, verdict):
    ends = int(cloud.clock() + days * DAY + 100)
    master.told["controller1"]["certificates"] = [{"path": "/etc/x.pem", "subject": "CN=api", "ends": ends}]
    said, line = found(master, "certificates")
    assert said == verdict and line.startswith("controller1: /etc/x.pem (CN=api) end")


def test_a_store_that_is_broken_refuses_where_containers_move(master, cloud):
    master.told["compute1"]["stores"][0]["broken"] = ["layers.json cannot be read"]
    assert found(master, "container_storage")[0] == "refuse"
    one = preflight_command.report(master.ports(), "system")["conditions"]["container_storage"]
    assert one["verdict"] == "warn"


@pytest.mark.parametrize(
    ("kind", "verdict"), [("configuration", "refuse"), ("packages", "warn"), ("agent", "warn")]
)
def test_other_installers(master, kind, verdict):
    master.told["compute2"]["installers"] = [{"name": "ansible", "kind": kind, "seen": "process 7"}]
    said, line = found(master, "installers")
    assert said == verdict and line.startswith("compute2: ansible")


def test_what_only_has_to_be_known_is_warned_of(master, cloud):
    master.told["compute1"]["failed"] = {"nova_compute.service": True, "kdump.service": False}
    master.told["compute2"]["mute"] = ["neutron: no HTTP answer at 192.0.2.1:9696/"]
    master.told["compute1"]["by_hand"] = ["nova_compute.service is masked"]
    master.journal.save_drained(DrainRecord("compute2", "compute", "live_migrate", BY_HAND, stage=""))
    told = preflight_command.report(master.ports())["conditions"]
    assert told["failed_units"]["seen"] == [
        "compute1: failed: nova_compute.service",
        "compute1: failed, and of no service that is declared: kdump.service",
        "compute2: neutron: no HTTP answer at 192.0.2.1:9696/",
    ]
    assert told["set_by_hand"]["seen"] == [
        "compute1: nova_compute.service is masked",
        "compute2 is drained by hand",
    ]
    assert {told[name]["verdict"] for name in ("failed_units", "set_by_hand")} == {"warn"}


def test_a_pending_reboot_is_warned_of(master, cloud):
    real = cloud.facts_of
    cloud.facts_of = lambda name: real(name) | {"reboot": ["kernel: 1 runs, 2 is installed"]}
    assert found(master, "pending_reboots")[0] == "warn"


def test_who_does_not_tell_or_cannot_is_named(master):
    master.lost = {"compute1"}
    master.told["compute2"]["unknown"] = {"stores": "podman hangs"}
    told = preflight_command.report(master.ports())["conditions"]["readiness"]
    assert told["verdict"] == "warn" and told["nodes"] == ["compute1", "compute2"]
    assert told["seen"][1] == "compute2 cannot tell of its stores: podman hangs"


def test_a_warning_stops_nothing_unless_the_pillar_has_it_refuse(master, cloud):
    master.told["compute1"]["failed"] = {"nova_compute.service": True}
    cloud.openstack["preflight"] = {"refuse": ["failed_units"]}
    error = refusal(master.update)
    assert error.reason == "PREFLIGHT_REFUSED" and error.nodes == ("compute1",)
    assert "failed_units: compute1: failed: nova_compute.service" in error.message
    assert master.run is None
    master.rollout().begin(given=Given(accept=["failed_units"]))
    assert master.run.conditions["failed_units"]["verdict"] == "accepted"


def test_a_node_that_refuses_is_left_out_within_the_budget_of_its_role(master, cloud):
    cloud.policy("compute", max_failures=1)
    for room in master.told["compute1"]["rooms"].values():
        room["free"] = MIB
    assert found(master, "room")[0] == "warn"
    assert refusal(master.update).reason == "FAILURE_BUDGET"
    assert master.run.state == "incomplete" and "compute1" not in {node for _, node in cloud.applied}
    assert master.journal.node(master.run.id, "compute1").reason == "DISK_FULL"
    assert ("system", "compute2") in cloud.applied


def test_without_a_budget_it_refuses_the_run(master, cloud):
    for room in master.told["compute1"]["rooms"].values():
        room["free"] = MIB
    error = refusal(master.update)
    assert error.reason == "DISK_FULL" and error.message.startswith("compute1: / has 1 MiB free")
    master.rollout().begin(given=Given(accept=["room"]))
    assert master.run.accepted


def test_a_registry_that_does_not_answer_is_not_asked_for_sizes(master):
    asked = []
    master.missing = [("REGISTRY_UNREACHABLE", "registry.example: no answer within 90 s")]
    ports = replace(master.ports(), layers=lambda images: asked.append(images) or {})
    told = preflight_command.report(ports)["conditions"]
    assert told["images"]["verdict"] == "refuse"
    assert asked == []
    assert told["room"]["seen"] == ["is not looked at while images refuses"]


def test_two_nodes_without_room_are_one_refusal_under_its_reason(master):
    for name in ("compute1", "compute2"):
        for room in master.told[name]["rooms"].values():
            room["free"] = MIB
    error = refusal(master.update)
    assert (error.reason, error.nodes) == ("DISK_FULL", ("compute1", "compute2"))
