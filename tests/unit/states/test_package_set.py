"""package_set and ovs as states: predict what they do, do nothing the second time, name their failures."""

from __future__ import annotations

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import load

WANTED = {"a": "1-2"}
GOOD = {"unit": "openvswitch.service", "enabled": True, "active": True}


#: who would begin by themselves, and could not meanwhile
UPDATERS = {"package_updaters.found": lambda: {"apt-daily.service": "inactive"}}


def state(name, test=False, **functions):
    return load("states", name, salt=functions | UPDATERS, opts={"test": test})


def fail(reason):
    def raiser(*_, **__):
        raise NodeError(reason, "because")

    return raiser


def test_at_release_predicts_and_moves_only_what_differs():
    asked = []
    functions = {
        "package_set.changes": lambda packages, stage: {"install": {"a": "1-2"}, "remove": []},
        "package_set.along": lambda packages, exclude: {"lib": "3"},
        "package_set.bring": lambda packages, exclude: (
            asked.append((packages, exclude)) or {"a": {"new": "1-2"}}
        ),
    }
    predicted = state("package_set", True, **functions).at_release(
        "system", {**WANTED, "b": "1"}, ("kernel",)
    )
    assert predicted["result"] is None and set(predicted["changes"]) == {"a", "lib"} and asked == []
    answer = state("package_set", **functions).at_release("system", {**WANTED, "b": "1"}, ("kernel",))
    assert answer["result"] is True and asked == [(WANTED, ["kernel"])]
    assert "apt-daily.service" in answer["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_nothing_to_do_is_no_change(test):
    none = {"install": {}, "remove": []}
    functions = {
        "package_set.changes": lambda packages, stage="system": none,
        "package_set.missing_downloads": lambda packages: {},
        "datapath.record": lambda: True,
        "ovs.status": lambda unit: GOOD,
    }
    for answer in (
        state("package_set", test, **functions).at_release("system", WANTED),
        state("package_set", test, **functions).downloaded("system", WANTED),
        state("ovs", test, **functions).updated("ovs", WANTED),
    ):
        assert (answer["result"], answer["changes"]) == (True, {})


def test_downloaded_is_needed_only_for_what_will_move_and_is_not_there():
    fetched = []
    functions = {
        "package_set.changes": lambda packages, stage: {"install": {"a": "1-2", "b": "1-2"}, "remove": []},
        "package_set.missing_downloads": lambda packages: {"b": packages["b"]},
        "package_set.download": lambda packages: fetched.append(packages) or {"b": {"new": "1-2"}},
    }
    assert list(state("package_set", True, **functions).downloaded("x", WANTED)["changes"]) == ["b"]
    assert state("package_set", **functions).downloaded("x", WANTED)["result"] is True
    assert fetched == [{"a": "1-2", "b": "1-2"}]  # all that one transaction will move, resolved as one


class Cache:
    """The cache of a package manager: what was fetched, and by which calls."""

    def __init__(self, refused=(), apart=()):
        self.refused, self.apart = refused, apart  # apart: files that a set needs only by itself
        self.asked, self.there = [], set()

    def functions(self):
        return {
            "package_set.changes": lambda packages, stage: {"install": dict(packages), "remove": []},
            "package_set.missing_downloads": self.missing,
            "package_set.download": self.download,
        }

    def missing(self, packages):
        extra = {name: "1" for name, of in self.apart if [*packages] == of}
        return {name: one for name, one in (packages | extra).items() if (name, one) not in self.there}

    def download(self, packages):
        self.asked.append(sorted(packages))
        if sorted(packages) in self.refused:
            raise NodeError("PACKAGE_DOWNLOAD_FAILED", f"no way to {packages}")
        missing = self.missing(packages)
        self.there |= set(missing.items())
        return {name: {"new": one} for name, one in missing.items()}


SETS = [{"packages": {name: "1"}, "stage": stage} for name, stage in (("a", "services"), ("b", "ovs"))]


def test_sets_are_fetched_by_one_call():
    cache = Cache()
    predicted = state("package_set", True, **cache.functions()).downloaded("x", sets=SETS)
    assert predicted["result"] is None and not cache.asked
    answer = state("package_set", **cache.functions()).downloaded("x", sets=SETS)
    assert answer["result"] is True and set(answer["changes"]) == {"a", "b"} == set(predicted["changes"])
    assert cache.asked == [["a", "b"]]
    again = state("package_set", **cache.functions()).downloaded("x", sets=SETS)
    assert (again["result"], again["changes"], len(cache.asked)) == (True, {}, 1)


def test_sets_that_want_other_versions_of_a_package_are_fetched_one_by_one():
    cache = Cache()
    other = [*SETS, {"packages": {"a": "2"}, "stage": "system"}]
    assert state("package_set", **cache.functions()).downloaded("x", sets=other)["result"] is True
    assert cache.asked == [["a", "b"], ["a"]]
    assert cache.there == {("a", "1"), ("a", "2"), ("b", "1")}


def test_sets_that_are_no_one_transaction_are_fetched_each_by_itself():
    cache = Cache(refused=[["a", "b"]])
    assert state("package_set", **cache.functions()).downloaded("x", sets=SETS)["result"] is True
    assert cache.asked == [["a", "b"], ["a"], ["b"]]
    failing = Cache(refused=[["a", "b"], ["b"]])
    answer = state("package_set", **failing.functions()).downloaded("x", sets=SETS)
    assert answer["result"] is False and answer["reason"] == "PACKAGE_DOWNLOAD_FAILED"


def test_a_repository_that_does_not_answer_is_not_asked_for_each_set():
    cache = Cache()
    functions = cache.functions() | {"package_set.download": fail("REPOSITORY_BROKEN")}
    assert state("package_set", **functions).downloaded("x", sets=SETS)["reason"] == "REPOSITORY_BROKEN"


def test_what_a_set_needs_only_when_it_moves_by_itself_is_fetched_too():
    cache = Cache(apart=[("lib", ["b"])])
    predicted = state("package_set", True, **cache.functions()).downloaded("x", sets=SETS)
    assert set(predicted["changes"]) == {"a", "b", "lib"}
    assert state("package_set", **cache.functions()).downloaded("x", sets=SETS)["result"] is True
    assert cache.asked == [["a", "b"], ["b"]] and ("lib", "1") in cache.there


def test_failures_keep_their_word():
    todo = {"install": WANTED, "remove": []}
    functions = {
        "package_set.changes": lambda packages, stage="system": todo,
        "package_set.missing_downloads": lambda packages: packages,
        "package_set.bring": fail("PACKAGE_FAILED"),
        "package_set.download": fail("PACKAGE_DOWNLOAD_FAILED"),
        "datapath.record": lambda: True,
        "ovs.status": lambda unit: GOOD,
        "ovs.update": fail("OVS_FAILED"),
    }
    packages, switch = state("package_set", **functions), state("ovs", **functions)
    for answer, word in (
        (packages.at_release("x", WANTED), "PACKAGE_FAILED"),
        (packages.downloaded("x", WANTED), "PACKAGE_DOWNLOAD_FAILED"),
        (switch.updated("x", WANTED), "OVS_FAILED"),
    ):
        assert answer["result"] is False and answer["reason"] == word
        assert answer["changes"] == {}


def test_ovs_changes_streams():
    asked = []
    functions = {
        "package_set.changes": lambda packages, stage: {
            "install": {"openvswitch3.5": "1"},
            "remove": ["openvswitch3.4"],
        },
        "datapath.record": lambda: True,
        "ovs.status": lambda unit: GOOD,
        "ovs.update": lambda *arguments: (
            asked.append(arguments) or {"openvswitch3.5": {"old": "", "new": "1"}}
        ),
    }
    predicted = state("ovs", True, **functions).updated("ovs", WANTED)
    assert predicted["result"] is None and list(predicted["changes"]) == ["openvswitch3.5", "openvswitch3.4"]
    assert state("ovs", **functions).updated("ovs", WANTED)["result"] is True
    assert asked == [({"openvswitch3.5": "1"}, ["openvswitch3.4"], None)]


def test_ovs_puts_a_disabled_service_right_without_moving_packages():
    ensured = []
    functions = {
        "package_set.changes": lambda packages, stage: {"install": {}, "remove": []},
        "datapath.record": lambda: True,
        "ovs.status": lambda unit: {**GOOD, "enabled": False},
        "ovs.ensure_service": ensured.append,
    }
    assert state("ovs", True, **functions).updated("ovs", WANTED)["result"] is None
    assert state("ovs", **functions).updated("ovs", WANTED)["result"] is True
    assert ensured == [None]


STALE = {"running": "3.4.0", "installed": "3.5.0", "stale": True}


def switch_state(test=False, ports=(), install=None, switch=STALE):
    did = []
    functions = {
        "package_set.changes": lambda packages, stage: {"install": install or {}, "remove": []},
        "ovs.status": lambda unit: GOOD,
        "ovs.switch": lambda: switch,
        "ovs.ensure_service": lambda unit: did.append("ensure"),
        "ovs.update": lambda *arguments: did.append("update") or {"a": {"old": "", "new": "1"}},
        "ovs.reload": lambda: did.append("reload") or {"ovs-vswitchd": {"old": "3.4.0", "new": "3.5.0"}},
        "datapath.record": lambda: did.append("record"),
        "datapath.workloads": lambda: list(ports),
        **UPDATERS,
    }
    return load("states", "ovs", salt=functions, opts={"test": test}, grains={"id": "cmp1"}), did


def test_a_stale_switch_stays_where_no_reload_is_wanted():
    module, did = switch_state()
    assert module.updated("ovs", WANTED)["changes"] == {} and did == []


def test_a_stale_switch_is_reloaded_after_its_data_path_is_recorded():
    module, did = switch_state()
    answer = module.updated("ovs", WANTED, reload=True)
    assert answer["result"] is True and list(answer["changes"]) == ["ovs-vswitchd"]
    assert did == ["record", "ensure", "reload"]
    module, did = switch_state(test=True)
    assert module.updated("ovs", WANTED, reload=True)["result"] is None and did == []
    module, did = switch_state(switch=STALE | {"stale": False})
    assert module.updated("ovs", WANTED, reload=True)["changes"] == {} and did == []


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("install", [None, {"openvswitch3.5": "1"}])
def test_a_reload_under_workloads_on_userspace_is_refused_before_anything_is_touched(test, install):
    module, did = switch_state(test, ports=["port-1"], install=install)
    answer = module.updated("ovs", WANTED, reload=True)
    assert answer["result"] is False and did == []
    assert answer["reason"] == "NODE_OCCUPIED" and "port-1" in answer["comment"]


def test_a_reload_under_workloads_may_be_accepted():
    module, did = switch_state(ports=["port-1"], install={"openvswitch3.5": "1"})
    assert module.updated("ovs", WANTED, reload=True, userspace="accept")["result"] is True
    assert did == ["record", "update", "reload"]


PLAN = {
    "upgrade": {"qemu-kvm": "9-1", "bash": "5.2", "salt-minion": "3008.4-1"},
    "install": {"new": "1"},
    "remove": [],
    "held": {"kept": "2"},
    "stays": {"kept": {"version": "2", "cause": "hold", "by": ""}},
}


def system(test=False, on_it=(), pillar=None, **functions):
    found = {
        "system_packages.plan": lambda depth, kept: PLAN,
        "system_packages.configuration": list,
        "package_set.changes": lambda packages, stage: {"install": dict(packages), "remove": []},
        "package_repair.due": lambda stage, packages, exclude: {},
        "node_workloads.found": lambda: list(on_it),
        **UPDATERS,
        **functions,
    }
    grains = {"id": "cmp1"}
    return load(
        "states", "system_packages", salt=found, opts={"test": test}, grains=grains, pillar=pillar or {}
    )


def test_everything_newer_moves_but_salt_and_what_is_held_is_told():
    brought = []
    files = iter([[], ["/etc/a.rpmnew"]])
    functions = {
        "package_set.bring": lambda packages, exclude, remove: (
            brought.append((packages, exclude, remove)) or {"bash": {}}
        ),
        "system_packages.configuration": lambda: next(files),
    }
    predicted = system(True).upgraded("x")
    assert predicted["result"] is None and set(predicted["changes"]) == {"qemu-kvm", "bash", "new"}
    answer = system(**functions).upgraded("x", "upgrade", ("excluded",), ("excluded", "pinned"))
    assert answer["result"] is True and brought == [({"qemu-kvm": "9-1", "bash": "5.2"}, ["excluded"], [])]
    assert "kept 2 (hold)" in answer["comment"]
    assert "/etc/a.rpmnew" in answer["comment"] and "apt-daily.service" in answer["comment"]


def test_a_plan_that_cannot_be_made_fails_by_its_reason():
    broken = {"system_packages.plan": fail("REPOSITORY_BROKEN")}
    for answer in (system(**broken).upgraded("x"), system(**broken).downloaded("x")):
        assert answer["result"] is False and answer["reason"] == "REPOSITORY_BROKEN"


@pytest.mark.parametrize(
    ("on_it", "pillar", "good"),
    [
        (["1 virtual machine (process 7)"], {}, False),
        (["1 virtual machine (process 7)"], {"openstack_rollout": {"drained": True}}, True),
        ([], {}, True),
    ],
)
def test_what_disturbs_workloads_is_refused_where_there_are_some(on_it, pillar, good):
    answer = system(on_it=on_it, pillar=pillar).undisturbed("x", ("qemu*",), depth="upgrade")
    assert answer["result"] is good and not answer["changes"]
    if not good:
        assert answer["reason"] == "NODE_OCCUPIED"
        assert answer["comment"].startswith("NODE_OCCUPIED: cmp1: nothing was touched, for qemu-kvm")
    assert system(on_it=["x"]).undisturbed("x", ("libvirt*",), depth="upgrade")["result"] is True


def test_what_is_mended_disturbs_workloads_as_well():
    half = {"package_repair.due": lambda stage, packages, exclude: {"libvirt-daemon": "half"}}
    answer = system(on_it=["1 virtual machine"], **half).undisturbed("x", ("libvirt*",))
    assert answer["reason"] == "NODE_OCCUPIED" and "libvirt-daemon" in answer["comment"]


def test_a_reboot_that_is_needed_is_told_and_ad_hoc_warned_of():
    functions = {"reboot_needed.evidence": lambda: ["kernel: 1 runs, 2 is installed"]}
    ad_hoc = load("states", "reboot_needed", salt=functions).reported("x")
    assert ad_hoc["result"] is True and "orch.system" in ad_hoc["warnings"][0] and not ad_hoc["changes"]
    in_a_run = load("states", "reboot_needed", salt=functions, pillar={"openstack_rollout": {"target": "1"}})
    assert "warnings" not in in_a_run.reported("x")


@pytest.mark.parametrize("masters", [{}, {"salt-master": ["1"]}])
def test_salts_packages_are_due_after_the_job_or_left_beside_the_masters(masters):
    begun = []
    functions = {
        "minion_package.due": lambda *_: {"salt-minion": "3008.4-1"} if not masters else {},
        "minion_package.masters": lambda: masters,
        "minion_package.forget": lambda: None,
        "minion_package.renew": lambda due, exclude: (
            begun.append(due) or {"salt-minion": {"new": "3008.4-1"}}
        ),
    }
    assert state("minion_package", True, **functions).renewed("x")["result"] is (True if masters else None)
    answer = state("minion_package", **functions).renewed("x")
    assert answer["result"] is True and begun == ([] if masters else [{"salt-minion": "3008.4-1"}])
    assert ("master" in answer["comment"]) == bool(masters)
