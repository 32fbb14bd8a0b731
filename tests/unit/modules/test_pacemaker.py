"""pacemaker: addresses leave a node by a ban that is lifted again, a standby is ours only where we set it."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import steps

NAME = "keystone"
NODE = '<node name="{name}" online="{online}" standby="{standby}" maintenance="{maintenance}" pending="false" unclean="false"/>'  # noqa: E501
RESOURCE = (
    '<resource id="{id}" resource_agent="{agent}" active="true" blocked="{blocked}" managed="{managed}"'
    ' failed="{blocked}">{nodes}</resource>'
)


class Cluster(Commands):
    """Three nodes, seen from ctl1, which has the VIP and one haproxy of a clone."""

    def __init__(self):
        super().__init__()
        self.nodes = {f"ctl{n}": {"online": True, "standby": False, "maintenance": False} for n in (1, 2, 3)}
        self.vip, self.banned = "ctl1", set()
        self.outlived = []
        self.left_behind = self.stuck = self.maintenance = False
        self.quorum = self.installed = self.answers_at_all = self.enabled = True

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        line = " ".join(command)
        if command[0] == "crm_mon":
            gone = {"retcode": 102, "stderr": "gone"}
            return found | ({"stdout": self._xml()} if self.answers_at_all else gone)
        if command[0] == "systemctl":
            return found | {"stdout": "enabled" if self.enabled else "disabled"}
        if line == "crm_node --name":
            return found | {"stdout": "ctl1\n"}
        if "--ban" in line:
            self.banned.add((command[command.index("--resource") + 1], command[command.index("--node") + 1]))
            self._move()
        if "--clear" in line:
            self.banned.discard(
                (command[command.index("--resource") + 1], command[command.index("--node") + 1])
            )
        if command[0] == "crm_standby":
            self.nodes["ctl1"]["standby"] = command[-1] == "on"
            self._move()
        if "--get-parameter=ip" in line:
            return found | {"stdout": "10.88.0.10\n"}
        return found

    def left(self, wanted):
        return [one for one in wanted if self.left_behind and one == "10.88.0.10"]

    def _move(self):
        if not self.stuck and (self.banned or self.nodes["ctl1"]["standby"]):
            self.vip = "ctl2"

    def _xml(self):
        def word(value):
            return str(value).lower()

        nodes = "".join(
            NODE.format(name=name, **{key: word(value) for key, value in one.items()})
            for name, one in self.nodes.items()
        )
        blocked = self.stuck and bool(self.banned or self.nodes["ctl1"]["standby"])
        vip = RESOURCE.format(
            id="vip",
            agent="ocf:heartbeat:IPaddr2",
            blocked=word(blocked),
            managed=word(not blocked),  # as Pacemaker has it after a failed stop
            nodes=f'<node name="{self.vip}"/>',
        )
        clones = "".join(
            RESOURCE.format(
                id="haproxy",
                agent="systemd:haproxy",
                blocked="false",
                managed="true",
                nodes=f'<node name="{n}"/>',
            )
            for n, one in self.nodes.items()
            if one["online"] and not one["standby"]
        )
        failure = '<failure op_key="vip_stop_0" node="ctl1" task="stop" exitreason="it refuses"/>'
        failures = failure if blocked else ""
        return (
            f'<pacemaker-result><summary><current_dc with_quorum="{word(self.quorum)}"/>'
            f'<cluster_options maintenance-mode="{word(self.maintenance)}"/></summary><nodes>{nodes}</nodes>'
            f'<resources><clone id="haproxy-clone">{clones}</clone>{vip}</resources>'
            f"<failures>{failures}</failures></pacemaker-result>"
        )


def module_of(cluster, folder):
    salt = {"cmd.run_all": cluster, "cmd.has_exec": lambda name: cluster.installed}
    salt |= {"left_behind.addresses": cluster.left, "left_behind.keepaliveds": lambda: cluster.outlived}
    module = load("modules", "pacemaker", salt=salt, grains={"id": "ctl1"})
    module._STEPS = steps(folder)
    return module


def test_the_address_leaves_and_its_ban_goes(tmp_path):
    cluster = Cluster()
    module = module_of(cluster, tmp_path)
    token = module.before_stop(NAME)
    assert cluster.vip == "ctl2" and token == {"node": "ctl1", "banned": ["vip"]} == module.pending(NAME)
    (ban,) = [line for line in cluster.lines() if "--ban" in line]
    assert "--lifetime=PT30M" in ban
    assert module.after_start(NAME, token, 60) == "vip was kept off ctl1 meanwhile"
    assert cluster.banned == set() and module.pending(NAME) is None


def test_a_node_without_an_address_is_left_alone(tmp_path):
    cluster = Cluster()
    cluster.vip = "ctl3"
    module = module_of(cluster, tmp_path)
    token = module.before_stop(NAME)
    assert token == {} and module.after_start(NAME, token, 60) == ""
    assert not [line for line in cluster.lines() if line.startswith("crm_resource")]


def test_an_address_that_refuses_to_stop_is_named_and_the_ban_goes(tmp_path):
    cluster = Cluster()
    cluster.stuck = True
    module = module_of(cluster, tmp_path)
    with pytest.raises(CommandExecutionError, match=r"^RESOURCE_STUCK: vip does not leave ctl1: .*refuses"):
        module.before_stop(NAME)
    assert cluster.banned == {("vip", "ctl1")}
    module.undo(NAME, None)
    assert cluster.banned == set() and module.pending(NAME) is None


def test_an_address_that_stays_on_the_machine_is_found(tmp_path):
    cluster = Cluster()
    cluster.left_behind = True
    with pytest.raises(CommandExecutionError, match=r"^RESOURCE_STUCK: .*10\.88\.0\.10 is still on ctl1"):
        module_of(cluster, tmp_path).before_stop(NAME)
    for _ in range(2):  # also when it is asked again, in standby
        with pytest.raises(CommandExecutionError, match=r"^RESOURCE_STUCK: .*10\.88\.0\.10 is still on ctl1"):
            module_of(cluster, tmp_path).standby()


def test_a_keepalived_that_outlived_its_agent_is_found(tmp_path):
    cluster = Cluster()
    cluster.outlived = ["keepalived (process 7 of neutron-l3-agent.service, inactive) runs on"]
    with pytest.raises(CommandExecutionError, match=r"^RESOURCE_STUCK: ctl1: keepalived \(process 7 of"):
        module_of(cluster, tmp_path).standby()


@pytest.mark.parametrize(("change", "lacks"), [
    (lambda c: c.nodes["ctl2"].update(online=False), "node ctl2 is offline"),
    (lambda c: setattr(c, "quorum", False), "the cluster has no quorum"),
    (lambda c: [c.nodes[n].update(standby=True) for n in ("ctl2", "ctl3")], "no other node may take"),
])  # fmt: skip
def test_a_cluster_that_cannot_take_the_address_keeps_it(tmp_path, change, lacks):
    cluster = Cluster()
    change(cluster)
    module = module_of(cluster, tmp_path)
    for function, arguments in ((module.before_stop, [NAME]), (module.standby, [])):
        with pytest.raises(CommandExecutionError, match=f"^QUORUM_AT_RISK: .*{lacks}"):
            function(*arguments)
    assert cluster.vip == "ctl1" and cluster.banned == set() and not cluster.nodes["ctl1"]["standby"]


@pytest.mark.parametrize("change", [
    lambda c: setattr(c, "maintenance", True), lambda c: c.nodes["ctl1"].update(maintenance=True),
    lambda c: setattr(c, "installed", False), lambda c: c.__dict__.update(answers_at_all=False,
    enabled=False),
])  # fmt: skip
def test_what_an_operator_keeps_still_is_left_alone(tmp_path, change):
    cluster = Cluster()
    change(cluster)
    assert module_of(cluster, tmp_path).before_stop(NAME) == {} and cluster.vip == "ctl1"


IN_MAINTENANCE = [
    (lambda c: setattr(c, "maintenance", True), "pcs property set maintenance-mode=false"),
    (lambda c: c.nodes["ctl1"].update(maintenance=True), "pcs node unmaintenance ctl1"),
]


@pytest.mark.parametrize(("change", "way_back"), IN_MAINTENANCE)
@pytest.mark.parametrize("vip", ["ctl1", "ctl2"])
def test_what_an_operator_keeps_on_a_node_does_not_go_down_with_it(tmp_path, change, way_back, vip):
    cluster = Cluster()
    cluster.vip = vip  # a resource of a clone is there in any case
    change(cluster)
    module = module_of(cluster, tmp_path)
    with pytest.raises(NodeError) as refused:
        module.standby()
    assert refused.value.reason == "SET_BY_OPERATOR" and way_back in refused.value.text
    assert ("vip" in refused.value.text) is (vip == "ctl1")
    assert not cluster.nodes["ctl1"]["standby"] and module.unstandby() == {}


@pytest.mark.parametrize(("change", "way_back"), IN_MAINTENANCE)
def test_a_node_in_maintenance_on_which_nothing_is_active_goes(tmp_path, change, way_back):
    cluster = Cluster()
    cluster.vip, cluster.nodes["ctl1"]["standby"] = "ctl2", True
    change(cluster)
    assert module_of(cluster, tmp_path).standby()["left"] == []


def test_a_pacemaker_that_should_answer_and_does_not_is_no_absent_one(tmp_path):
    cluster = Cluster()
    cluster.answers_at_all = False
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: Pacemaker of ctl1 .*: gone"):
        module_of(cluster, tmp_path).before_stop(NAME)


def test_a_node_goes_to_standby_and_back(tmp_path):
    cluster = Cluster()
    module = module_of(cluster, tmp_path)
    assert module.standby() == {"node": "ctl1", "was": False, "left": ["haproxy", "vip"]}
    assert cluster.vip == "ctl2" and cluster.nodes["ctl1"]["standby"]
    assert module.standby()["left"] == []
    assert module.unstandby() == {"node": "ctl1", "was": False} and not cluster.nodes["ctl1"]["standby"]
    assert module.unstandby() == {}


def test_a_standby_of_an_operator_stays(tmp_path):
    cluster = Cluster()
    cluster.nodes["ctl1"]["standby"] = True
    module = module_of(cluster, tmp_path)
    assert module.standby()["was"] is True
    assert module.unstandby()["was"] is True and module.unstandby() == {}
    assert cluster.nodes["ctl1"]["standby"]


def test_a_resource_that_does_not_leave_a_standby_is_named(tmp_path):
    cluster = Cluster()
    cluster.stuck = True
    with pytest.raises(CommandExecutionError, match=r"^RESOURCE_STUCK: vip does not leave ctl1"):
        module_of(cluster, tmp_path).standby(30)


def test_the_whole_cluster_is_told(tmp_path):
    found = module_of(Cluster(), tmp_path).status()
    assert found["lacks"] == [] and found["node"] == "ctl1"
    assert set(found["nodes"]) == {"ctl1", "ctl2", "ctl3"}
