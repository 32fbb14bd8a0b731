"""The drain of Ceph: what Ceph says counts, only our own flags move, and nothing unknown passes for whole."""

from __future__ import annotations

import pytest

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.ceph import SETTLED, Ceph
from openstack_rollout.drains.contract import Answer
from openstack_rollout.errors import RolloutError

FSID = "5d3f6b0a-6b1c-4c58-9a55-1f0f5f3c7a10"
HOSTS = ("sto1", "sto2", "sto3")
CLEAN = {"active+clean": 15, "active+clean+scrubbing+deep": 1}


class Cluster:
    """Three hosts with an OSD and a monitor each; stands in for SaltAsk and the clock.

    script: what happens at a time, {seconds: callable}.
    """

    def __init__(self):
        self.now = 0.0
        self.osds = {str(n): {"up": True, "in": True} for n in range(3)}
        self.quorum = list(HOSTS)
        self.groups = dict(CLEAN)
        self.left = 0
        self.flags = ["sortbitwise"]
        self.checks = []
        self.noout = []
        self.together = 1  # as many OSDs as may stop at once
        self.asks = set(HOSTS)
        self.silent = set()
        self.beside = {}  # {type: hosts} of managers and gateways that run
        self.installed = {}  # and of those that are there, running or not
        self.strange = {}
        self.calls = []
        self.script = {}

    def members(self, target):
        return [node for node in (*HOSTS, "ctl1") if target == "*" or node.startswith(target.rstrip("*"))]

    def sleep(self, seconds):
        self.now += seconds
        for at in sorted(at for at in self.script if at <= self.now):
            self.script.pop(at)()

    def ask(self, nodes, function, keywords=None, timeout=15):
        self.calls.append((function, tuple(nodes), keywords))
        return {node: self._answer(node, function, keywords or {}) for node in nodes}

    def _answer(self, node, function, keywords):
        if node in self.silent:
            return Answer(None, "no answer", "NODE_SILENT")
        try:
            return Answer(getattr(self, function.partition(".")[2])(node, **keywords))
        except RolloutError as error:
            return Answer(None, error.message, error.reason)

    def here(self, node):
        number = HOSTS.index(node) if node in HOSTS else None
        daemons = {} if number is None else {"osd": [str(number)], "mon": [node]}
        daemons |= {kind: [node] for kind, hosts in self.installed.items() if node in hosts}
        fsid = FSID if daemons or node in self.asks else ""
        return {"host": node, "fsid": fsid, "daemons": daemons, "asks": node in self.asks} | self.strange

    def status(self, node):
        return {
            "fsid": FSID, "health": {"status": "HEALTH_OK", "checks": list(self.checks)},
            "monitors": list(HOSTS), "quorum": list(self.quorum), "osds": dict(self.osds),
            "noout": list(self.noout), "flags": list(self.flags), "groups": dict(self.groups),
            "left": self.left,
        }  # fmt: skip

    def places(self, node):
        on = {host: {"osd": [str(n)], "mon": [host]} for n, host in enumerate(HOSTS)}
        for kind, hosts in self.beside.items():
            for host in hosts:
                on.setdefault(host, {})[kind] = [host]
        return {"crush": {host: [str(n)] for n, host in enumerate(HOSTS)}, "on": on}

    def may_stop(self, node, sets):
        down = {name for name, one in self.osds.items() if not one["up"]}
        return [
            ["osd: unsafe to stop"] if len(down | set(one.get("osd", ()))) > self.together else []
            for one in sets
        ]

    def hold(self, node, groups):
        self.noout += groups
        return groups

    def release(self, node, groups):
        self.noout = [one for one in self.noout if one not in groups]
        return groups

    def stop(self, number):
        self.osds[str(number)]["up"] = False
        self.quorum.remove(HOSTS[number])
        self.groups = {"active+undersized+degraded": 16}
        self.left = 100

    def start(self, number):
        self.osds[str(number)]["up"] = True
        self.quorum.append(HOSTS[number])

    def become_clean(self):
        self.groups, self.left = dict(CLEAN), 0

    def called(self, function):
        return [call for call in self.calls if call[0] == f"ceph_cluster.{function}"]


def ceph(cluster, batch=1, **policy):
    said = {"drain": "ceph", "batch": batch, **policy}
    page = {"roles": {"storage": "sto*", "controller": "ctl*"}, "policies": {"storage": said}}
    clock = (lambda: cluster.now, cluster.sleep)
    return Ceph(Model.model_validate(page), "storage", cluster, clock)


def test_noout_is_set_for_the_host_alone_before_it_goes_down_and_taken_back_when_all_is_whole(record):
    cluster = Cluster()
    drain = ceph(cluster)
    drain.drain("sto1", record)
    assert cluster.noout == ["sto1"] and record.saved["noout"] == ["sto1"]
    cluster.stop(0)
    cluster.script = {10: lambda: cluster.start(0), 20: cluster.become_clean}
    drain.restore("sto1", record)
    assert cluster.noout == [] and cluster.now >= 20 + SETTLED


def test_it_is_asked_elsewhere_than_on_the_node_that_goes_down(record):
    cluster = Cluster()
    drain = ceph(cluster)
    drain.drain("sto1", record)
    cluster.silent = {"sto1"}
    drain.restore("sto1", record)
    assert {nodes for _, nodes, _ in cluster.called("hold") + cluster.called("release")} == {("sto2",)}


def test_an_operators_noout_of_that_host_stays(record):
    cluster = Cluster()
    cluster.noout = ["sto1", "sto3"]
    drain = ceph(cluster)
    drain.drain("sto1", record)
    drain.restore("sto1", record)
    assert cluster.noout == ["sto1", "sto3"] and record.saved["noout"] == []


def broken_elsewhere(cluster):
    cluster.osds["2"]["up"] = False


def groups(**states):
    return lambda cluster: cluster.groups.update({name.replace("_", "+"): n for name, n in states.items()})


@pytest.mark.parametrize(
    "breaks",
    [
        broken_elsewhere,
        groups(active_undersized=1),
        groups(active_clean=1, unknown=3),
        groups(stale_active_clean=1),
        groups(peering=1),
        lambda cluster: cluster.quorum.remove("sto3"),
        lambda cluster: cluster.flags.append("norecover"),
        lambda cluster: cluster.flags.append("full"),
        lambda cluster: cluster.checks.append("OSD_FULL"),
        *(
            lambda cluster, state=state: cluster.groups.update({state: 1})
            for state in (
                "active+clean+inconsistent",
                "active+clean+scrubbing+deep+inconsistent+failed_repair",
                "active+clean+snaptrim_error",
                "active+remapped+backfill_toofull",
                "active+remapped+recovery_toofull",
                "active+remapped+recovery_unfound",
                "active+remapped+backfill_unfound",
            )
        ),
        lambda cluster: setattr(cluster, "together", 0),
    ],
)
def test_what_is_at_risk_is_refused_before_a_run_and_before_a_node(breaks, record):
    cluster = Cluster()
    breaks(cluster)
    for call in (lambda: ceph(cluster).refuse(["sto1"]), lambda: ceph(cluster).drain("sto1", record)):
        with pytest.raises(RolloutError) as refused:
            call()
        assert refused.value.reason == "CEPH_AT_RISK" and refused.value.nodes == ("sto1",)
    assert record.saved == {} and cluster.called("hold") == []
    assert ceph(cluster).restore("sto1", record) and cluster.called("release") == []


@pytest.mark.parametrize("state", ["active+remapped+backfilling", "active+clean+snaptrim"])
def test_groups_that_have_all_their_copies_are_whole(state, record):
    cluster = Cluster()
    cluster.groups[state] = 2
    ceph(cluster).refuse(["sto1", "sto2", "sto3"])
    ceph(cluster).drain("sto1", record)


def test_a_drain_waits_for_a_recovery_as_long_as_it_moves(record):
    cluster = Cluster()
    cluster.groups, cluster.left = {"active+recovering+degraded": 16}, 100

    def step():
        cluster.left -= 20
        if cluster.left <= 0:
            cluster.become_clean()

    cluster.script = {at: step for at in (50, 100, 150, 200, 250)}
    ceph(cluster).drain("sto1", record)
    assert cluster.now >= 250


def test_a_restore_waits_for_what_is_remapped_since_the_drain_as_long_as_it_moves(record):
    cluster = Cluster()
    cluster.groups["active+remapped+backfill_wait"] = 2
    drain = ceph(cluster, return_timeout=60)
    drain.drain("sto1", record)
    cluster.groups["active+remapped+backfilling"] = 5

    def step():
        cluster.groups["active+remapped+backfilling"] -= 1

    cluster.script = {at: step for at in (50, 100, 150, 200, 250)}
    drain.restore("sto1", record)
    assert cluster.now >= 250 and cluster.noout == []


def test_what_stays_remapped_since_the_drain_is_named(record):
    cluster = Cluster()
    drain = ceph(cluster, return_timeout=60)
    drain.drain("sto1", record)
    cluster.groups["active+clean+remapped"] = 3
    with pytest.raises(RolloutError, match=r"^RESTORE_FAILED: .*3 placement groups are remapped"):
        drain.restore("sto1", record)
    del record.data["remapped"]  # of a version that did not look
    drain.restore("sto1", record)


def test_a_restore_ends_when_the_recovery_does_not_move_and_noout_stays_until_it_is_whole(record):
    cluster = Cluster()
    drain = ceph(cluster, return_timeout=100)
    drain.drain("sto1", record)
    cluster.stop(0)
    with pytest.raises(RolloutError, match="osd 0") as failed:
        drain.restore("sto1", record)
    assert failed.value.reason == "RESTORE_FAILED" and 100 <= cluster.now < 130
    assert cluster.noout == ["sto1"]
    cluster.start(0)
    cluster.become_clean()
    ceph(cluster).restore("sto1", record)  # another process goes on from the record
    assert cluster.noout == []


def test_a_restore_waits_for_another_node_that_is_away_yet_not_for_ever(record):
    cluster = Cluster()
    cluster.together = 2
    drain = ceph(cluster, batch=2, return_timeout=10)
    other = type(record)()
    drain.drain("sto1", record)
    drain.drain("sto2", other)
    cluster.stop(1)
    cluster.script = {100: lambda: cluster.start(1), 105: cluster.become_clean}
    drain.restore("sto1", record)
    assert cluster.now >= 105
    drain.drain("sto1", record)
    cluster.stop(1)
    begun = cluster.now
    with pytest.raises(RolloutError, match=r"^RESTORE_FAILED"):
        drain.restore("sto1", record)
    assert Model().system.reboot_timeout <= cluster.now - begun < Model().system.reboot_timeout + 30


def test_what_was_out_or_down_before_is_not_waited_for(record):
    cluster = Cluster()
    cluster.osds["0"] = {"up": False, "in": False}
    drain = ceph(cluster)
    drain.drain("sto1", record)
    drain.restore("sto1", record)
    assert record.saved["up"] == [] and cluster.noout == []


def test_a_drain_that_goes_on_asks_again_unless_the_node_is_down_already(record):
    cluster = Cluster()
    ceph(cluster).drain("sto1", record)
    cluster.osds["2"]["up"] = False
    with pytest.raises(RolloutError, match=r"^CEPH_AT_RISK"):
        ceph(cluster).drain("sto1", record)
    cluster.osds["2"]["up"] = True
    cluster.stop(0)
    ceph(cluster).drain("sto1", record)


def test_as_many_as_ceph_can_spare_together_and_the_batch_allows(record):
    cluster = Cluster()
    assert ceph(cluster, batch=3).capacity(HOSTS) == 1
    cluster.together = 2
    assert ceph(cluster, batch=3).capacity(HOSTS) == 2
    assert ceph(cluster, batch=1).capacity(HOSTS) == 1
    cluster.together = 0
    assert ceph(cluster, batch=3).capacity(HOSTS) == 1  # its drain says why it stays


@pytest.mark.parametrize("kind", ["mgr", "rgw"])
def test_one_manager_and_one_gateway_stay_up_beside_those_that_are_away(kind, record):
    cluster = Cluster()
    cluster.together, cluster.beside = 3, {kind: ["sto1", "sto2"]}
    drain = ceph(cluster, batch=3)
    assert drain.capacity(["sto1", "sto2"]) == 1 and drain.capacity(["sto1", "sto3", "sto2"]) == 2
    drain.refuse(HOSTS)
    drain.drain("sto1", record)
    with pytest.raises(RolloutError, match=rf"^CEPH_AT_RISK: sto2: no {kind} would run beside"):
        drain.drain("sto2", type(record)())
    cluster.beside[kind].append("ctl1")
    drain.drain("sto2", type(record)())


@pytest.mark.parametrize("kind", ["mgr", "rgw"])
def test_the_only_one_that_runs_of_several_stays(kind, record):
    cluster = Cluster()
    cluster.beside, cluster.installed = {kind: ["sto1"]}, {kind: ["sto1", "sto2"]}
    drain = ceph(cluster)
    for call in (lambda: drain.refuse(["sto1"]), lambda: drain.drain("sto1", record)):
        with pytest.raises(RolloutError, match=r"^CEPH_AT_RISK") as refused:
            call()
        assert "sto2" in refused.value.message
    drain.drain("sto2", record)


@pytest.mark.parametrize("kind", ["mgr", "rgw"])
def test_the_only_one_of_the_whole_cluster_goes_and_no_other_node_beside_it(kind, record):
    cluster = Cluster()
    cluster.together, cluster.beside, cluster.installed = 3, {kind: ["sto1"]}, {kind: ["sto1"]}
    drain = ceph(cluster, batch=3)
    assert drain.capacity(HOSTS) == 1 and drain.capacity(["sto2", "sto3", "sto1"]) == 2
    drain.refuse(HOSTS)
    drain.drain("sto1", record)


@pytest.mark.parametrize("kind", ["mgr", "rgw"])
def test_a_manager_and_a_gateway_of_the_node_are_waited_for(kind, record):
    cluster = Cluster()
    cluster.beside = {kind: ["sto1", "sto2"]}
    drain = ceph(cluster, return_timeout=60)
    drain.drain("sto1", record)
    cluster.beside = {kind: ["sto2"]}
    with pytest.raises(RolloutError, match=rf"^RESTORE_FAILED: .*not running: {kind} sto1"):
        drain.restore("sto1", record)
    cluster.beside[kind].append("sto1")
    drain.restore("sto1", record)


def test_while_one_is_away_it_is_not_asked_and_what_cannot_be_told_starts_no_other(record):
    cluster = Cluster()
    cluster.together = 2
    drain = ceph(cluster, batch=3)
    drain.drain("sto1", record)
    cluster.stop(0)
    cluster.silent = {"sto1"}
    cluster.calls.clear()
    assert drain.capacity(HOSTS) == 2
    assert all("sto1" not in nodes for _, nodes, _ in cluster.calls)
    cluster.silent = set(HOSTS)
    assert drain.capacity(HOSTS) == 1


def test_two_that_are_drained_together_are_asked_for_together(record):
    cluster = Cluster()
    drain = ceph(cluster, batch=2)
    drain.drain("sto1", record)
    other = type(record)()
    with pytest.raises(RolloutError, match=r"^CEPH_AT_RISK"):
        drain.drain("sto2", other)
    cluster.together = 2
    drain.drain("sto2", other)
    assert cluster.noout == ["sto1", "sto2"]


@pytest.mark.parametrize(
    ("what", "is_so", "reason"),
    [
        ("asks", set(), "CEPH_UNREACHABLE"),
        ("silent", {"sto1"}, "NODE_SILENT"),
        ("strange", {"fsid": ""}, "CEPH_UNREACHABLE"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_not_whole(what, is_so, reason, record):
    cluster = Cluster()
    setattr(cluster, what, is_so)
    for call in (lambda: ceph(cluster).refuse(["sto1"]), lambda: ceph(cluster).drain("sto1", record)):
        with pytest.raises(RolloutError) as refused:
            call()
        assert refused.value.reason == reason
    assert record.saved == {}


def test_it_is_asked_on_another_role_s_node_where_its_own_have_no_key(record):
    cluster = Cluster()
    cluster.asks = {"ctl1"}
    ceph(cluster).drain("sto1", record)
    assert {nodes for _, nodes, _ in cluster.called("hold")} == {("ctl1",)}


def test_a_node_without_any_of_it_is_left_as_it_is(record):
    cluster = Cluster()
    ceph(cluster).drain("ctl1", record)
    assert record.saved == {} and cluster.called("hold") == []
    assert ceph(cluster).restore("ctl1", record)


def test_osds_of_a_crush_host_that_others_share_are_held_one_by_one(record, monkeypatch):
    cluster = Cluster()
    shared = {"rack1": ["0", "1", "2"]}
    monkeypatch.setattr(cluster, "places", lambda node: {"crush": shared, "on": {}})
    drain = ceph(cluster)
    drain.drain("sto1", record)
    assert cluster.noout == ["osd.0"]
