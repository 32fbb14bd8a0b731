"""What the drain of a compute writes to its record, and what the restore does with it.

Nova is simulated: it is brought into states that a real one cannot be brought into at will (an operator's
change in the middle, a death between two calls). The same code runs on a real Nova in the lab.
"""

import copy
import itertools
from dataclasses import replace

import pytest

from openstack_rollout.cloud import faults, nova, risks
from openstack_rollout.cloud.nova import Migration, Server, ServerGroup, Service
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.declared.model import Model
from openstack_rollout.drains import computes, instance_ha
from openstack_rollout.drains.computes import REASON
from openstack_rollout.drains.live_migrate import LiveMigrate
from openstack_rollout.drains.require_empty import RequireEmpty
from openstack_rollout.errors import REASONS, RolloutError
from tests.unit.clocks import no_sleep, time_with

FREE = {"VCPU": 8, "MEMORY_MB": 4096, "DISK_GB": 100}


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Dead(BaseException):
    """What ends a master."""


class Nova:
    def __init__(self, monkeypatch):
        self.beats = itertools.count()
        self.hosts = {
            host: Service(host, host, "nova", True, True, "", "") for host in ("cmp1", "cmp2", "cmp3")
        }
        self.servers = {name: self.server(name, "cmp1") for name in ("a", "b")}
        self.migrations = []
        self.dies_after = None
        self.groups = []
        #: hosts where migrations fail
        self.failing = set()
        #: how many more migrations the scheduler finds no host for
        self.none_found = 0
        #: provider -> how many more times it is still disabled when asked
        self.disabled = {}
        calls = {
            "services": lambda cloud: {
                host: replace(one, heartbeat=str(next(self.beats)) if one.up else "dead")
                for host, one in self.hosts.items()
            },
            "disable": lambda cloud, service, reason: self.change(service.host, enabled=False, reason=reason),
            "enable": lambda cloud, service: self.change(service.host, enabled=True, reason=""),
            "hypervisors": lambda cloud: {host: {"id": f"of-{host}"} for host in self.hosts},
            "disabled_in_placement": lambda cloud, provider: self.is_disabled(provider),
            "servers_on": lambda cloud, host: [s for s in self.servers.values() if host in (None, s.host)],
            "find_server": lambda cloud, server: self.servers.get(server),
            "migrations_of": lambda cloud, server: [m for m in self.migrations if m.server_id == server],
            "migrations_from": lambda cloud, host: [m for m in self.migrations if m.source == host],
            "live_migrate": lambda cloud, server, host: self.move(server, host),
            "server_groups": lambda cloud: self.groups,
        }
        #: what Nova says of migrations that fail
        self.fault = ""
        monkeypatch.setattr(faults, "why", lambda cloud, server: self.fault)
        for name, call in calls.items():
            monkeypatch.setattr(nova, name, call)
        monkeypatch.setattr(Placement, "read", classmethod(lambda cls, cloud: self.placement()))
        monkeypatch.setattr(
            risks,
            "gather",
            lambda cloud, host, servers: risks.Conditions(self.placement(), excluded=frozenset({host})),
        )
        monkeypatch.setattr(instance_ha, "begin_maintenance", lambda *about: None)
        monkeypatch.setattr("openstack_rollout.cloud.api.Cloud.require_reachable", lambda cloud: None)
        for module in ("cloud.migrations", "drains.computes", "drains.live_migrate"):
            monkeypatch.setattr(f"openstack_rollout.{module}.time", no_sleep())

    def placement(self):
        there = Placement(self.hosts, {}, {host: dict(FREE) for host in self.hosts}, groups=self.groups)
        there.located = self.where
        return there

    @staticmethod
    def server(name, host, **changes):
        return Server(**{"id": name, "name": name, "host": host, "status": "ACTIVE", "task": ""} | changes)

    def change(self, host, **changes):
        self.hosts[host] = replace(self.hosts[host], **changes)

    def is_disabled(self, provider):
        self.disabled[provider] = self.disabled.get(provider, 0) - 1
        return self.disabled[provider] >= 0

    def move(self, server, host):
        if host and (self.disabled.get(f"of-{host}", 0) > 0 or not self.hosts[host].enabled):
            raise AssertionError("no valid host was found")
        source = self.servers[server].host
        target = host or next(h for h, one in self.hosts.items() if one.enabled and h != source)
        number = len(self.migrations) + 1
        if self.none_found:
            self.none_found -= 1
            self.migrations.insert(
                0, Migration(number, server, "live-migration", "error", source, host or "")
            )
            return
        ended = "error" if target in self.failing else "completed"
        self.migrations.insert(0, Migration(number, server, "live-migration", ended, source, target))
        if target not in self.failing:
            self.servers[server] = replace(self.servers[server], host=target)
        if self.dies_after == number:
            self.dies_after = None
            raise Dead

    @property
    def where(self):
        return {name: server.host for name, server in self.servers.items()}


@pytest.fixture
def cloud(monkeypatch):
    return Nova(monkeypatch)


def live(**policy):
    return LiveMigrate(Model.model_validate({"policies": {"compute": {"migrate_back": True, **policy}}}))


def test_servers_leave_and_come_back_and_the_compute_is_enabled_again(cloud, record):
    drain = live()
    assert drain.drain("cmp1", record) == "2 servers moved (2 to cmp2)"
    assert (cloud.hosts["cmp1"].enabled, cloud.hosts["cmp1"].reason) == (False, REASON)
    assert drain.drain("cmp1", record) == "2 servers moved (2 to cmp2)"
    assert drain.restore("cmp1", record) == "is enabled, 2 servers are back"
    assert cloud.where == {"a": "cmp1", "b": "cmp1"}
    assert cloud.hosts["cmp1"].enabled


def test_servers_stay_away_unless_the_policy_wants_them_back(cloud, record):
    drain = live(migrate_back=False)
    drain.drain("cmp1", record)
    assert drain.restore("cmp1", record) == "is enabled"
    assert cloud.where == {"a": "cmp2", "b": "cmp2"}


def test_only_servers_that_are_still_where_we_moved_them_come_back(cloud, record):
    drain = live()
    drain.drain("cmp1", record)
    cloud.servers["a"] = replace(cloud.servers["a"], host="cmp3")
    del cloud.servers["b"]
    cloud.servers["new"] = cloud.server("new", "cmp2")
    assert drain.restore("cmp1", record) == "is enabled"
    assert cloud.where == {"a": "cmp3", "new": "cmp2"}


def test_a_compute_that_an_operator_had_disabled_stays_so_with_its_reason(cloud, record):
    cloud.change("cmp1", enabled=False, reason="bad disk")
    drain = live()
    drain.drain("cmp1", record)
    line = "left disabled, as it was before the drain; 2 servers stay on the hosts they moved to"
    assert drain.restore("cmp1", record) == line
    assert cloud.where == {"a": "cmp2", "b": "cmp2"}
    assert (cloud.hosts["cmp1"].enabled, cloud.hosts["cmp1"].reason) == (False, "bad disk")


def test_what_an_operator_disabled_in_between_stays_disabled(cloud, record):
    drain = live()
    drain.drain("cmp1", record)
    cloud.change("cmp1", reason="smells of smoke")
    line = drain.restore("cmp1", record)
    assert line.startswith("left disabled: an operator disabled it (smells of smoke); 2 servers stay")
    assert not cloud.hosts["cmp1"].enabled


@pytest.mark.parametrize("number", [1, 2])
def test_a_master_that_dies_right_after_a_request_forgets_no_server(cloud, record, number):
    drain = live(migrations_per_host=1)
    cloud.dies_after = number
    with pytest.raises(Dead):
        drain.drain("cmp1", record)
    record.data = copy.deepcopy(record.saved)
    assert live().drain("cmp1", record) == "2 servers moved (2 to cmp2)"
    assert live().restore("cmp1", record) == "is enabled, 2 servers are back"
    assert len(cloud.migrations) == 4


def test_half_a_drain_is_undone(cloud, record):
    drain = live(migrations_per_host=1)
    cloud.dies_after = 1
    with pytest.raises(Dead):
        drain.drain("cmp1", record)
    record.data = copy.deepcopy(record.saved)
    assert live().restore("cmp1", record) == "is enabled, 1 servers are back"
    assert cloud.where == {"a": "cmp1", "b": "cmp1"}


def test_a_compute_that_is_not_up_stays_disabled(cloud, record, monkeypatch):
    drain = live()
    drain.drain("cmp1", record)
    cloud.change("cmp1", up=False)
    seconds = itertools.count(step=100)
    monkeypatch.setattr(computes, "time", time_with(monotonic=lambda: next(seconds), sleep=lambda _: None))
    with pytest.raises(RolloutError) as error:
        drain.restore("cmp1", record)
    assert error.value.reason == "RESTORE_FAILED"
    assert not cloud.hosts["cmp1"].enabled
    assert cloud.where == {"a": "cmp2", "b": "cmp2"}


def test_servers_come_back_when_placement_offers_the_compute_again(cloud, record):
    drain = live()
    drain.drain("cmp1", record)
    cloud.disabled["of-cmp1"] = 3
    assert drain.restore("cmp1", record) == "is enabled, 2 servers are back"
    assert cloud.where == {"a": "cmp1", "b": "cmp1"}


def test_a_compute_that_placement_never_offers_again_is_named(cloud, record, monkeypatch):
    drain = live()
    drain.drain("cmp1", record)
    cloud.disabled["of-cmp1"] = 1000
    seconds = itertools.count(step=100)
    monkeypatch.setattr(computes, "time", time_with(monotonic=lambda: next(seconds), sleep=lambda _: None))
    with pytest.raises(RolloutError) as error:
        drain.restore("cmp1", record)
    assert error.value.reason == "RESTORE_FAILED" and "COMPUTE_STATUS_DISABLED" in error.value.message
    assert cloud.where == {"a": "cmp2", "b": "cmp2"}


@pytest.mark.parametrize(
    ("policy", "reason"), [("fail", "DRAIN_FAILED"), ("skip", "SERVERS_UNMOVABLE"), ("cold", "DRAIN_FAILED")]
)
def test_a_server_that_cannot_move_ends_the_drain_before_it_begins(cloud, record, policy, reason):
    cloud.servers["a"] = replace(cloud.servers["a"], locked=True)
    with pytest.raises(RolloutError) as error:
        live(unmovable=policy).drain("cmp1", record)
    assert error.value.reason == reason
    assert cloud.hosts["cmp1"].enabled and cloud.migrations == [] and record.data == {}


def test_a_server_that_cannot_move_may_be_left(cloud, record):
    cloud.servers["a"] = replace(cloud.servers["a"], locked=True)
    said = live(unmovable="leave").drain("cmp1", record)
    assert "1 servers moved (1 to cmp2); 1 stay: a is locked by its owner" in said
    assert cloud.where == {"a": "cmp1", "b": "cmp2"}


def test_a_run_is_refused_when_the_policy_lets_a_drain_fail_on_a_server(cloud):
    cloud.servers["a"] = replace(cloud.servers["a"], status="ERROR")
    for policy, refuses in (("fail", True), ("cold", True), ("skip", False), ("leave", False)):
        drain = live(unmovable=policy)
        if refuses:
            with pytest.raises(RolloutError) as error:
                drain.refuse(["cmp1", "cmp2"])
            assert error.value.reason == "SERVERS_UNMOVABLE" and "a is in ERROR" in error.value.message
        else:
            drain.refuse(["cmp1", "cmp2"])


def test_a_compute_without_a_spare_is_refused(cloud):
    cloud.change("cmp2", enabled=False)
    cloud.change("cmp3", up=False)
    for drain in (live(), RequireEmpty(Model())):
        with pytest.raises(RolloutError) as error:
            drain.refuse(["cmp1"])
        assert error.value.reason == "NO_SPARE"
        assert drain.capacity(["cmp1"]) == 0


def test_no_more_computes_are_drained_than_the_others_have_capacity_for(cloud):
    drain = live()
    assert drain.capacity(["cmp1", "cmp2", "cmp3"]) == 2
    cloud.servers |= {name: cloud.server(name, "cmp2", memory=3000) for name in ("c", "d")}
    assert drain.capacity(["cmp1", "cmp2", "cmp3"]) == 1
    assert drain.capacity(["cmp2", "cmp1"]) == 1
    cloud.servers["e"] = cloud.server("e", "cmp1", memory=5000)
    assert drain.capacity(["cmp1", "cmp2"]) == 0


def tried(cloud, server):
    return [one.target for one in reversed(cloud.migrations) if one.server_id == server]


def test_a_target_that_failed_is_not_tried_again(cloud, record):
    """Nova would take it once more: it has the most room."""
    cloud.failing = {"cmp2"}
    live().drain("cmp1", record)
    assert cloud.where == {"a": "cmp3", "b": "cmp3"}
    assert (tried(cloud, "a"), record.data["servers"]["a"]["drain"]["failed"]) == (["cmp2", "cmp3"], ["cmp2"])


def test_after_an_interruption_too_a_target_that_failed_is_not_tried_again(cloud, record):
    cloud.failing = {"cmp2", "cmp3"}
    with pytest.raises(RolloutError) as error:
        live().drain("cmp1", record)
    assert error.value.reason == "DRAIN_FAILED"
    assert tried(cloud, "a") == ["cmp2", "cmp3"]
    cloud.failing = {"cmp2"}
    record.data = copy.deepcopy(record.saved)
    record.data["servers"]["a"]["drain"]["failed"] = ["cmp2"]  # killed between its two tries
    live().drain("cmp1", record)
    assert tried(cloud, "a") == ["cmp2", "cmp3", "cmp3"]
    assert cloud.where == {"a": "cmp3", "b": "cmp3"}


def test_a_drain_that_failed_tells_novas_cause_and_its_remedy(cloud, record):
    cloud.failing, cloud.fault = {"cmp2", "cmp3"}, "Timed out waiting for a reply to message ID 3f2a"
    with pytest.raises(RolloutError) as error:
        live().drain("cmp1", record)
    assert f": {cloud.fault}" in error.value.message
    assert error.value.message.endswith(f"; MESSAGE_BUS_SILENT: {REASONS['MESSAGE_BUS_SILENT']}")


def test_where_nothing_else_may_take_a_server_nova_is_asked_once_more(cloud, record):
    cloud.hosts["cmp3"] = replace(cloud.hosts["cmp3"], enabled=False)
    cloud.failing = {"cmp2"}
    with pytest.raises(RolloutError):
        live().drain("cmp1", record)
    assert tried(cloud, "a") == ["cmp2", "cmp2"]


def test_members_of_one_group_move_one_after_the_other(cloud, record):
    """c, which is in none, does not wait for them."""
    cloud.servers["c"] = cloud.server("c", "cmp1")
    cloud.groups = [ServerGroup("g", "soft-anti-affinity", ["a", "b"], id="of-g")]
    live(migrations_per_host=4).drain("cmp1", record)
    assert [one.server_id for one in reversed(cloud.migrations)] == ["a", "c", "b"]


@pytest.mark.parametrize(("fails", "seconds"), [(4, 20), (1000, 150)])
def test_a_member_of_a_group_waits_until_novas_scheduler_knows_where_the_others_are(
    cloud, record, monkeypatch, fails, seconds
):
    """Nova chooses, and finds no host: its record has no target."""
    cloud.servers = {"a": cloud.server("a", "cmp1"), "b": cloud.server("b", "cmp3")}
    cloud.groups = [ServerGroup("g", "anti-affinity", ["a", "b"], id="of-g")]
    cloud.none_found = fails
    clock = Clock()
    monkeypatch.setattr("openstack_rollout.cloud.migrations.time", clock)
    if fails < 1000:
        live().drain("cmp1", record)
        assert cloud.where == {"a": "cmp2", "b": "cmp3"}
    else:
        with pytest.raises(RolloutError) as error:
            live().drain("cmp1", record)
        assert error.value.reason == "DRAIN_FAILED"
    assert tried(cloud, "a")[:4] == [""] * 4
    assert clock.now == pytest.approx(seconds, abs=15)


def test_a_server_in_no_group_is_tried_twice_at_once(cloud, record, monkeypatch):
    cloud.servers = {"a": cloud.server("a", "cmp1")}
    cloud.none_found = 1000
    clock = Clock()
    monkeypatch.setattr("openstack_rollout.cloud.migrations.time", clock)
    with pytest.raises(RolloutError):
        live().drain("cmp1", record)
    assert len(cloud.migrations) == 2 and clock.now < 10


def test_the_groups_of_the_servers_on_a_compute_are_told(cloud):
    drain = live()
    assert drain.apart(["cmp1", "cmp2"]) == {"cmp1": frozenset(), "cmp2": frozenset()}
    cloud.servers |= {"c": cloud.server("c", "cmp2"), "off": cloud.server("off", "cmp3", status="SHUTOFF")}
    cloud.groups = [
        ServerGroup("g", "anti-affinity", ["a", "c", "off"], id="of-g"),
        ServerGroup("single", "affinity", ["b"], id="of-single"),
    ]
    told = drain.apart(["cmp1", "cmp2", "cmp3", "no-compute"])
    assert told == {"cmp1": {"of-g"}, "cmp2": {"of-g"}, "cmp3": frozenset(), "no-compute": frozenset()}


def test_a_server_on_its_way_is_not_counted_twice(cloud):
    """Placement counts it on its target already."""
    cloud.servers = {"a": cloud.server("a", "cmp1", memory=4096, task="migrating", status="MIGRATING")}
    cloud.servers["b"] = cloud.server("b", "cmp2", memory=4096)
    cloud.hosts["cmp1"] = replace(cloud.hosts["cmp1"], enabled=False)
    drain = live()
    assert drain.capacity(["cmp1", "cmp2"]) == 1
    cloud.migrations = [Migration(1, "a", "live-migration", "running", "cmp1", "cmp3")]
    assert drain.capacity(["cmp1", "cmp2"]) == 2


def test_a_server_on_its_way_to_the_next_host_has_to_leave_that_one(cloud):
    """Only cmp1 and cmp3 may have it: the one it goes to stays until the other is back."""
    cloud.servers = {
        "a": cloud.server("a", "cmp1", task="migrating", status="MIGRATING"),
        "b": cloud.server("b", "cmp2"),
    }
    cloud.groups = [ServerGroup("g", "anti-affinity", ["a", "b"])]
    cloud.hosts["cmp1"] = replace(cloud.hosts["cmp1"], enabled=False)
    cloud.migrations = [Migration(1, "a", "live-migration", "running", "cmp1", "cmp3")]
    assert live().capacity(["cmp1", "cmp3"]) == 1


def test_a_compute_has_to_be_empty_where_nothing_is_moved(cloud, record):
    drain = RequireEmpty(Model())
    with pytest.raises(RolloutError) as error:
        drain.drain("cmp1", record)
    assert (error.value.reason, record.data, cloud.hosts["cmp1"].enabled) == ("SERVERS_UNMOVABLE", {}, True)
    cloud.servers = {"off": cloud.server("off", "cmp1", status="SHUTOFF")}
    assert drain.drain("cmp1", record) == "no server runs on it"
    assert not cloud.hosts["cmp1"].enabled
    assert drain.restore("cmp1", record) == "is enabled"
