"""galera: a member stops only while the others are synced, and is back only when it is one of them."""

from __future__ import annotations

import os

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load
from tests.unit.modules.guards import NOBODY, REACHED_BY_EXEC, clock, steps

NAME = "mariadb"
HOSTS = ("10.88.0.11", "10.88.0.12", "10.88.0.13")


class Cluster(Commands):
    """Three members, asked on the first: what each says of itself, in the words of its variables."""

    def __init__(self):
        super().__init__()
        self.members = {
            host: {
                "wsrep_on": "ON",
                "wsrep_cluster_address": f"gcomm://{','.join(HOSTS)}",
                "wsrep_node_name": f"ctl{number}",
                "wsrep_cluster_status": "Primary",
                "wsrep_cluster_size": "3",
                "wsrep_local_state_comment": "Synced",
                "wsrep_local_state": "4",
                "wsrep_ready": "ON",
                "wsrep_desync": "OFF",
                "port": "3306",
            }
            for number, host in enumerate(HOSTS, 1)
        }
        self.errors, self.journal = {}, ""
        self.clients, self.processes = [0], "mariadbd --wsrep-on"
        self.connected = {host: ["2"] for host in HOSTS}  # how many threads are the server's own, who else

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        if command[0] == "journalctl":
            return found | {"stdout": self.journal}
        if command[1] == "top":
            return found | {"stdout": self.processes}
        host = next((word.partition("=")[2] for word in command if word.startswith("--host=")), "")
        if host in self.errors:
            code, said = self.errors[host]
            return found | {"retcode": code, "stderr": said}
        row = self.members[host or HOSTS[0]]
        if "SET GLOBAL wsrep_desync" in command[-1]:
            on = command[-1].endswith("ON")
            state = "Donor/Desynced" if on else "Synced"
            row |= {"wsrep_desync": "ON" if on else "OFF", "wsrep_local_state_comment": state}
            return found
        if "COUNT(*)" in command[-1]:
            return found | {"stdout": "\n".join(self.connected[host or HOSTS[0]])}
        if "PROCESSLIST" in command[-1]:
            return found | {"stdout": "10.88.0.12:4711\n" * (self.clients.pop(0) if self.clients else 0)}
        return found | {"stdout": "\n".join(f"{key}\t{value}" for key, value in row.items())}


def guard(cluster, folder):
    module = load("modules", "galera", salt=REACHED_BY_EXEC | {"cmd.run_all": cluster}, grains={"id": "ctl1"})
    module.time, module._STEPS = clock(), steps(folder)
    return module


def test_a_whole_cluster_spares_a_member(tmp_path):
    module = guard(Cluster(), tmp_path)
    token = module.before_stop(NAME)
    assert (token["member"], token["size"]) == ("ctl1", 3) and module.pending(NAME) == token
    assert module.after_start(NAME, token, 60) == "ctl1 is synced again, one of 3"
    assert module.pending(NAME) is None


def test_clients_leave_a_member_before_it_stops(tmp_path):
    cluster = Cluster()
    cluster.clients = [3, 1, 0, 7]
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    assert cluster.members[HOSTS[0]]["wsrep_desync"] == "ON" and cluster.clients == [7]
    module.undo(NAME, token)
    assert cluster.members[HOSTS[0]]["wsrep_desync"] == "OFF" and module.pending(NAME) is None


def test_clients_that_stay_are_waited_for_a_few_seconds(tmp_path):
    cluster = Cluster()
    cluster.clients = [1] * 99
    assert guard(cluster, tmp_path).before_stop(NAME)["member"] == "ctl1" and len(cluster.clients) > 80


def test_who_is_connected_to_any_member_is_told_but_for_this_machine(tmp_path):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    assert module.clients(NAME) == []
    cluster.connected[HOSTS[0]] = [
        "2",
        "10.0.0.21:40312",
        "10.0.0.21:40313",
        "localhost:40001",
        "127.0.0.1:5",
    ]
    cluster.connected[HOSTS[2]] = ["5", "ctl9.example:40312", "[fd00::7]:123", "::1:12"]
    assert module.clients(NAME) == ["10.0.0.21", "[fd00::7]", "ctl9.example"]
    cluster.errors[HOSTS[2]] = (1, "ERROR 2003 (HY000): Can't connect to server on '10.88.0.13' (111)")
    assert module.clients(NAME) == ["10.0.0.21"]


@pytest.mark.parametrize("told", [["0"], [], ["?"]])
def test_a_member_that_shows_its_own_threads_to_nobody_does_not_tell_who_is_connected(tmp_path, told):
    cluster = Cluster()
    cluster.connected[HOSTS[1]] = told
    with pytest.raises(NodeError) as error:
        guard(cluster, tmp_path).clients(NAME)
    assert error.value.reason == "CLIENT_FAILED" and HOSTS[1] in error.value.text


def test_a_member_that_lets_nobody_ask_does_not_tell_who_is_connected(tmp_path):
    cluster = Cluster()
    cluster.errors[HOSTS[1]] = (1, "ERROR 1040 (HY000): Too many connections")
    with pytest.raises(NodeError) as error:
        guard(cluster, tmp_path).clients(NAME)
    assert error.value.reason == "LIMIT_REACHED"


def test_a_database_without_a_cluster_is_asked_alone(tmp_path):
    cluster = Cluster()
    cluster.members[HOSTS[0]] = {"wsrep_on": "OFF", "port": "3306"}
    cluster.connected[HOSTS[0]] = ["0", "10.0.0.21:40312"]  # no thread is of replication there
    assert guard(cluster, tmp_path).clients(NAME) == ["10.0.0.21"]


def test_a_member_that_was_not_stopped_after_all_keeps_in_step_again(tmp_path):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    assert module.after_start(NAME, module.before_stop(NAME), 60).startswith("ctl1 is synced again")
    module.before_stop(NAME)
    module.undo(NAME, None)  # by the record that a run left which died
    assert cluster.members[HOSTS[0]]["wsrep_desync"] == "OFF"


def test_a_member_that_cannot_be_asked_is_put_right_later(tmp_path):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    cluster.errors[""] = (1, "ERROR 1045 (28000): denied")
    module.undo(NAME, token)
    assert module.pending(NAME) == token


@pytest.mark.parametrize(("row", "lacks"), [
    ({"wsrep_local_state_comment": "Donor/Desynced"}, "10.88.0.12: it is Donor/Desynced, not Synced"),
    ({"wsrep_cluster_size": "2"}, "10.88.0.12: it sees 2 of 3 members"),
    ({"wsrep_cluster_status": "non-Primary"}, "10.88.0.12: its component is non-Primary, not Primary"),
    ({"wsrep_ready": "OFF"}, "10.88.0.12: it does not take queries"),
])  # fmt: skip
def test_a_cluster_that_is_not_whole_spares_none(tmp_path, row, lacks):
    cluster = Cluster()
    cluster.members["10.88.0.12"] |= row
    module = guard(cluster, tmp_path)
    with pytest.raises(CommandExecutionError, match=rf"^QUORUM_AT_RISK: mariadb of ctl1 .*{lacks}"):
        module.before_stop(NAME)
    assert module.pending(NAME) is None


def test_a_member_that_does_not_answer_is_named(tmp_path):
    cluster = Cluster()
    cluster.errors["10.88.0.13"] = (1, "ERROR 2002 (HY000): Can't connect to server on '10.88.0.13'")
    with pytest.raises(CommandExecutionError, match=r"10\.88\.0\.13: does not answer .*Can't connect"):
        guard(cluster, tmp_path).before_stop(NAME)


def test_a_database_that_does_not_answer_may_be_replaced(tmp_path):
    cluster = Cluster()
    cluster.errors[""] = (1, "ERROR 2002 (HY000): Can't connect to local server through socket")
    assert guard(cluster, tmp_path).before_stop(NAME) == {}


@pytest.mark.parametrize("where", ["", HOSTS[1]])
@pytest.mark.parametrize(
    "error",
    [
        (127, "executable file `mariadb` not found", "CLIENT_FAILED"),
        (1, "ERROR 1045 (28000): Access denied for user 'root'@'ctl1'", "CLIENT_FAILED"),
        (1, "ERROR 1130 (HY000): Host 'ctl1' is not allowed to connect to this MariaDB", "CLIENT_FAILED"),
        (1, "ERROR 2026 (HY000): TLS/SSL error: self-signed certificate", "CLIENT_FAILED"),
        (1, "ERROR 1040 (HY000): Too many connections", "LIMIT_REACHED"),
        (1, "ERROR 1129 (HY000): Host 'ctl1' is blocked because of many errors", "LIMIT_REACHED"),
        (1, "mariadb: unknown variable 'ssl-mode=REQUIRED'", "CLIENT_FAILED"),
    ],
)
def test_a_database_that_cannot_be_asked_is_not_stopped(tmp_path, error, where):
    cluster = Cluster()
    cluster.errors[where] = error[:2]
    with pytest.raises(NodeError) as refused:
        guard(cluster, tmp_path).before_stop(NAME)
    assert refused.value.reason == error[2] and error[1][:20] in refused.value.text


@pytest.mark.parametrize(
    ("rows", "errors", "reason"),
    [
        (
            {1: {"wsrep_local_state": "2", "wsrep_local_state_comment": "Donor/Desynced"}},
            (),
            "COPY_UNDER_WAY",
        ),
        (
            {1: {"wsrep_local_state": "2", "wsrep_local_state_comment": "Donor/Desynced"}},
            (2,),
            "COPY_UNDER_WAY",
        ),
        ({1: {"wsrep_local_state": "1", "wsrep_local_state_comment": "Joining"}}, (), "COPY_UNDER_WAY"),
        ({}, (2,), "QUORUM_AT_RISK"),
        (
            {
                1: {
                    "wsrep_local_state": "2",
                    "wsrep_local_state_comment": "Donor/Desynced",
                    "wsrep_cluster_size": "2",
                }
            },
            (2,),
            "QUORUM_AT_RISK",
        ),
        (
            {
                1: {
                    "wsrep_local_state": "2",
                    "wsrep_local_state_comment": "Donor/Desynced",
                    "wsrep_desync": "ON",
                }
            },
            (),
            "SET_BY_OPERATOR",
        ),
        ({1: {"wsrep_reject_queries": "ALL"}}, (), "SET_BY_OPERATOR"),
        (
            {0: {"wsrep_provider_options": "gmcast.group = ; pc.ignore_quorum = true; pc.weight = 1; "}},
            (),
            "SET_BY_OPERATOR",
        ),
        ({2: {"wsrep_provider_pc_ignore_sb": "ON"}}, (), "SET_BY_OPERATOR"),
        ({0: {"wsrep_provider_options": "pc.ignore_sb = yes"}}, (2,), "QUORUM_AT_RISK"),
    ],
)
def test_what_is_the_matter_with_a_cluster_has_its_own_word(tmp_path, rows, errors, reason):
    cluster = Cluster()
    for number, row in rows.items():
        cluster.members[HOSTS[number]] |= row
    for number in errors:
        cluster.errors[HOSTS[number]] = (1, "ERROR 2002 (HY000): Can't connect to server")
    with pytest.raises(NodeError) as refused:
        guard(cluster, tmp_path).may_stop(NAME)
    assert refused.value.reason == reason


SCRIPT = (
    "bash -ue /usr/bin/wsrep_sst_mariabackup --role joiner --address 10.88.0.11 --datadir /srv/db/ --parent 7"
)


@pytest.fixture
def fed(tmp_path):
    """A member that is fed: its guard, and its data directory."""
    cluster = Cluster()
    cluster.errors[""] = (1, "ERROR 2002 (HY000): Can't connect to local server through socket")
    cluster.processes = f"mariadbd --user=mysql\n{SCRIPT}"
    module = guard(cluster, tmp_path / "records")
    module._PROC = tmp_path
    data = tmp_path / f"{NOBODY}/root/srv/db"
    (data / "nova").mkdir(parents=True)
    (data / "sst_in_progress").touch()
    (data / "ibdata1").write_bytes(b"x" * 9000)
    return module, data, cluster


def test_a_member_that_is_fed_is_seen_by_its_files(fed):
    module, data, _ = fed
    first = module.progress(NAME)
    assert first["copies"] and "mariabackup" in first["what"] and "/srv/db" in first["what"]
    assert module.progress(NAME)["mark"] == first["mark"]
    later = (data / "ibdata1").stat().st_mtime_ns + 1
    # What others change meanwhile, and its log, say nothing of the copy.
    for name in ("galera.cache", "gcache.page.000001", "ctl1.err", "grastate.dat"):
        (data / name).write_bytes(b"x")
        os.utime(data / name, ns=(later, later))
    assert module.progress(NAME)["mark"] == first["mark"]
    (data / "nova" / "instances.ibd").write_bytes(b"x" * 9000)
    os.utime(data / "nova" / "instances.ibd", ns=(later, later))
    assert module.progress(NAME)["mark"] > first["mark"]


def test_a_member_that_is_fed_is_not_stopped_and_its_record_stays(fed):
    module, _, _ = fed
    with pytest.raises(NodeError) as refused:
        module.before_stop(NAME)
    assert refused.value.reason == "COPY_UNDER_WAY"
    module._STEPS.begin(NAME, {"member": "ctl1"})
    module.undo(NAME, None)
    assert module.pending(NAME) == {"member": "ctl1"}


def test_a_member_that_only_starts_copies_nothing(fed):
    module, data, cluster = fed
    (data / "sst_in_progress").unlink()
    cluster.processes = "/usr/sbin/mariadbd --datadir=/srv/db"
    assert module.progress(NAME)["copies"] is False
    cluster.processes = "sh -c wait"
    assert module.progress(NAME) is None and module.before_stop(NAME) == {}


def test_a_member_that_applies_what_it_missed_is_seen_by_its_position(tmp_path):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    assert module.progress(NAME) is None
    cluster.members[HOSTS[0]] |= {"wsrep_local_state": "1", "wsrep_last_committed": "900"}
    first = module.progress(NAME)
    cluster.members[HOSTS[0]] |= {"wsrep_last_committed": "1000"}
    assert first["copies"] and module.progress(NAME)["mark"] > first["mark"]


def test_a_member_that_was_fed_is_further_than_while_it_was(fed):
    module, _, cluster = fed
    first = module.progress(NAME)
    cluster.errors.clear()
    cluster.members[HOSTS[0]] |= {"wsrep_local_state": "1", "wsrep_last_committed": "9"}
    assert module.progress(NAME)["mark"] > first["mark"]


def test_a_copy_that_does_not_move_is_named_after_the_limit(fed):
    module, _, _ = fed
    with pytest.raises(NodeError) as stalled:
        module.after_start(NAME, {"member": "ctl1", "size": 3}, 60)
    assert stalled.value.reason == "COPY_STALLED"


def test_a_database_without_a_cluster_is_not_guarded(tmp_path):
    cluster = Cluster()
    cluster.members[HOSTS[0]]["wsrep_on"] = "OFF"
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    assert module.status(NAME) is None and token == {} and module.after_start(NAME, token, 5) == ""


@pytest.mark.parametrize(("size", "reason"), [("2", "MEMBERS_AWAY"), ("1", "QUORUM_NOT_RESTORED")])
def test_a_member_that_is_back_in_a_cluster_that_lost_another_is_told_apart(tmp_path, size, reason):
    """One that is alone may have founded a cluster of its own."""
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    cluster.members[HOSTS[0]] |= {
        **{"wsrep_desync": "OFF", "wsrep_cluster_size": size},
        "wsrep_local_state_comment": "Synced",
    }
    with pytest.raises(CommandExecutionError, match=rf"^{reason}: .*ctl1 .*sees {size} of 3"):
        module.after_start(NAME, token, 60)


def test_a_member_that_does_not_come_back_is_named_with_what_it_lacks(tmp_path):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    started = {"wsrep_desync": "OFF", "wsrep_local_state_comment": "Joining", "wsrep_cluster_size": "2"}
    cluster.members[HOSTS[0]] |= started
    with pytest.raises(
        CommandExecutionError, match=r"^QUORUM_NOT_RESTORED: .*ctl1 .*2 of 3.*Joining, not Synced"
    ):
        module.after_start(NAME, token, 60)
    cluster.errors[""] = (125, "no such container")
    with pytest.raises(CommandExecutionError, match=r"^QUORUM_NOT_RESTORED: .*ctl1 .*does not answer"):
        module.after_start(NAME, token, 60)
    assert module.pending(NAME) == token


@pytest.mark.parametrize(("line", "said"), [
    ("WSREP: IST received: 5e78:7352", "by IST"),
    ("Found saved state: 5e78:7278, safe\nSST received: 5e78:7278\nIST received: 5e78:7352", "by IST"),
    ("Found saved state: 5e78:-1, safe\nSST received: 5e78:7352", "by SST: the whole database was copied"),
    ("Found saved state: 5e78:12, a\nSST received: 5e78:99\nIST received: 5e78:100", "database was copied"),
])  # fmt: skip
def test_how_a_member_came_back_is_reported(tmp_path, line, said):
    cluster = Cluster()
    module = guard(cluster, tmp_path)
    token = module.before_stop(NAME)
    cluster.journal = line
    assert module.after_start(NAME, token, 60).endswith(said)


@pytest.mark.parametrize(
    ("group", "incoming"),
    [
        ("gcomm://", "AUTO,AUTO,AUTO"),
        ("gcomm://", ",,"),
        ("gcomm://", "10.88.0.11:3306,10.88.0.12:3306,AUTO"),
        ("gcomm://10.88.0.12", "AUTO,AUTO,AUTO"),
    ],
)
def test_a_member_that_cannot_tell_all_the_others_is_not_stopped(tmp_path, group, incoming):
    cluster = Cluster()
    for row in cluster.members.values():
        row |= {"wsrep_cluster_address": group, "wsrep_incoming_addresses": incoming}
    module = guard(cluster, tmp_path)
    for function in (module.before_stop, module.status):
        with pytest.raises(NodeError) as refused:
            function(NAME)
        assert refused.value.reason == "SET_BY_OPERATOR" and "wsrep_cluster_address" in refused.value.text
    assert module.pending(NAME) is None


@pytest.mark.parametrize("incoming", ["AUTO", "", "10.88.0.11:3306"])
def test_a_member_that_founded_a_cluster_and_is_alone_is_not_guarded(tmp_path, incoming):
    cluster = Cluster()
    alone = {"wsrep_cluster_address": "gcomm://", "wsrep_cluster_size": "1"}
    cluster.members[HOSTS[0]] |= alone | {"wsrep_incoming_addresses": incoming}
    module = guard(cluster, tmp_path)
    assert module.before_stop(NAME) == {} and module.status(NAME) is None


def test_a_member_that_founded_a_cluster_hears_of_one_that_is_away_from_those_that_joined(tmp_path):
    cluster = Cluster()
    for row in cluster.members.values():
        row |= {"wsrep_cluster_size": "2", "wsrep_incoming_addresses": "10.88.0.11:3306,10.88.0.12:3306"}
    cluster.members[HOSTS[0]]["wsrep_cluster_address"] = "gcomm://"
    cluster.errors["10.88.0.13"] = (1, "ERROR 2002 (HY000): Can't connect to server on '10.88.0.13'")
    with pytest.raises(NodeError, match=r"^QUORUM_AT_RISK: .*10\.88\.0\.13: does not answer"):
        guard(cluster, tmp_path).before_stop(NAME)


def test_a_member_whose_address_names_only_the_others_is_one_of_them_all(tmp_path):
    cluster = Cluster()
    joined = ",".join(f"{host}:3306" for host in HOSTS)
    own = {"wsrep_cluster_address": "gcomm://10.88.0.12,10.88.0.13", "wsrep_incoming_addresses": joined}
    cluster.members[HOSTS[0]] |= own
    assert guard(cluster, tmp_path).status(NAME)["expected"] == list(HOSTS)


def test_an_arbitrator_is_no_member_that_could_be_asked(tmp_path):
    cluster = Cluster()
    del cluster.members[HOSTS[2]]
    for row in cluster.members.values():
        row |= {
            "wsrep_cluster_address": f"gcomm://{','.join(HOSTS[:2])}",
            "wsrep_incoming_addresses": ",10.88.0.11:3306,10.88.0.12:3306",
        }
    module = guard(cluster, tmp_path)
    assert module.status(NAME)["lacks"] == [] and module.before_stop(NAME)["size"] == 3


def test_the_state_of_every_member_is_told(tmp_path):
    found = guard(Cluster(), tmp_path).status(NAME)
    assert found["members"] == dict.fromkeys(HOSTS, "Synced") and found["lacks"] == [] and found["size"] == 3
