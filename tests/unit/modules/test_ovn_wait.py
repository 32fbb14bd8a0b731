"""ovn_wait: what a chassis tells of its setting, whose it is, and that a change under way puts it back."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.node import ovn_wait
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile
from tests.unit.loading import load
from tests.unit.modules.guards import NOBODY, steps
from tests.unit.modules.test_ovn_controller import NAME, Node, guard


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def module_of(node, folder):
    salt = {
        "cmd.run_all": node,
        "cmd.has_exec": lambda name: True,
        "podman.containers": lambda known=False: {NAME: {"running": node.running}},
        "podman.process": lambda name: NOBODY if node.running else 0,
    }
    module = load("modules", "ovn_wait", salt=salt)
    module._STEPS = steps(folder)
    module._FILE = StateFile(folder / "ovn-wait.json", module._FORM)
    return module


def record(folder):
    path = folder / "ovn-wait.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_a_chassis_tells_what_is_set_and_what_its_flows_take(folder):
    node = Node("8000")
    assert module_of(node, folder).found() == {
        "have": "8000", "theirs": "8000", "longest": 1000, "flows": 500, "by_itself": False,
    }  # fmt: skip
    assert node.waits_set == [] and record(folder) is None


def test_a_controller_that_ignores_the_setting_is_told(folder):
    node = Node()
    node.version = "ovn-controller 25.09.1\n"
    assert module_of(node, folder).found()["by_itself"] is True


def test_what_does_not_answer_is_not_known(folder):
    node = Node()
    node.longest, node.version = "", ""
    node.flows = ""
    found = module_of(node, folder).found()
    assert (found["longest"], found["flows"], found["by_itself"]) == (None, None, False)


def test_a_node_that_is_no_chassis_has_no_setting(folder):
    node = Node()
    node.ids = {}
    module = module_of(node, folder)
    assert module.found() is None
    module.bring("9000")
    assert node.waits_set == [] and record(folder) is None


@pytest.mark.parametrize("wait", [None, "8000"])
def test_what_was_there_before_ours_is_known_until_it_is_there_again(folder, wait):
    node = Node(wait)
    module = module_of(node, folder)
    module.bring("48000")
    found = module.found()
    assert (found["have"], found["theirs"]) == ("48000", wait or "")
    module.bring("90000")
    assert module.found()["theirs"] == (wait or "")
    module.bring(wait or "")
    assert node.ids.get(ovn_wait.SETTING) == wait and record(folder) is None
    assert node.waits_set == ["48000", "90000", wait]


def test_what_is_set_already_is_not_set_again(folder):
    node = Node("8000")
    module_of(node, folder).bring("8000")
    assert node.waits_set == [] and record(folder) is None


def test_what_somebody_sets_after_us_is_theirs(folder):
    node = Node()
    module = module_of(node, folder)
    module.bring("48000")
    node.ids[ovn_wait.SETTING] = "8000"
    found = module.found()
    assert (found["have"], found["theirs"]) == ("8000", "8000")
    module.bring("48000")
    assert module.found()["theirs"] == "8000"


@pytest.mark.parametrize("before", [None, "48000"])
def test_a_death_before_it_is_set_makes_nobody_elses_of_ours(folder, before):
    node = Node("8000")
    module = module_of(node, folder)
    if before:
        module.bring(before)

    def dies(command, **options):
        if " set " in " ".join(command):
            raise KeyboardInterrupt
        return node(command, **options)

    module.__salt__["cmd.run_all"] = dies
    with pytest.raises(KeyboardInterrupt):
        module.bring("90000")
    module = module_of(node, folder)
    found = module.found()
    assert (found["have"], found["theirs"]) == (before or "8000", "8000")
    node.ids[ovn_wait.SETTING] = "90000"  # or it died right after
    assert module_of(node, folder).found()["theirs"] == "8000"


def test_a_damaged_record_makes_theirs_of_what_is_set(folder):
    node = Node("8000")
    (folder / "ovn-wait.json").write_text("{")
    assert module_of(node, folder).found()["theirs"] == "8000"


def test_a_disk_that_refuses_the_record_has_nothing_set(folder, monkeypatch):
    node = Node("8000")
    module = module_of(node, folder)
    module._FILE = StateFile("/proc/none/ovn-wait.json", module._FORM)
    with pytest.raises(NodeError, match=r"^NODE_ERROR: /proc/none"):
        module.bring("48000")
    assert node.waits_set == []


def test_a_change_under_way_keeps_its_own_and_puts_ours_back_in_its_end(folder):
    node = Node("8000")
    guards = guard(node, folder)
    token = guards.before_stop(NAME)
    assert node.ids[ovn_wait.SETTING] == "24000"
    module = module_of(node, folder)  # of the run after the one that died
    assert module.found()["have"] == "8000"
    module.bring("48000")
    assert node.ids[ovn_wait.SETTING] == "24000", "of the change"
    assert module.found() | {"longest": 0, "flows": 0} == {
        "have": "48000", "theirs": "8000", "longest": 0, "flows": 0, "by_itself": False,
    }  # fmt: skip
    node.running = True
    guards.after_start(NAME, guards.pending(NAME), 60)
    assert node.ids[ovn_wait.SETTING] == "48000" and token["wait"] == "8000"
    assert module.found()["theirs"] == "8000"
