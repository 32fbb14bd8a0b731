"""rabbitmq_cluster: a node goes drained, while no queue needs it, and is back only in a whole cluster."""

from __future__ import annotations

import json

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import REACHED_BY_EXEC, clock, steps

NAME = "rabbitmq"
NODES = ["rabbit@ctl1", "rabbit@ctl2", "rabbit@ctl3"]


class Broker(Commands):
    """The broker of ctl1, by its tools."""

    def __init__(self):
        super().__init__()
        self.cluster = {
            "disk_nodes": list(NODES), "ram_nodes": [], "running_nodes": list(NODES), "partitions": {},
            "alarms": [], "maintenance_status": dict.fromkeys(NODES, "not under maintenance"),
            "feature_flags": [
                {"name": "khepri_db", "state": "disabled"}, {"name": "quorum_queue", "state": "enabled"},
            ],
        }  # fmt: skip
        self.critical, self.running, self.drains = "", True, True
        self.missing, self.processes, self.reached = 0, "", True
        self.says = "Error: not running"
        self.mirrored, self.lonely, self.mode = None, False, "manual"
        self.said = {}  # {check: how it ends instead}

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        line = " ".join(command)
        if command[1] == "top":
            return found | {"stdout": self.processes}
        if line.endswith(" ping"):
            return found | {"retcode": 0 if self.reached else 69}
        if command[-1] in self.said:
            return found | self.said[command[-1]]
        if self.missing or not self.running:
            return found | {"retcode": self.missing or 69, "stderr": self.says}
        if line.endswith("cluster_status"):
            return found | {"stdout": json.dumps(self.cluster)}
        if "list_feature_flags" in line:
            return found | {"stdout": json.dumps(self.cluster["feature_flags"])}
        if line.endswith("node()."):
            return found | {"stdout": "'rabbit@ctl1'\n"}
        if line.endswith("check_if_node_is_quorum_critical") and self.critical:
            return found | {"retcode": 69, "stderr": self.critical}
        if line.endswith("check_if_node_is_mirror_sync_critical"):
            if self.mirrored is None:  # RabbitMQ 4
                return found | {"retcode": 64, "stderr": "Command not found"}
            queues = [{"readable_name": "queue 'info' in vhost '/'", "name": "info"}]
            return found | ({"retcode": 69, "stdout": json.dumps({"queues": queues})} if self.lonely else {})
        if "list_vhosts" in line:
            return found | {"stdout": '[{"name": "/"}]'}
        if "list_queues" in line:
            if self.mirrored is None:
                return found | {"retcode": 64, "stderr": "Info key(s) slave_pids are not supported"}
            return found | {"stdout": json.dumps(self.mirrored)}
        if "list_policies" in line:
            definition = json.dumps({"ha-mode": "all"} | ({"ha-sync-mode": self.mode} if self.mode else {}))
            return found | {"stdout": json.dumps([{"name": "ha", "definition": definition}])}
        if line.endswith(" drain"):
            self.cluster["maintenance_status"]["rabbit@ctl1"] = "marked for maintenance"
            return found | {"retcode": 0 if self.drains else 1, "stderr": "timed out"}
        return found


def guard(broker, folder):
    module = load(
        "modules", "rabbitmq_cluster", salt=REACHED_BY_EXEC | {"cmd.run_all": broker}, grains={"id": "ctl1"}
    )
    module.time, module._STEPS = clock(), steps(folder)
    return module


def ran(broker, word):
    return [line for line in broker.lines() if line.endswith(word)]


def test_a_node_is_drained_before_it_goes_and_back_afterwards(tmp_path):
    broker = Broker()
    module = guard(broker, tmp_path)
    token = module.before_stop(NAME)
    assert (
        token["node"] == "rabbit@ctl1" and len(ran(broker, " drain")) == 1 and module.pending(NAME) == token
    )
    broker.cluster["maintenance_status"]["rabbit@ctl1"] = "not under maintenance"
    assert module.after_start(NAME, token, 60) == "rabbit@ctl1 runs again, one of 3"
    assert module.pending(NAME) is None


@pytest.mark.parametrize(("change", "lacks"), [
    ({"running_nodes": NODES[:2]}, "rabbit@ctl3: is not running"),
    ({"partitions": {"rabbit@ctl2": ["rabbit@ctl3"]}}, "rabbit@ctl2: is cut off from rabbit@ctl3"),
    ({"alarms": [{"node": "rabbit@ctl2", "resource": "disk"}]}, "rabbit@ctl2: alarm disk"),
    ({"maintenance_status": {"rabbit@ctl2": "marked for maintenance"}}, "rabbit@ctl2: is marked for"),
])  # fmt: skip
def test_a_cluster_that_is_not_whole_spares_none(tmp_path, change, lacks):
    broker = Broker()
    broker.cluster |= change
    module = guard(broker, tmp_path)
    with pytest.raises(CommandExecutionError, match=f"^QUORUM_AT_RISK: .*{lacks}"):
        module.before_stop(NAME)
    assert ran(broker, " drain") == [] and module.pending(NAME) is None


def test_a_queue_that_needs_the_node_keeps_it(tmp_path):
    broker = Broker()
    broker.critical = "Node is critical for queue tasks"
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: .*critical for queue tasks"):
        guard(broker, tmp_path).before_stop(NAME)


CHECKS = ("check_if_node_is_quorum_critical", "check_if_node_is_mirror_sync_critical")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("code", [75, 70, 1, 127])
def test_a_check_that_says_neither_yes_nor_no_is_no_no(tmp_path, code, check):
    broker = Broker()
    broker.said = {check: {"retcode": code, "stderr": "Error: operation timed out"}}
    module = guard(broker, tmp_path)
    with pytest.raises(NodeError) as refused:
        module.may_stop(NAME)
    assert refused.value.reason == "CLIENT_FAILED" and "timed out" in refused.value.text
    with pytest.raises(NodeError, match=r"^CLIENT_FAILED"):
        module.status(NAME)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_did_not_reach_the_broker_is_no_no(tmp_path, check):
    broker = Broker()
    unreached = {"retcode": 69, "stderr": "Error: unable to perform an operation on node 'rabbit@ctl1'"}
    broker.said = {check: unreached, "check_running": unreached}
    broker.processes, broker.reached = "beam.smp -W w", False
    with pytest.raises(NodeError) as refused:
        guard(broker, tmp_path).may_stop(NAME)
    assert refused.value.reason == "CLIENT_FAILED"


def test_queues_that_a_check_names_are_told(tmp_path):
    broker = Broker()
    queues = json.dumps({"queues": [{"readable_name": "queue 'q' in vhost '/'"}], "result": "error"})
    broker.said = {CHECKS[0]: {"retcode": 69, "stdout": queues}}
    with pytest.raises(NodeError, match=r"^QUORUM_AT_RISK: .*quorum \(queue 'q' in vhost '/'\)"):
        guard(broker, tmp_path).may_stop(NAME)


def test_a_check_that_cannot_be_asked_after_a_start_is_told_so(tmp_path):
    broker = Broker()
    broker.said = {CHECKS[0]: {"retcode": 75, "stderr": "Error: operation timed out"}}
    with pytest.raises(NodeError, match=r"^CLIENT_FAILED"):
        guard(broker, tmp_path).after_start(NAME, {"node": "rabbit@ctl1", "begun": 1000.0}, 30)


def test_a_node_that_cannot_be_drained_serves_on(tmp_path):
    broker = Broker()
    broker.drains = False
    module = guard(broker, tmp_path)
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_AT_RISK: .*cannot be drained"):
        module.before_stop(NAME)
    module.undo(NAME, None)
    assert len(ran(broker, " revive")) == 1 and module.pending(NAME) is None


def test_a_broker_that_does_not_run_may_be_replaced(tmp_path):
    broker = Broker()
    broker.running = False
    assert guard(broker, tmp_path).before_stop(NAME) == {}


def test_a_broker_that_cannot_be_asked_is_not_stopped(tmp_path):
    broker = Broker()
    broker.missing = 127
    with pytest.raises(NodeError) as refused:
        guard(broker, tmp_path).before_stop(NAME)
    assert refused.value.reason == "CLIENT_FAILED"


@pytest.mark.parametrize(
    ("processes", "reached", "reason"),
    [("beam.smp -W w", False, "CLIENT_FAILED"), ("beam.smp -W w", True, ""), ("epmd -daemon", False, "")],
)
def test_a_broker_that_runs_and_is_not_reached_is_none_that_is_away(tmp_path, processes, reached, reason):
    broker = Broker()
    broker.running, broker.processes, broker.reached = False, processes, reached
    module = guard(broker, tmp_path)
    if not reason:
        assert module.before_stop(NAME) == {}
        return
    with pytest.raises(NodeError) as refused:
        module.before_stop(NAME)
    assert refused.value.reason == reason


DIAGNOSTICS = """Error: unable to perform an operation on node 'rabbit@ctl1'. Please see diagnostics.

Most common reasons for this are:

 * Target node is unreachable (e.g. due to hostname resolution, TCP connection or firewall issues)
 * CLI tool fails to authenticate with the server (e.g. due to CLI tool's Erlang cookie not matching that)
 * Target node is not running

DIAGNOSTICS
===========

attempted to contact: ['rabbit@ctl1']

rabbit@ctl1:
  * connected to epmd (port 4369) on ctl1
%s

Current node details:
 * node name: 'rabbitmqcli-4-rabbit@ctl1'
 * effective user's home directory: /var/lib/rabbitmq, which is a rather long line that an end is cut from
 * Erlang cookie hash: kLtTY75JJGZnZpQF7CqnYg==, and another one of the details that say nothing to anybody
"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            DIAGNOSTICS % "  * TCP connection succeeded but Erlang distribution failed\n\n"
            "  * Authentication failed (rejected by the remote node), please check the Erlang cookie",
            "Authentication failed (rejected by the remote node), please check the Erlang cookie",
        ),
        (DIAGNOSTICS % "  * epmd reports: node 'rabbit' not running at all", "not running at all"),
        ("Error: unable to connect to node 'rabbit@ctl1': nodedown\n\nDIAGNOSTICS", "nodedown"),
        ("Error: something that nobody has seen", "something that nobody has seen"),
    ],
)
def test_why_a_broker_is_not_reached_is_told_of_long_diagnostics(tmp_path, said, told):
    broker = Broker()
    broker.running, broker.processes, broker.reached, broker.says = False, "beam.smp -W w", False, said
    with pytest.raises(NodeError) as refused:
        guard(broker, tmp_path).before_stop(NAME)
    assert told in refused.value.text and "node name" not in refused.value.text


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Error: unable to connect to node 'rabbit@ctl1': nodedown", "QUORUM_AT_RISK"),
        (DIAGNOSTICS % "  * epmd reports: node 'rabbit' not running at all", "QUORUM_AT_RISK"),
        (DIAGNOSTICS % "  * unable to connect to epmd (port 4369) on ctl1: address", "QUORUM_AT_RISK"),
        (
            "Error: unable to connect to node 'rabbit@ctl1': nodedown\n"
            "  * TCP connection succeeded but Erlang distribution failed\n"
            "  * suggestion: is the cookie set correctly?",
            "CLIENT_FAILED",
        ),
        ("executable file `rabbitmqctl` not found", "CLIENT_FAILED"),
    ],
)
def test_a_broker_that_is_down_is_no_fault_of_its_client(tmp_path, said, reason):
    broker = Broker()
    broker.running, broker.says = False, said
    with pytest.raises(NodeError) as refused:
        guard(broker, tmp_path).status(NAME)
    assert refused.value.reason == reason


def queue(synchronised, messages=9, state="running"):
    return {
        "name": "info", "messages": messages, "state": state, "policy": "ha",
        "slave_pids": ["#PID<1.2.0>"], "synchronised_slave_pids": ["#PID<1.2.0>"] * synchronised,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("manual", "SET_BY_OPERATOR"), ("", "SET_BY_OPERATOR"), ("automatic", "QUORUM_AT_RISK")],
)
def test_the_only_synchronised_copy_of_a_queue_is_not_stopped(tmp_path, mode, reason):
    broker = Broker()
    broker.mirrored, broker.lonely, broker.mode = [queue(0)], True, mode
    module = guard(broker, tmp_path)
    with pytest.raises(NodeError) as refused:
        module.before_stop(NAME)
    assert refused.value.reason == reason and "info" in refused.value.text
    assert ran(broker, " drain") == [] and module.pending(NAME) is None


def test_mirrors_are_waited_for_that_are_synchronised_by_themselves(tmp_path):
    broker = Broker()
    broker.mirrored, broker.mode = [queue(0)], "automatic"
    module = guard(broker, tmp_path)
    token = {"node": "rabbit@ctl1", "begun": 1000.0}
    with pytest.raises(NodeError) as stalled:
        module.after_start(NAME, token, 30)
    assert stalled.value.reason == "COPY_STALLED"
    first = module.progress(NAME)
    broker.mirrored = [queue(0, state="{syncing, 5}")]
    assert module.progress(NAME)["mark"] > first["mark"] and first["copies"]
    for done in (queue(1), queue(0, messages=0)):
        broker.mirrored = [done]
        assert module.after_start(NAME, token, 30) == "rabbit@ctl1 runs again, one of 3"
        assert module.progress(NAME) is None


def test_mirrors_that_wait_for_the_operator_are_told_and_not_waited_for(tmp_path):
    broker = Broker()
    broker.mirrored = [queue(0)]
    module = guard(broker, tmp_path)
    said = module.after_start(NAME, {"node": "rabbit@ctl1", "begun": 1000.0}, 30)
    assert "rabbitmqctl sync_queue --vhost / info" in said and module.pending(NAME) is None


def test_a_broker_that_is_alone_is_not_guarded(tmp_path):
    broker = Broker()
    broker.cluster["disk_nodes"] = NODES[:1]
    module = guard(broker, tmp_path)
    assert module.status(NAME) is None and module.before_stop(NAME) == {}


def test_a_node_that_does_not_come_back_is_named(tmp_path):
    broker = Broker()
    module = guard(broker, tmp_path)
    token = module.before_stop(NAME)
    broker.running = False
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_NOT_RESTORED: .*rabbit@ctl1 .*does not answer"):
        module.after_start(NAME, token, 30)


@pytest.mark.parametrize(
    ("running", "partitions", "reason"),
    [
        (NODES[:2], {}, "MEMBERS_AWAY"),
        (NODES[1:], {}, "QUORUM_NOT_RESTORED"),
        (NODES[:2], {"rabbit@ctl1": [NODES[2]]}, "QUORUM_NOT_RESTORED"),
    ],
)
def test_a_node_that_is_back_while_another_is_away_is_told_apart(tmp_path, running, partitions, reason):
    broker = Broker()
    module = guard(broker, tmp_path)
    token = module.before_stop(NAME)
    broker.cluster |= {"running_nodes": running, "partitions": partitions}
    with pytest.raises(CommandExecutionError, match=rf"^{reason}: .*rabbit@ctl1"):
        module.after_start(NAME, token, 30)


def test_stable_feature_flags_that_are_off_are_told(tmp_path):
    broker = Broker()
    broker.cluster["feature_flags"] = [
        {"name": "khepri_db", "state": "disabled", "stability": "experimental"},
        {"name": "quorum_queue", "state": "enabled", "stability": "stable"},
        {"name": "stream_filtering", "state": "disabled", "stability": "stable"},
    ]
    (line,) = guard(broker, tmp_path).stable_flags(NAME)
    assert line.startswith(
        "RabbitMQ's stable feature flag stream_filtering is disabled: rabbitmqctl enable_feat"
    )


def test_a_feature_flag_that_a_release_needs_is_asked_for(tmp_path):
    module = guard(Broker(), tmp_path)
    assert module.feature_flags(NAME, ["quorum_queue"]) == []
    (line,) = module.feature_flags(NAME, ["quorum_queue", "khepri_db"])
    assert "khepri_db is disabled" in line and "enable_feature_flag khepri_db" in line
