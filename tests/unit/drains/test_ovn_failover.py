"""The drain of OVN gateways, over a northbound database in memory that its chassis follow."""

import copy

import pytest

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Answer
from openstack_rollout.drains.ovn_failover import OvnFailover
from openstack_rollout.errors import RolloutError

DECLARED = {"roles": {"controller": "ctl*", "gateway": "gtw*"}}


class Network:
    """In place of the minions: what ovn_gateway answers, and chassis that follow priorities when alive."""

    def __init__(self, **groups):
        """groups: name={chassis: priority}; each carries the router port cr-NAME."""
        self.groups = groups
        self.dead = set()
        self.stuck = set()  # ports that do not move
        self.silent = set()  # minions
        self.writes = 0
        self.carried = {name: max(group, key=group.get) for name, group in groups.items()}

    def members(self, target):
        return ["ctl1", "ctl2"] if target == "ctl*" else []

    def ask(self, nodes, function, keywords=None, timeout=15):
        return {node: self._answer(node, function.partition(".")[2], keywords or {}) for node in nodes}

    def _answer(self, node, function, keywords):
        if node in self.silent:
            return Answer(None, "no answer", "NODE_SILENT")
        if function == "chassis":
            return Answer(f"name-of-{node}")
        return Answer(copy.deepcopy(getattr(self, function)(**keywords)))

    def layout(self, **containers):
        self.follow()
        groups = {
            name: sorted(
                (
                    {
                        "table": "HA_Chassis",
                        "row": f"{name}/{chassis}",
                        "chassis": chassis,
                        "priority": priority,
                    }
                    for chassis, priority in group.items()
                ),
                key=lambda one: -one["priority"],
            )
            for name, group in self.groups.items()
        }
        ports = {f"cr-{n}": {"group": n, "chassis": self.carried[n], "up": True} for n in self.groups}
        return {"groups": groups, "pinned": {}, "ports": ports, "chassis": sorted(self.chassis())}

    def following(self, names, timeout, **containers):
        return [name for name in names if name not in self.dead]

    def set_priorities(self, changes, nb):
        made = []
        for change in changes:
            name, chassis = change["row"].split("/")
            if self.groups[name].get(chassis) == change["from"]:
                self.groups[name][chassis] = change["to"]
                made.append(change)
        self.writes += len(made)
        return made

    def follow(self):
        for name, group in self.groups.items():
            alive = {chassis: priority for chassis, priority in group.items() if chassis not in self.dead}
            if f"cr-{name}" not in self.stuck and alive:
                self.carried[name] = max(alive, key=alive.get)

    def chassis(self):
        return {chassis for group in self.groups.values() for chassis in group} | {"name-of-cmp1"}


class Record:
    """A record whose saves a test can look at, or cut short."""

    def __init__(self):
        self.data = {}
        self.saved = None
        self.killed = False

    def save(self):
        self.saved = copy.deepcopy(self.data)
        if self.killed:
            raise KeyboardInterrupt


def gateway(number):
    return f"name-of-gtw{number}"


def drain_of(network):
    now = [0.0]
    clock = (lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    return OvnFailover(Model.model_validate(DECLARED), "gateway", network, clock)


@pytest.fixture
def network():
    return Network(
        out1={gateway(1): 20, gateway(2): 10},
        out2={gateway(1): 5, gateway(2): 30},
        out3={gateway(1): 3, gateway(2): 2, gateway(3): 1},
    )


def test_router_ports_leave_and_come_back_under_their_priorities(network):
    before = copy.deepcopy(network.groups)
    record = Record()
    drain = drain_of(network)
    assert drain.drain("gtw1", record) == "2 router ports moved"
    assert gateway(1) not in network.carried.values()
    assert network.groups["out1"] == {gateway(1): 9, gateway(2): 10}
    assert network.groups["out2"] == before["out2"]  # it was last there already
    assert network.groups["out3"] == {gateway(1): 0, gateway(2): 2, gateway(3): 1}
    assert drain.restore("gtw1", record) == "2 router ports on it, 2 of 2 changed priorities put back"
    assert network.groups == before and network.carried["out1"] == gateway(1)


def test_where_another_has_priority_0_the_others_are_raised_for_the_time(network):
    network.groups["out1"] = {gateway(1): 7, gateway(2): 0}
    before = copy.deepcopy(network.groups)
    record = Record()
    drain_of(network).drain("gtw1", record)
    assert network.groups["out1"] == {gateway(1): 0, gateway(2): 1}
    drain_of(network).restore("gtw1", record)
    assert network.groups == before


def test_the_record_is_written_before_a_priority_is(network):
    record = Record()
    record.killed = True
    with pytest.raises(KeyboardInterrupt):
        drain_of(network).drain("gtw1", record)
    assert network.writes == 0 and {one["from"] for one in record.saved["changes"].values()} == {20, 3}
    record.killed = False
    before = copy.deepcopy(network.groups)
    drain_of(network).drain("gtw1", record)
    drain_of(network).drain("gtw1", record)  # killed after the write, and begun again
    assert gateway(1) not in network.carried.values()
    drain_of(network).restore("gtw1", record)
    assert network.groups == before


def test_an_operators_change_in_between_stays(network):
    record = Record()
    drain_of(network).drain("gtw1", record)
    network.groups["out1"][gateway(1)] = 4
    drain_of(network).restore("gtw1", record)
    assert (
        network.groups["out1"] == {gateway(1): 4, gateway(2): 10} and network.groups["out3"][gateway(1)] == 3
    )
    assert network.carried["out1"] == gateway(2)  # and nobody waits for it to come back


def test_a_group_that_is_gone_is_no_error(network):
    record = Record()
    drain_of(network).drain("gtw1", record)
    network.set_priorities = lambda changes, nb: []
    del network.groups["out1"], network.groups["out3"]
    assert drain_of(network).restore("gtw1", record).endswith("0 of 2 changed priorities put back")


@pytest.mark.parametrize("dead", [2, 3])
def test_no_live_spare_is_refused_and_nothing_is_written(network, dead):
    if dead == 3:
        network.groups["out1"] = {gateway(1): 20, gateway(3): 10}
    network.dead = {gateway(dead)}
    with pytest.raises(RolloutError) as refused:
        drain_of(network).refuse(["gtw1"])
    assert (
        refused.value.reason == "NO_SPARE"
        and "gtw1" in refused.value.message
        and "out1" in refused.value.message
    )
    with pytest.raises(RolloutError, match="NO_SPARE"):
        drain_of(network).drain("gtw1", Record())
    assert network.writes == 0


def test_a_router_that_is_pinned_to_the_node_is_refused(network):
    layout = network.layout
    network.layout = lambda **containers: layout() | {"pinned": {"lr1": gateway(1)}}
    drain_of(network).refuse(["gtw2"])
    with pytest.raises(RolloutError, match="NO_SPARE: gtw1: router lr1 is pinned"):
        drain_of(network).refuse(["gtw1"])


@pytest.mark.parametrize(
    ("nodes", "dead", "capacity"),
    [
        (["gtw1", "gtw2"], set(), 1),
        (["gtw1", "gtw3", "gtw2"], set(), 2),
        (["gtw1"], {gateway(2)}, 0),
        (["gtw3"], {gateway(2)}, 1),
    ],
)
def test_as_many_together_as_leave_every_group_a_live_member(network, nodes, dead, capacity):
    network.dead = dead
    assert drain_of(network).capacity(nodes) == capacity


def test_one_at_a_time_where_priorities_begin_at_0(network):
    network.groups["out3"][gateway(3)] = 0
    assert drain_of(network).capacity(["gtw1", "gtw3"]) == 1


def test_a_port_that_does_not_move_fails_the_drain_by_name(network):
    network.stuck = {"cr-out1"}
    with pytest.raises(RolloutError, match="DRAIN_FAILED: cr-out1 did not leave gtw1 within 60 s"):
        drain_of(network).drain("gtw1", Record())


def test_nothing_is_given_back_to_a_chassis_that_does_not_follow(network):
    record = Record()
    drain_of(network).drain("gtw1", record)
    network.dead = {gateway(1)}
    lowered = copy.deepcopy(network.groups)
    with pytest.raises(RolloutError, match="RESTORE_FAILED: gtw1: its ovn-controller"):
        drain_of(network).restore("gtw1", record)
    assert network.groups == lowered


def test_a_port_that_does_not_come_back_fails_the_restore(network):
    record = Record()
    drain_of(network).drain("gtw1", record)
    network.stuck = {"cr-out1"}
    with pytest.raises(RolloutError, match="RESTORE_FAILED: cr-out1 did not come back to gtw1"):
        drain_of(network).restore("gtw1", record)


def test_a_chassis_that_has_not_applied_the_move_is_named(network):
    network.dead = {"name-of-cmp1"}
    assert drain_of(network).drain("gtw1", Record()).endswith("; not yet applied by name-of-cmp1")


def test_any_controller_will_do_and_that_none_answers_is_reported(network):
    network.silent = {"ctl1"}
    drain_of(network).refuse(["gtw1"])
    network.silent = {"ctl1", "ctl2"}
    with pytest.raises(RolloutError, match=r"OVN_UNREACHABLE: .*ctl1: no answer; ctl2: no answer"):
        drain_of(network).refuse(["gtw1"])
    network.silent = {"gtw1"}
    with pytest.raises(RolloutError, match="NODE_SILENT: gtw1"):
        drain_of(network).refuse(["gtw1"])


def test_nodes_of_own_roles_of_the_control_plane_are_asked_too(network):
    own = {"plane": "control_plane", "target": "ctl*"}
    declared = {"roles": {"controller": "none", "database": own, "edge": own | {"plane": "data_plane"}}}
    drain = OvnFailover(Model.model_validate(declared), "gateway", network)
    drain.refuse(["gtw1"])
    network.silent = {"ctl1", "ctl2"}
    with pytest.raises(RolloutError, match=r"OVN_UNREACHABLE: .*: ctl1: no answer; ctl2: no answer$"):
        drain.refuse(["gtw1"])


def test_a_node_that_is_no_chassis_is_drained_by_doing_nothing(network):
    drain = drain_of(network)
    drain._chassis = lambda nodes: dict.fromkeys(nodes, "")
    record = Record()
    assert drain.drain("gtw9", record) == "is not an OVN chassis" and drain.restore("gtw9", record)
    assert network.writes == 0


def test_the_containers_are_those_of_the_catalogue():
    of_all = {"image": "ovn_image", "roles": ["controller"], "stage": "ovn"}
    types = {"ovn-nb": {"container": "ovn_nb_db"}, "ovn-sb": {"container": "ovn_sb_db"}}
    own = {"ovn-sb": {"container": "southern"}}
    declared = {**DECLARED, "service_defaults": of_all, "service_types": types, "services": own}
    model = Model.model_validate(declared)
    assert OvnFailover(model, "gateway", Network())._containers == {"nb": "ovn_nb_db", "sb": "southern"}
    assert drain_of(Network())._containers == {}
