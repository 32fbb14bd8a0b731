"""ovsdb_cluster: a member of OVN's databases goes in order, and only while the others are connected."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import REACHED_BY_EXEC, steps

NAME = "ovn_nb_db"
CONTROL = "/run/ovn/ovnnb_db.ctl"
STATUS = """\
1f3c
Name: OVN_Northbound
Cluster ID: 5b5c (5b5cf7a8-1d5e-4d1f-8d1d-1a7e0b0f3b62)
Server ID: 1f3c (1f3cb8d5-3a43-44a6-9b3a-7b7b2ef7a0d7)
Address: tcp:10.88.0.11:6643
Status: {status}
Role: follower
Term: 2
Leader: {leader}
Vote: 2b1e

Election timer: 4000
Log: [2, 9]
Entries not yet committed: 0
Entries not yet applied: {applied}
Connections: {connections}
Disconnections: 0
Servers:
    1f3c (1f3c at tcp:10.88.0.11:6643) (self)
    2b1e (2b1e at tcp:10.88.0.12:6643) last msg 300 ms ago
    9c77 (9c77 at tcp:10.88.0.13:6643)
"""
WHOLE = {
    "status": "cluster member",
    "leader": "2b1e",
    "applied": "0",
    "connections": "->0000 <-2b1e ->9c77 <-9c77",
}


class Server(Commands):
    def __init__(self, **changes):
        super().__init__()
        self.state, self.runs, self.replies = {**WHOLE, **changes}, True, True
        self.has, self.wants, self.converts = "7.3.0", "7.3.0", True

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        if command[1] == "top":
            line = f"ovsdb-server --unixctl={CONTROL} --remote=punix:/run/ovn/nb.sock db"
            return found | {"stdout": line if self.runs else ""}
        if not self.replies:
            return found | {"retcode": 1, "stderr": "ovs-appctl: no answer: Connection timed out"}
        if "ovsdb-tool" in command or "ovsdb-client" in command:
            return found | self.schema(command)
        if command[-1] == "exit":
            self.runs = False
        if command[-1] == "ovsdb-server/list-dbs":
            return found | {"stdout": "OVN_Northbound\n_Server\n" if self.state else "_Server\n"}
        return found | {"stdout": STATUS.format(**self.state)}

    def schema(self, command):
        """What the tools of the database's schema answer."""
        if "convert" in command:
            assert command[-2:] == ["unix:/run/ovn/nb.sock", "/usr/share/ovn/ovn-nb.ovsschema"]
            self.has = self.wants if self.converts else self.has
            return {"retcode": 0 if self.converts else 1, "stderr": "" if self.converts else "constraint"}
        if "get-schema-version" in command:
            return {"stdout": f"{self.has}\n"}
        if "compare-versions" in command:
            one, other = (tuple(map(int, word.split("."))) for word in (command[-3], command[-1]))
            return {"retcode": 0 if one < other else 2}
        if command[-1] != "/usr/share/ovn/ovn-nb.ovsschema" or not self.wants:
            return {"retcode": 1, "stderr": "No such file"}
        return {"stdout": "OVN_Northbound\n" if "schema-name" in command else f"{self.wants}\n"}


def guard(server, folder):
    module = load(
        "modules", "ovsdb_cluster", salt=REACHED_BY_EXEC | {"cmd.run_all": server}, grains={"id": "ctl1"}
    )
    module._STEPS = steps(folder)
    return module


def test_a_member_leaves_by_itself_and_is_back(tmp_path):
    server = Server()
    module = guard(server, tmp_path)
    held = []
    token = module.before_stop(NAME, lambda: held.append(server.runs))
    assert held == [True] and not server.runs and token == {"control": CONTROL, "self": "1f3c", "servers": 3}
    server.runs = True
    assert module.after_start(NAME, token, 30) == "follower again, one of 3" and module.pending(NAME) is None


@pytest.mark.parametrize(("change", "lacks"), [
    ({"leader": "unknown"}, "the cluster has no leader"),
    ({"connections": "->2b1e <-2b1e (->9c77)"}, r"no connection to 10\.88\.0\.13"),
    ({"connections": ""}, r"no connection to 10\.88\.0\.12, 10\.88\.0\.13"),
    ({"status": "joining cluster"}, "it is joining cluster"),
    ({"applied": "4"}, "it has not applied"),
])  # fmt: skip
def test_a_cluster_that_is_not_whole_spares_none(tmp_path, change, lacks):
    server = Server(**change)
    module = guard(server, tmp_path)
    with pytest.raises(CommandExecutionError, match=f"^QUORUM_AT_RISK: .*OVN_Northbound.*{lacks}"):
        module.before_stop(NAME)
    assert server.runs and module.pending(NAME) is None
    server.state = WHOLE | change
    others = "2b1e <-2b1e" in change.get("connections", "")
    reason = "MEMBERS_AWAY" if others else "QUORUM_NOT_RESTORED"
    with pytest.raises(CommandExecutionError, match=f"^{reason}: .*ctl1.*{lacks}"):
        module.after_start(NAME, {"control": CONTROL}, 30)


@pytest.mark.parametrize("token", [{"control": CONTROL}, {}, None])
def test_a_database_is_converted_to_the_schema_of_its_image(tmp_path, token):
    server = Server()
    server.wants = "7.11.0"
    module = guard(server, tmp_path)
    assert "converted from schema 7.3.0 to 7.11.0" in module.after_start(NAME, token, 30)
    assert server.has == "7.11.0" == module.schema(NAME)["has"]
    assert "converted" not in module.after_start(NAME, token, 30)


@pytest.mark.parametrize("wants", ["7.2.0", ""])
def test_a_database_is_not_converted_back_nor_to_what_is_not_known(tmp_path, wants):
    server = Server()
    server.wants = wants
    assert guard(server, tmp_path).after_start(NAME, {"control": CONTROL}, 30) == "follower again, one of 3"
    assert server.has == "7.3.0"


@pytest.mark.parametrize(("wants", "converts"), [("7.11.0", False), ("8.0.0", True)])
def test_a_database_that_cannot_be_converted_is_named(tmp_path, wants, converts):
    server = Server()
    server.wants, server.converts = wants, converts
    with pytest.raises(NodeError) as refused:
        guard(server, tmp_path).after_start(NAME, {"control": CONTROL}, 30)
    assert refused.value.reason == "SCHEMA_BEHIND" and server.has == "7.3.0"


def test_a_member_that_applies_what_it_missed_is_seen(tmp_path):
    server = Server(applied="40")
    module = guard(server, tmp_path)
    first = module.progress(NAME)
    server.state["applied"] = "4"
    assert module.progress(NAME)["mark"] > first["mark"]
    server.state["applied"] = "0"
    assert module.progress(NAME) is None


def test_a_server_that_does_not_run_may_be_replaced(tmp_path):
    server = Server()
    server.runs = False
    assert guard(server, tmp_path).before_stop(NAME) == {}


def test_a_database_without_a_cluster_is_not_guarded(tmp_path):
    server = Server()
    server.state = {}
    module = guard(server, tmp_path)
    held = []
    assert module.status(NAME) is None and module.before_stop(NAME, lambda: held.append(1)) == {}
    assert server.runs and not held


def test_a_database_that_has_no_cluster_says_so(tmp_path):
    server = Server()
    refuses = {"retcode": 2, "stderr": '"cluster/status" is not a valid command'}
    alone = Server.__call__
    module = guard(
        lambda command, **options: (
            alone(server, command, **options)
            | ({"stdout": "", **refuses} if "cluster/status" in command else {})
        ),
        tmp_path,
    )
    assert module.status(NAME) is None and module.before_stop(NAME) == {}


def test_a_server_that_gives_no_answer_is_not_taken_for_one_without_a_cluster(tmp_path):
    server = Server()
    server.replies = False
    module = guard(server, tmp_path)
    with pytest.raises(
        CommandExecutionError, match=r"^QUORUM_AT_RISK: ovn_nb_db: its server does not answer"
    ):
        module.status(NAME)
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: .* is not stopped.*does not answer"):
        module.before_stop(NAME)
    assert server.runs and module.pending(NAME) is None
