"""ovn_controller: the flows stay, the operator's setting comes back, and a chassis that is behind is told."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import ovn_wait
from openstack_rollout.node.errors import NodeError
from openstack_rollout.vocabulary import SHARE_VERSION
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import NOBODY, steps

NAME = "ovn_controller"
OPERATORS = "3000"
OLD, NEW = (f"registry.example/ovn-controller@sha256:{digit * 64}" for digit in "ab")
MATCH = {"ovn-match-northd-version": "true"}


class Node(Commands):
    """A chassis with one VM: its switch's settings, its controller's container, its southbound database."""

    def __init__(self, wait=None):
        super().__init__()
        self.ids = {"system-id": "cmp1", "ovn-remote": "tcp:10.88.0.11:6642"}
        if wait is not None:
            self.ids[ovn_wait.SETTING] = wait
        self.waits_set, self.changes = [], []
        self.running, self.southbound, self.connection = True, True, "connected"
        self.age, self.flow_age, self.flows, self.ports, self.desired = 3.0, 100.0, 500, ["vm1"], 40
        self.takes_over, self.northd = True, "25.03.0-20.41.0-83.12"
        self.longest = 1000
        self.version, self.growing = "ovn-controller 25.03.0\nSB DB Schema 20.41.0\n", []

    def __call__(self, command, **options):
        line = " ".join(command)
        if "ovs-vsctl" in line and (" set " in line or " remove " in line):
            self.changes.append(command)
            self._change(command[-1] if " set " in line else None)
        if "exit --restart" in line:
            self.running = False
        if "dump-aggregate" in line and self.growing:
            self.flows = self.growing.pop(0)
        self.answers = self._answers()
        found = super().__call__(command, **options)
        if " query " in line:
            found |= self._query(json.loads(command[-1])[1:])
        return found

    def _change(self, setting):
        value = setting.rpartition("=")[2] if setting else None
        self.ids.pop(ovn_wait.SETTING, None)
        if value is not None:
            self.ids[ovn_wait.SETTING] = value
        self.waits_set.append(value)
        if value == "0" and self.takes_over:
            self.flow_age = 1.0

    def _answers(self):
        ids = json.dumps({"headings": ["external_ids"], "data": [[["map", list(self.ids.items())]]]})
        interface = {"headings": ["external_ids", "ofport"], "data": [[["map", [["iface-id", "vm1"]]], 3]]}
        vsctl = "ovs-vsctl --timeout=10 --format=json --columns="
        ofctl = (
            f"ovs-ofctl --timeout=30 -O {'OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15'}"
        )
        ask = f"podman exec {NAME} ovn-appctl --timeout=10 -t ovn-controller"
        return {
            f"{vsctl}external_ids list Open_vSwitch": ids,
            f"{vsctl}external_ids,ofport list Interface": json.dumps(interface),
            f"{ofctl} dump-aggregate": f"flow_count={self.flows}",
            f"podman exec {NAME} ovn-controller --version": self.version,
            f"{ofctl} dump-flows": f" duration={self.flow_age}s, priority=100,in_port=3 actions=drop",
            f"{ask} connection-status": self.connection + "\n",
            f"{ask} debug/status": "running\n",
            f"{ask} version": self.version,
            f"{ask} memory/show": f"ofctrl_desired_flow_usage-KB:{self.desired}",
            f"{ask} stopwatch/show": f"  Total samples: 3\n  Maximum: {self.longest} msec\n",
        }

    def _query(self, operations):
        if not self.southbound:
            return {"retcode": 1, "stderr": "no answer"}
        tables = {
            "Chassis": [{"_uuid": ["uuid", "c1"]}],
            "Chassis_Private": [{"nb_cfg": 7}],
            "SB_Global": [{"nb_cfg": 7, "options": ["map", [["northd_internal_version", self.northd]]]}],
            "Port_Binding": [{"logical_port": port, "type": ""} for port in self.ports],
        }
        answers = []
        for operation in operations:
            (column, _, value) = (operation["where"] or [["", "", ""]])[0]
            rows = [{"logical_port": value}] if column == "logical_port" else tables[operation["table"]]
            answers.append({"rows": rows})
        return {"stdout": json.dumps(answers)}


def guard(node, folder, wants=NEW):
    share = {"version": SHARE_VERSION, "services": [{"container": NAME, "image": wants}]}
    pillar = {"openstack_node": share}
    salt = {
        "cmd.run_all": node,
        "cmd.has_exec": lambda name: True,
        "datapath.record": lambda: node.ran.append(["datapath.record"]),
        "podman.containers": lambda known=False: {NAME: {"running": node.running, "image_id": "id-old"}},
        "podman.process": lambda name: NOBODY if node.running else 0,
        "podman.local_images": lambda known=False: {"id-old": [OLD], "id-new": [NEW]},
    }
    module = load("modules", "ovn_controller", salt=salt, pillar=pillar)
    module._STEPS = steps(folder)
    module._age = lambda container: node.age
    clock = iter(range(10**6))
    module.time = type("Clock", (), {
        "sleep": staticmethod(lambda seconds: None), "monotonic": staticmethod(lambda: next(clock)),
        "time": staticmethod(lambda: 1000.0),
    })  # fmt: skip
    return module


@pytest.mark.parametrize("wait", [None, OPERATORS])
def test_a_change_leaves_the_operators_setting_as_it_was(tmp_path, wait):
    node = Node(wait)
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    assert node.ids[ovn_wait.SETTING] == "24000" and not node.running
    module.after_start(NAME, token, 60)
    assert node.waits_set == ["24000", "0", wait]
    assert node.ids.get(ovn_wait.SETTING) == wait and module.pending(NAME) is None


@pytest.mark.parametrize(
    ("wait", "flows", "given"),
    [
        ("60000", 500, "60000"),
        ("8000", 100_000, "68000"),
        (None, 10**7, "300000"),
        ("none of OVN's", 500, "24000"),
    ],
)
def test_a_change_has_as_long_as_the_flows_need_and_no_less_than_the_operators(tmp_path, wait, flows, given):
    node = Node(wait)
    node.flows = flows
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    assert node.ids[ovn_wait.SETTING] == given
    module.undo(NAME, token)
    assert node.ids.get(ovn_wait.SETTING) == wait


def test_a_setting_that_ovn_does_not_read_is_left_alone(tmp_path):
    """By a chassis' name: OVN reads this one by its plain key alone."""
    node, own = Node(), f"{ovn_wait.SETTING}-cmp1"
    node.ids[own] = "9000"
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    assert (node.ids[ovn_wait.SETTING], node.ids[own]) == ("24000", "9000")
    module.after_start(NAME, token, 60)
    assert ovn_wait.SETTING not in node.ids and node.ids[own] == "9000"


def test_a_controller_leaves_by_itself_and_only_once_its_flows_are_safe(tmp_path):
    node = Node()
    guard(node, tmp_path).before_stop(NAME, lambda: node.ran.append(["hold"]))
    lines = node.lines()
    (leave,) = [index for index, line in enumerate(lines) if line.endswith("exit --restart")]
    (safe,) = [index for index, line in enumerate(lines) if "external_ids:" in line and " set " in line]
    assert lines.index("datapath.record") < safe < lines.index("hold") < leave
    assert not [line for line in lines if "systemctl" in line]


def test_without_the_southbound_database_nothing_is_touched(tmp_path):
    node = Node()
    node.southbound, node.connection = False, "not connected"
    module = guard(node, tmp_path)
    with pytest.raises(CommandExecutionError, match=r"^OVN_NOT_CAUGHT_UP: .*nothing was touched"):
        module.before_stop(NAME)
    assert node.running and node.waits_set == [] and module.pending(NAME) is None


def test_a_chassis_that_would_wait_for_northd_is_not_touched(tmp_path):
    node = Node()
    node.ids |= MATCH
    module = guard(node, tmp_path)
    with pytest.raises(NodeError) as refused:
        module.before_stop(NAME)
    assert refused.value.reason == "SET_BY_OPERATOR" and "ovn-match-northd-version" in refused.value.text
    assert node.running and node.waits_set == [] and module.pending(NAME) is None
    assert module.settings(NAME) == [
        refused.value.text.partition(": ")[2].removesuffix("; nothing was touched")
    ]


@pytest.mark.parametrize(
    ("change", "wants"),
    [({}, OLD), ({"version": "ovn-controller 24.03.2\nSB DB Schema 20.33.0\n"}, NEW)],
)
def test_a_chassis_that_would_not_wait_for_northd_goes_on(tmp_path, change, wants):
    """The same image once more, or a controller that waits for a northd which has moved already."""
    node = Node()
    node.ids |= MATCH
    for name, value in change.items():
        setattr(node, name, value)
    guard(node, tmp_path, wants).before_stop(NAME)
    assert not node.running


def test_a_chassis_of_which_northd_is_not_known_is_not_touched(tmp_path):
    node = Node()
    node.ids |= MATCH
    node.southbound = False
    assert guard(node, tmp_path).settings(NAME)


def test_a_chassis_is_waited_for_as_long_as_its_flows_grow(tmp_path):
    node = Node()
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    node.growing = [flows for flows in range(10, 420, 4) for _ in range(2)]
    assert module.progress(NAME) is not None
    module.after_start(NAME, token, 8)
    assert node.flows >= 400
    node.growing = []
    assert module.progress(NAME) is None


def test_a_controller_that_is_broken_itself_may_be_replaced(tmp_path):
    node = Node()
    node.southbound, node.connection = False, ""
    guard(node, tmp_path).before_stop(NAME)
    assert node.waits_set == ["24000"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"connection": "not connected"}, "the southbound database (not connected)"),
        ({"flows": 100}, "its flows (100 of 500)"),
        ({"takes_over": False}, "those of the previous controller"),
        ({"ports": []}, "1 of its ports (vm1)"),
    ],
)
def test_a_chassis_that_does_not_catch_up_says_what_it_waits_for(tmp_path, spoil, said):
    node = Node(OPERATORS)
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    for name, value in spoil.items():
        setattr(node, name, value)
    with pytest.raises(CommandExecutionError) as raised:
        module.after_start(NAME, token, 60)
    assert str(raised.value).startswith("OVN_NOT_CAUGHT_UP: ") and said in str(raised.value)
    module.undo(NAME, token)
    assert node.ids[ovn_wait.SETTING] == OPERATORS and module.pending(NAME) is None


def test_new_flows_are_not_let_in_before_as_many_are_computed_as_there_were(tmp_path):
    node = Node()
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    node.desired = 10
    with pytest.raises(CommandExecutionError, match="those of the previous controller are still there"):
        module.after_start(NAME, token, 60)
    assert node.waits_set == ["24000"]


@pytest.mark.parametrize(("desired", "polls"), [(40, 2), (36, 10)])
def test_fewer_flows_than_before_have_to_be_the_last_word(tmp_path, desired, polls):
    node = Node()
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    node.desired, asked = desired, len([line for line in node.lines() if "memory/show" in line])
    module.after_start(NAME, token, 60)
    before = node.lines()[: node.ran.index(node.changes[1])]
    assert len([line for line in before if "memory/show" in line]) - asked == polls


def test_a_change_that_died_is_finished_with_what_was_there_before_it(tmp_path):
    node = Node(OPERATORS)
    guard(node, tmp_path).before_stop(NAME)
    node.flows = 20
    module = guard(node, tmp_path)  # another process
    assert module.pending(NAME)["flows"] == 500
    token = module.before_stop(NAME)
    assert (token["wait"], token["flows"]) == (OPERATORS, 500)
    module.undo(NAME, None)
    assert node.ids[ovn_wait.SETTING] == OPERATORS


def test_the_flows_of_long_ago_are_not_waited_for(tmp_path):
    node = Node()
    module = guard(node, tmp_path)
    module.before_stop(NAME)
    module.time.time = staticmethod(lambda: 1000.0 + 2 * 3600)
    assert module.pending(NAME)["flows"] is None and module.pending(NAME)["ports"] == {"vm1": ""}


def test_what_the_operator_sets_meanwhile_stays(tmp_path):
    node = Node(OPERATORS)
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    node.ids[ovn_wait.SETTING] = "7777"
    module.undo(NAME, token)
    assert node.ids[ovn_wait.SETTING] == "7777" and module.pending(NAME) is None


def test_the_first_container_of_a_chassis_is_proven_too(tmp_path):
    node = Node()
    module = guard(node, tmp_path)
    with pytest.raises(CommandExecutionError, match="those of the previous controller"):
        module.after_start(NAME, None, 60)
    node.flow_age = 1.0
    module.after_start(NAME, None, 60)
    assert node.waits_set == []


def test_a_node_that_is_no_chassis_is_skipped(tmp_path):
    node = Node()
    node.ids = {}
    module = guard(node, tmp_path)
    token = module.before_stop(NAME)
    module.after_start(NAME, token, 60)
    module.undo(NAME, token)
    assert module.status() is None and node.running and node.waits_set == []


def test_the_status_of_a_chassis(tmp_path):
    node = Node()
    node.flow_age = 1.0
    found = guard(node, tmp_path).status()
    assert (found["chassis"], found["caught_up"], found["ports"]) == ("cmp1", True, {"vm1": ""})
    node.connection = "not connected"
    assert guard(node, tmp_path).status()["waits"] == ["the southbound database (not connected)"]
