"""node_backup: what is taken, proven, encrypted, kept, and restored, by stand-ins of programs that run."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading

import pytest

from openstack_rollout.node import backup_store, commands
from openstack_rollout.node.errors import NodeError
from openstack_rollout.vocabulary import SHARE_VERSION
from tests.unit.loading import load

GUARDS = {
    "mariadb": "galera",
    "rabbitmq": "rabbitmq_cluster",
    "ovn_nb_db": "ovsdb_cluster",
    "ovn_sb_db": "ovsdb_cluster",
}
DUMP = b"INSERT INTO `users` VALUES (1,'secret');\n-- Dump completed on 2026-11-30 01:02:03\n"
DEFINITIONS = (
    b'{"vhosts": [{"name": "/"}], "users": [{"name": "nova"}, {"name": "neutron"}], "queues": [],'
    b' "permissions": [{"user": "nova", "vhost": "/", "read": ".*"}], "rabbitmq_version": "4.0.5"}'
)
SECRET = "correct horse battery staple"


def ovsdb(*bodies):
    records = (
        b"OVSDB JSON %d %s\n%s" % (len(one), hashlib.sha1(one).hexdigest().encode(), one) for one in bodies
    )
    return b"".join(records)


NORTH = ovsdb(b'{"name":"OVN_Northbound"}\n', b'{"Logical_Switch":{}}\n')


class Node:
    """A controller: what its programs print, and what they read when a part comes back."""

    def __init__(self, place):
        self.place = place
        self.prints = {
            "mariadb-dump": DUMP,
            "rabbitmqctl": DEFINITIONS,
            "OVN_Northbound": NORTH,
            "OVN_Southbound": NORTH,
            "mariabackup": b"xbstream",
        }
        self.says = {"mariabackup": "completed OK!"}
        self.fails: dict[str, int] = {}
        self.size = 1000
        self.state = "Synced"
        self.there = DEFINITIONS
        self.ran: list[list[str]] = []
        self.away: set[str] = set()
        self.clients: list[str] | NodeError = []

    def inside(self, salt, container, command):
        """A command that reads what it is given, and prints what is to be printed."""
        self.ran.append([container, *command])
        words = [one for one in command if one in self.prints] or [command[0]]
        imports = "import_definitions" in command[-1]
        name = "rabbitmqctl" if imports else words[-1]
        source, target = self.place / f"{name}.out", self.place / f"{container}.{name}.in"
        source.write_bytes(self.prints.get(name, b""))
        back = imports or "restore" in command or command[0] == "mariadb"
        reads = f"shutil.copyfileobj(sys.stdin.buffer, open({str(target)!r}, 'wb')); print('done')"
        prints = f"sys.stdout.buffer.write(open({str(source)!r}, 'rb').read())"
        says = f"sys.stderr.write({self.says.get(name, '')!r}); sys.exit({self.fails.get(name, 0)})"
        program = f"import shutil, sys; {reads if back else prints}; {says}"
        return [sys.executable, "-c", program]

    def query(self, salt, container, command, **options):
        if "export_definitions" in command:
            return commands.Result(0, self.there.decode(), "")
        asked = command[-1]
        found = str(self.size) if "SUM(" in asked else "keystone\nnova"
        return commands.Result(0, found, "")

    def connected(self, container):
        assert container == "mariadb"
        if isinstance(self.clients, NodeError):
            raise self.clients
        return self.clients

    def module(self, monkeypatch):
        monkeypatch.setattr(commands, "inside", self.inside)
        monkeypatch.setattr(commands, "in_container", self.query)
        monkeypatch.setattr(backup_store, "FOLDER", self.place / "backups")
        servers = {"ovn_nb_db": "OVN_Northbound", "ovn_sb_db": "OVN_Southbound"}
        salt = {
            "galera.status": lambda container: {"state": self.state, "cluster": "Primary"},
            "galera.clients": self.connected,
            "ovsdb_cluster.server": lambda container: None if container in self.away else {
                "container": container, "database": servers[container], "address": "unix:/run/x.sock",
            },
        }  # fmt: skip
        pillar = {"openstack_node": {"version": SHARE_VERSION, "guards": GUARDS}}
        found = load("modules", "node_backup", salt=salt, pillar=pillar)
        (self.place / "etc" / "nova").mkdir(parents=True, exist_ok=True)
        (self.place / "etc" / "nova" / "nova.conf").write_text("[database]\n")
        found._FILES = tuple(one.replace("directory=/", f"directory={self.place}") for one in found._FILES)
        return found


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture
def module(node, monkeypatch):
    return node.module(monkeypatch)


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(SECRET)
    path.chmod(0o600)
    return str(path)


ALL = ["galera", "ovn", "rabbitmq", "files"]


def refused(call, reason="BACKUP_FAILED"):
    with pytest.raises(NodeError) as error:
        call()
    assert error.value.reason == reason and SECRET not in str(error.value)
    return error.value.text


def not_restored(call):
    return refused(call, "BACKUP_NOT_RESTORED")


def test_every_part_is_taken_proven_and_for_root_alone(module, tmp_path):
    found = module.take("r1", ALL)["backups"]["r1"]
    assert set(found) == {
        "galera", "galera_accounts", "OVN_Northbound", "OVN_Southbound", "rabbitmq", "files",
    }  # fmt: skip
    assert found["galera"]["proven"].endswith("bytes of SQL, to their end")
    assert found["rabbitmq"]["proven"] == "1 vhosts, 2 users, 0 queues"
    assert found["files"]["proven"] == "1 files" and "2 records" in found["OVN_Northbound"]["proven"]
    folder = tmp_path / "backups" / "r1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    assert (folder / found["galera"]["file"]).read_bytes() == DUMP
    assert module.kept()["backups"] == {"r1": found}


def test_the_dump_names_the_databases_and_comes_from_a_member_that_has_all(module, node):
    module.take("r1", ["galera"])
    dump, accounts = [one for one in node.ran if "mariadb-dump" in one]
    assert dump[0] == "mariadb" and dump[-3:] == ["--databases", "keystone", "nova"]
    assert "--add-drop-database" in dump  # a table that was made since would be in the way of its migration
    assert "--single-transaction" in dump and "--system=users" not in dump
    assert accounts[0] == "mariadb" and "--system=users" in accounts
    node.state = "Joined"
    assert "this member is Joined" in refused(lambda: module.take("r2", ["galera"]))


def test_one_of_two_databases_of_ovn_is_no_backup_of_it(module, node):
    node.away = {"ovn_sb_db"}
    assert "ovn_sb_db" in refused(lambda: module.take("r1", ["ovn"]))
    node.away = set()
    assert set(module.take("r1", ["ovn"])["backups"]["r1"]) == {"OVN_Northbound", "OVN_Southbound"}


def test_what_is_larger_is_copied_and_that_is_restored_by_hand(module, node):
    node.size = 5000
    found = module.take("r1", ["galera"], dump_below=4000)["backups"]["r1"]["galera"]
    assert found["how"] == "mariabackup"
    assert "nothing was touched" in not_restored(lambda: module.restore("r1", "galera"))
    node.says["mariabackup"] = "[ERROR] redo log overwritten"
    assert "does not say that it completed" in refused(lambda: module.take("r2", ["galera"], dump_below=4000))


@pytest.mark.parametrize(
    ("part", "kind", "name", "prints"),
    [
        ("galera", "galera", "mariadb-dump", DUMP[:40]),
        ("galera", "galera", "mariadb-dump", b""),
        ("rabbitmq", "rabbitmq", "rabbitmqctl", b"Error: timed out"),
        ("rabbitmq", "rabbitmq", "rabbitmqctl", b"[]"),
        ("OVN_Northbound", "ovn", "OVN_Northbound", NORTH[:-5]),
        ("OVN_Northbound", "ovn", "OVN_Northbound", NORTH.replace(b"Switch", b"Sw1tch")),
        ("OVN_Northbound", "ovn", "OVN_Northbound", b""),
    ],
)
@pytest.mark.parametrize("secret", [False, True])
def test_what_is_not_whole_is_no_backup(module, node, key, part, kind, name, prints, secret):
    node.prints[name] = prints
    said = refused(lambda: module.take("r1", [kind], key_file=key if secret else ""))
    assert said.startswith(f"{part}: ")
    assert "r1" not in module.kept()["backups"]


def test_a_program_that_fails_is_told_and_leaves_nothing(module, node, tmp_path):
    node.fails["mariadb-dump"] = 2
    node.says["mariadb-dump"] = "Got error: 2013: Lost connection"
    assert "Lost connection" in refused(lambda: module.take("r1", ["rabbitmq", "galera"]))
    assert set(module.kept()["backups"]["r1"]) == {"rabbitmq"}, "what was taken by then stays"
    assert not list((tmp_path / "backups" / "r1").glob("*mariadb*"))
    node.fails.clear()
    asked = len(node.ran)
    parts = module.take("r1", ["rabbitmq", "galera"])["backups"]["r1"]
    assert set(parts) == {"rabbitmq", "galera", "galera_accounts"}
    assert not any("export_definitions" in one for one in node.ran[asked:-1] if one[0] != "rabbitmq")


def test_what_a_backup_has_stays_what_it_was(module, node):
    first = module.take("r1", ["rabbitmq"])
    node.prints["rabbitmqctl"] = DEFINITIONS.replace(b"[]", b"[{}]")
    assert module.take("r1", ["rabbitmq"]) == first
    assert module.take("r2", ["rabbitmq"])["backups"]["r2"]["rabbitmq"]["proven"].endswith("1 queues")


def test_with_a_key_nothing_is_in_the_clear_and_it_comes_back(module, node, key, tmp_path):
    module.take("r1", ALL, key_file=key)
    for path in (tmp_path / "backups").rglob("*"):
        assert path.is_dir() or (
            b"secret" not in path.read_bytes() and SECRET.encode() not in path.read_bytes()
        )
    assert module.kept()["backups"]["r1"]["galera"]["encrypted"]
    module.restore("r1", "galera", key)
    assert (tmp_path / "mariadb.mariadb.in").read_bytes() == DUMP
    with open(key, "w") as other:
        other.write("another one")
    (tmp_path / "mariadb.mariadb.in").unlink()
    for part in ("galera", "OVN_Northbound", "rabbitmq", "files"):
        paths = ["/etc/nova/nova.conf"] if part == "files" else []
        said = not_restored(lambda part=part, paths=paths: module.restore("r1", part, key, paths))
        assert "was not encrypted with what is in openstack:backup:key_file now; nothing was touched" in said
    assert not list(tmp_path.glob("*.in"))
    said = not_restored(lambda: module.restore("r1", "galera"))
    assert said == "galera: it is encrypted, and there is no openstack:backup:key_file; nothing was touched"


def test_a_restore_says_whether_anything_was_touched(module, node, tmp_path):
    found = module.take("r1", ALL)["backups"]["r1"]
    paths = ["/etc/nova/nova.conf", "/etc/nova", "etc/nova/", "/etc/nova/api.conf"]
    said = not_restored(lambda: module.restore("r1", "files", paths=paths))
    assert said == "files: it has no /etc/nova/api.conf; nothing was touched"
    (tmp_path / "backups" / "r1" / found["rabbitmq"]["file"]).unlink()
    said = not_restored(lambda: module.restore("r1", "rabbitmq"))
    assert "No such file" in said and said.endswith("; nothing was touched")
    node.fails["mariadb"], node.says["mariadb"] = 1, "ERROR 2013: Lost connection"
    said = not_restored(lambda: module.restore("r1", "galera"))
    assert "Lost connection" in said and said.endswith("; some of it may be back already")


def test_a_database_that_clients_are_connected_to_is_not_restored_without_force(module, node, tmp_path):
    module.take("r1", ALL)
    node.clients = [f"10.0.0.{number}" for number in range(21, 41)]
    said = not_restored(lambda: module.restore("r1", "galera"))
    assert "10.0.0.21" in said and " more" in said
    assert "force=True" in said and said.endswith("; nothing was touched") and not list(tmp_path.glob("*.in"))
    for part in ("galera_accounts", "rabbitmq", "OVN_Northbound"):  # which are no rows
        assert module.restore("r1", part)["clients"] == []
    told = module.restore("r1", "galera", force=True)
    assert told["clients"] == node.clients and told["said"] == "done"
    assert (tmp_path / "mariadb.mariadb.in").read_bytes() == DUMP


def test_where_nobody_tells_who_is_connected_force_alone_restores(module, node, tmp_path):
    module.take("r1", ["galera"])
    node.clients = NodeError("CLIENT_FAILED", "mariadb cannot ask ctl2: access denied")
    said = not_restored(lambda: module.restore("r1", "galera"))
    assert "access denied" in said and said.endswith("; nothing was touched")
    assert not list(tmp_path.glob("*.in"))
    told = module.restore("r1", "galera", force=True)
    assert told["clients"] == [] and "access denied" in told["said"]
    assert (tmp_path / "mariadb.mariadb.in").exists()


@pytest.mark.parametrize("wrong", ["missing", "empty", "open", "folder"])
def test_a_key_that_is_none_is_refused_before_anything_is_taken(module, node, key, tmp_path, wrong):
    if wrong == "missing":
        os.unlink(key)
    elif wrong == "empty":
        open(key, "w").close()
    elif wrong == "open":
        os.chmod(key, 0o640)
    else:
        key = str(tmp_path)
    assert "openstack:backup:key_file" in refused(lambda: module.take("r1", ALL, key_file=key))
    assert node.ran == [] and module.kept()["backups"] == {}


@pytest.mark.parametrize("part", ["galera_accounts", "rabbitmq", "OVN_Northbound", "OVN_Southbound"])
def test_a_part_goes_back_to_what_it_came_from(module, node, tmp_path, part):
    module.take("r1", ALL)
    assert module.restore("r1", part)["said"] == "done"
    (path,) = tmp_path.glob("*.in")
    program, container = {
        "galera_accounts": ("mariadb-dump", "mariadb"),
        "rabbitmq": ("rabbitmqctl", "rabbitmq"),
        "OVN_Northbound": ("OVN_Northbound", "ovn_nb_db"),
        "OVN_Southbound": ("OVN_Southbound", "ovn_sb_db"),
    }[part]
    assert path.read_bytes() == node.prints[program]
    assert node.ran[-1][0] == container


def test_definitions_that_never_come_are_told_by_name(module, node, monkeypatch):
    """RabbitMQ says that it imports, and does it afterwards, or not."""
    monkeypatch.setattr(module, "_IMPORTED", 0.0)
    module.take("r1", ["rabbitmq"])
    node.there = b'{"vhosts": [{"name": "/"}], "users": [{"name": "nova"}], "queues": []}'
    said = not_restored(lambda: module.restore("r1", "rabbitmq"))
    assert "not there: users neutron, permissions / nova" in said
    assert said.endswith("; some of it may be back already")
    monkeypatch.setattr(module, "_IMPORTED", 60.0)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: setattr(node, "there", DEFINITIONS))
    assert module.restore("r1", "rabbitmq")["said"] == "done"


@pytest.mark.parametrize("status", [0, 69])
def test_the_shell_hands_definitions_on_as_a_file_that_goes_away(module, tmp_path, monkeypatch, status):
    """The very line that runs in the container, with a stand-in for rabbitmqctl alone."""
    program = tmp_path / "bin" / "rabbitmqctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nstat -c "%a $3" "$3" > {tmp_path}/which; cat "$3" > {tmp_path}/read; exit {status}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    done = subprocess.run(["sh", "-c", module._IMPORT], input=DEFINITIONS, check=False)
    assert done.returncode == status and (tmp_path / "read").read_bytes() == DEFINITIONS
    rights, _, path = (tmp_path / "which").read_text().strip().partition(" ")
    assert rights == "600" and path.startswith("/dev/shm/") and not os.path.exists(path)


def test_a_file_that_changes_while_it_is_read_is_named_and_fails_no_backup(module, tmp_path):
    """tar's own exit status and words, of a file that grows while it is archived."""
    growing = tmp_path / "etc" / "growing.log"
    with open(growing, "w") as file:
        file.write("x" * 2**20)
    stop = threading.Event()

    def grow():
        while not stop.is_set():
            with open(growing, "a") as file:
                file.write("y" * 4096)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        found = module.take("r1", ["files"])["backups"]["r1"]["files"]
    finally:
        stop.set()
        writer.join()
    assert (
        found["proven"].startswith("2 files (")
        and "growing.log: file changed as we read it" in found["proven"]
    )


def test_a_backup_whose_record_is_damaged_stays(module, tmp_path):
    module.take("r1", ["rabbitmq"])
    (tmp_path / "backups" / "r1" / "backup.json").write_text("{")
    module.take("r2", ["rabbitmq"], keep=1)
    assert list(module.kept()["backups"]) == ["r2"]
    assert {one.name for one in (tmp_path / "backups").iterdir()} == {"r1", "r2"}


def test_a_file_that_was_changed_since_is_not_restored(module, tmp_path):
    found = module.take("r1", ["galera"])["backups"]["r1"]["galera"]
    with open(tmp_path / "backups" / "r1" / found["file"], "ab") as file:
        file.write(b"DROP DATABASE keystone;")
    assert "is not what was written" in not_restored(lambda: module.restore("r1", "galera"))
    assert not list(tmp_path.glob("*.in"))
    assert "keeps no part" in not_restored(lambda: module.restore("r2", "galera"))
    assert "which files?" in not_restored(
        lambda: module.take("r1", ["files"]) and module.restore("r1", "files")
    )


def test_only_the_last_ones_are_kept_and_nothing_that_was_never_finished(module, tmp_path):
    (tmp_path / "backups" / "killed").mkdir(parents=True)
    (tmp_path / "backups" / "killed" / ".galera.mariadb-dump.new").write_text("half")
    for number in range(5):
        module.take(f"r{number}", ["rabbitmq"], keep=2)
    assert list(module.kept()["backups"]) == ["r3", "r4"]
    assert {one.name for one in (tmp_path / "backups").iterdir()} == {"r3", "r4"}
    module.take("r9", ["rabbitmq"], keep=1)
    assert list(module.kept()["backups"]) == ["r9"]


def test_what_is_not_here_is_left_out(node, monkeypatch):
    module = node.module(monkeypatch)
    module.__pillar__["openstack_node"]["guards"] = {}
    assert set(module.take("r1", ALL)["backups"]["r1"]) == {"files"}


def test_what_reads_to_and_fro_gets_a_file_which_nobody_finds_afterwards(module, tmp_path):
    """As ovsdb-client restores: it opens /dev/stdin, and seeks."""
    program = "import sys; one = open('/dev/stdin'); one.read(); one.seek(0); sys.stdout.write(one.read())"
    (tmp_path / "in").mkdir()
    done = subprocess.run(
        ["sh", "-c", module._BY_FILE, "sh", sys.executable, "-c", program],
        input=NORTH,
        capture_output=True,
        env={"TMPDIR": str(tmp_path / "in"), "PATH": os.environ["PATH"]},
        check=True,
    )
    assert done.stdout == NORTH and not list((tmp_path / "in").iterdir())
