"""What ovn_gateway makes of OVN's databases: the answers are those of real ones."""

import json

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import Commands, load

NB = "podman exec ovn_nb_db ovn-nbctl --no-leader-only --timeout=10"
SB = "podman exec ovn_sb_db ovn-sbctl --no-leader-only --timeout=10"


def table(headings, *rows):
    return json.dumps({"headings": headings, "data": rows})


def uuid(name):
    return ["uuid", name]


NORTH = "\n".join(
    [
        table(["ha_chassis", "name"], [["set", [uuid("a"), uuid("b")]], "gw"], [["set", []], "empty"]),
        table(
            ["_uuid", "chassis_name", "priority"],
            [uuid("b"), "gtw2", 10],
            [uuid("a"), "gtw1", 20],
        ),
        table(["_uuid", "chassis_name", "priority"], [uuid("c"), "gtw1", 5]),
        table(["gateway_chassis", "name"], [uuid("c"), "r2-out"], [["set", []], "r1-out"]),
        table(["name", "options"], ["r1", ["map", []]], ["r3", ["map", [["chassis", "gtw2"]]]]),
    ]
)
SOUTH = "\n".join(
    [
        table(["_uuid", "name"], [uuid("x1"), "gtw1"], [uuid("x2"), "gtw2"]),
        table(["_uuid", "name"], [uuid("g"), "gw"]),
        table(
            ["chassis", "ha_chassis_group", "logical_port", "type", "up"],
            [uuid("x1"), uuid("g"), "cr-r1-out", "chassisredirect", True],
            [["set", []], ["set", []], "cr-r2-out", "chassisredirect", False],
            [uuid("x2"), ["set", []], "vm1", "", True],
        ),
    ]
)


def module(answers):
    commands = Commands(answers)
    return load("modules", "ovn_gateway", salt={"cmd.run_all": commands}), commands


def test_layout_in_one_transaction_a_database():
    gateway, commands = module({f"{NB} --format=json": NORTH, f"{SB} --format=json": SOUTH})
    assert gateway.layout() == {
        "groups": {
            "gw": [
                {"table": "HA_Chassis", "row": "a", "chassis": "gtw1", "priority": 20},
                {"table": "HA_Chassis", "row": "b", "chassis": "gtw2", "priority": 10},
            ],
            "empty": [],
            "r2-out": [{"table": "Gateway_Chassis", "row": "c", "chassis": "gtw1", "priority": 5}],
        },
        "pinned": {"r3": "gtw2"},
        "ports": {
            "cr-r1-out": {"group": "gw", "chassis": "gtw1", "up": True},
            "cr-r2-out": {"group": "", "chassis": "", "up": False},
        },
        "chassis": ["gtw1", "gtw2"],
    }
    assert len(commands.ran) == 2
    assert (
        "--format=json --columns=name,ha_chassis list HA_Chassis_Group -- --columns=" in commands.lines()[0]
    )


def test_only_what_is_still_as_it_was_left_is_changed():
    rows = "\n".join(
        [table(["_uuid", "priority"], [uuid("a"), 20], [uuid("b"), 11]), table(["_uuid", "priority"])]
    )
    gateway, commands = module({f"{NB} --format=json": rows})
    changes = [
        {"table": "HA_Chassis", "row": "a", "from": 20, "to": 9},
        {"table": "HA_Chassis", "row": "b", "from": 10, "to": 8},
        {"table": "HA_Chassis", "row": "gone", "from": 1, "to": 0},
    ]
    assert gateway.set_priorities(changes) == changes[:1]
    assert commands.lines()[1:] == [f"{NB} --wait=sb set HA_Chassis a priority=9"]
    commands.ran.clear()
    assert gateway.set_priorities(changes[1:]) == [] and len(commands.ran) == 1


def test_who_follows_is_measured_not_listed():
    rows = table(["name", "nb_cfg"], ["gtw1", 8], ["gtw2", 6], ["cmp1", 7])
    gateway, commands = module({f"{NB} get nb_global": "7", f"{SB} --format=json": rows})
    assert gateway.following(["gtw2", "gtw1", "gone"], timeout=0) == ["gtw1"]
    assert commands.lines()[0] == f"{NB} --wait=sb sync"


@pytest.mark.parametrize(
    "answer", [{"retcode": 125, "stderr": "Error: no container with name ovn_nb_db"}, "not JSON"]
)
def test_a_database_that_does_not_answer_is_a_named_error(answer):
    gateway, _ = module({NB: answer})
    with pytest.raises(CommandExecutionError, match=r"^OVN_UNREACHABLE: .*ovn-nbctl"):
        gateway.layout()


def test_the_chassis_name_of_this_node():
    gateway, _ = module({"ovs-vsctl": '"gtw1"\n'})
    assert gateway.chassis() == "gtw1"
