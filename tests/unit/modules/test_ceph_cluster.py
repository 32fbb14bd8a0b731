"""ceph_cluster: records of what Ceph's own CLI answers, as Reef gave it; no answer is never a yes."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load

FSID = "5d3f6b0a-6b1c-4c58-9a55-1f0f5f3c7a10"
ASK = "ceph --connect-timeout 10 --format json "
DUMP = {
    "flags_set": ["nodeep-scrub", "sortbitwise"],
    "crush_node_flags": {"sto2": ["noout"], "sto3": ["noscrub"]},
    "osds": [
        {"osd": 0, "up": 1, "in": 1, "state": ["exists", "up"]},
        {"osd": 1, "up": 0, "in": 1, "state": ["exists", "noout"]},
    ],
}
ANSWERS = {
    "osd dump": DUMP,
    "mon dump": {"mons": [{"name": "sto1"}, {"name": "sto2"}]},
    "node ls": {"mon": {"sto1": ["sto1"]}, "osd": {"sto1": [0], "sto2": [1]}, "mgr": {"sto2": ["b"]}},
    "service dump": {
        "services": {
            "rgw": {
                "daemons": {
                    "summary": "",
                    "14325": {"gid": 14325, "metadata": {"hostname": "sto2", "id": "main.sto2"}},
                    "old": {"gid": 9, "metadata": {"hostname": "sto1"}},
                }
            },
            "rbd-mirror": {"daemons": {"summary": ""}},
        }
    },
    "osd tree": {
        "nodes": [
            {"id": -1, "name": "default", "type": "root", "children": [-2]},
            {"id": -2, "name": "sto1", "type": "host", "children": [0]},
            {"id": 0, "name": "osd.0", "type": "osd"},
        ]
    },
    "pg stat": {"pg_summary": {"num_pg_by_state": [{"name": "active+clean", "num": 16}], "num_pgs": 16}},
    "status": {
        "fsid": FSID,
        "health": {"status": "HEALTH_WARN", "checks": {"OSD_DOWN": {}}},
        "quorum_names": ["sto1"],
        "pgmap": {"degraded_objects": 3, "misplaced_objects": 4},
    },
    "osd ok-to-stop": {"ok_to_stop": True, "osds": [0], "num_ok_pgs": 16, "num_not_ok_pgs": 0},
}
BUSY = {"retcode": 16, "stderr": "Error EBUSY: unsafe to stop osd(s) at this time (16 PGs are offline)\n"}


@pytest.fixture
def node(tmp_path):
    def make(changes=None, programs=("ceph",), admin=True, units=""):
        answers = {f"{ASK}{words}": json.dumps(answer) for words, answer in ANSWERS.items()}
        commands = Commands(answers | {"systemctl list-units": units} | (changes or {}))
        salt = {"cmd.run_all": commands, "cmd.which": lambda name: name if name in programs else None}
        module = load("modules", "ceph_cluster", salt=salt, grains={"id": "sto1"})
        module._PROC, module._LIBRARY = tmp_path / "proc", tmp_path / "lib"
        module._CONFIGURATION, module._ADMIN = tmp_path / "ceph.conf", tmp_path / "keyring"
        module._CONFIGURATION.write_text(f"[global]\nfsid = {FSID} # of the lab\nmon host = a, b\n")
        if admin:
            module._ADMIN.write_text("[client.admin]\n\tkey = secret\n")
        return module, commands

    return make


def run(tmp_path, program, *arguments):
    place = tmp_path / "proc" / str(1000 + len(list((tmp_path / "proc").glob("*"))))
    place.mkdir(parents=True)
    (place / "comm").write_text(f"{program}\n")
    (place / "cmdline").write_bytes(b"\0".join(word.encode() for word in (program, *arguments)))


def test_daemons_are_told_by_their_units_and_by_what_runs(node, tmp_path):
    units = "\n".join(
        f"{unit} loaded active running x"
        for unit in (
            "ceph-osd@0.service", f"ceph-{FSID}@osd.7.service", f"ceph-{FSID}@mgr.sto1.abcdef.service",
            "ceph-radosgw@rgw.sto1.service", "ceph-osd.target", "ceph-crash.service",
            f"ceph-{FSID}@node-exporter.sto1.service",
        )
    )  # fmt: skip
    run(tmp_path, "ceph-mon", "-f", "--id", "sto1")
    run(tmp_path, "ceph-osd", "-n", "osd.9", "-f")
    run(tmp_path, "ceph-osd", "-f", "-i", "0")
    run(tmp_path, "ceph-crash")
    assert node(units=units)[0].here()["daemons"] == {
        "osd": ["0", "7", "9"], "mgr": ["sto1.abcdef"], "rgw": ["rgw.sto1"], "mon": ["sto1"],
    }  # fmt: skip


def test_a_daemon_that_does_not_say_which_it_is_makes_the_node_unknown(node, tmp_path):
    run(tmp_path, "ceph-osd", "-f")
    with pytest.raises(NodeError) as unknown:
        node()[0].here()
    assert unknown.value.reason == "CEPH_UNREACHABLE"


def test_of_which_cluster_a_node_is_by_its_osds_or_its_configuration(node, tmp_path):
    module, _ = node()
    assert module.here()["fsid"] == FSID
    other = FSID.replace("5d", "6e")
    (tmp_path / "lib" / "osd" / "ceph-0").mkdir(parents=True)
    (tmp_path / "lib" / "osd" / "ceph-0" / "ceph_fsid").write_text(f"{other}\n")
    assert module.here()["fsid"] == other
    (tmp_path / "lib" / FSID).mkdir()
    assert module.here()["fsid"] == "", "two clusters on one node are none that is known"


def test_the_cluster_is_a_record_of_what_its_own_commands_say(node):
    found = node()[0].status()
    assert found == {
        "fsid": FSID,
        "health": {"status": "HEALTH_WARN", "checks": ["OSD_DOWN"]},
        "monitors": ["sto1", "sto2"],
        "quorum": ["sto1"],
        "osds": {"0": {"up": True, "in": True}, "1": {"up": False, "in": True}},
        "noout": ["osd.1", "sto2"],
        "flags": ["nodeep-scrub", "sortbitwise"],
        "groups": {"active+clean": 16},
        "left": 7,
    }


def test_where_daemons_are_is_told_by_the_cluster(node):
    assert node()[0].places() == {
        "crush": {"sto1": ["0"]},
        "on": {
            "sto1": {"mon": ["sto1"], "osd": ["0"], "rgw": ["old"]},
            "sto2": {"osd": ["1"], "mgr": ["b"], "rgw": ["main.sto2"]},
        },
    }


def test_a_cluster_without_a_gateway_has_none(node):
    module, _ = node({f"{ASK}service dump": json.dumps({"services": {}})})
    assert "rgw" not in module.places()["on"]["sto2"]


@pytest.mark.parametrize(
    "answer",
    [{"retcode": 1, "stderr": "Timed out after 30 seconds"}, "no JSON", {"retcode": 0, "stdout": ""}],
)
def test_no_answer_is_not_taken_for_a_whole_cluster(node, answer):
    with pytest.raises(NodeError) as unknown:
        node({f"{ASK}pg stat": answer})[0].status()
    assert unknown.value.reason == "CEPH_UNREACHABLE"


def test_what_may_stop_is_what_ceph_says(node):
    module, commands = node()
    assert module.may_stop([{"osd": ["0", "1"], "mon": ["sto1"], "mgr": ["sto1"]}]) == [[]]
    assert f"{ASK}osd ok-to-stop 0 1" in commands.lines() and f"{ASK}mon ok-to-stop sto1" in commands.lines()
    refusing = {**BUSY, "stdout": json.dumps({"ok_to_stop": False})}
    module, _ = node({f"{ASK}osd ok-to-stop 0 1": refusing, f"{ASK}mds ok-to-stop a": BUSY})
    found = module.may_stop([{"osd": ["0", "1"], "mds": ["a"]}, {"osd": ["0"]}])
    assert [len(lines) for lines in found] == [2, 0] and "16 PGs" in found[0][0]


@pytest.mark.parametrize(
    ("daemons", "changes"),
    [
        ({"osd": ["99"]}, {}),  # Ceph says of one that it does not know that it may stop
        ({"mon": ["elsewhere"]}, {}),
        ({"osd": ["0"]}, {f"{ASK}osd ok-to-stop": {"retcode": 1, "stderr": "Timed out after 30 seconds"}}),
        ({"mon": ["sto1"]}, {f"{ASK}mon ok-to-stop": {"retcode": 22, "stderr": "Error EINVAL"}}),
    ],
)
def test_what_ceph_does_not_know_or_does_not_say_may_not_stop(node, daemons, changes):
    with pytest.raises(NodeError) as unknown:
        node(changes)[0].may_stop([daemons])
    assert unknown.value.reason == "CEPH_UNREACHABLE"


def test_an_answer_without_its_word_is_no_yes(node):
    module, _ = node({f"{ASK}osd ok-to-stop": json.dumps({"osds": [0]})})
    assert module.may_stop([{"osd": ["0"]}]) != [[]]


def test_noout_is_set_and_taken_back_for_groups_and_never_for_the_cluster(node):
    module, commands = node()
    assert module.hold(["sto1", "osd.3"]) == ["sto1", "osd.3"] and module.release(["sto1"]) == ["sto1"]
    assert module.hold([]) == module.release([]) == []
    assert commands.lines() == [f"{ASK}osd set-group noout sto1 osd.3", f"{ASK}osd unset-group noout sto1"]


def test_how_it_is_asked(node, tmp_path):
    monitor = tmp_path / "lib" / "mon" / "ceph-sto1"
    monitor.mkdir(parents=True)
    (monitor / "keyring").touch()
    module, _ = node(admin=False)
    assert module._program() == ["ceph", "--name", "mon.", "--keyring", str(monitor / "keyring")]
    name = f"ceph-{FSID}-mon-sto1-example"
    (tmp_path / "lib" / FSID / "mon.sto1.example").mkdir(parents=True)
    module, _ = node({"podman ps": f"other\n{name}\n"}, programs=("podman",), admin=False)
    assert module._program() == [
        "podman", "exec", name, "ceph", "--name", "mon.", "--keyring",
        "/var/lib/ceph/mon/ceph-sto1.example/keyring",
    ]  # fmt: skip
    assert node(programs=("cephadm",))[0]._program() == ["cephadm", "shell", "--", "ceph"]
    nowhere, _ = node(programs=(), admin=False)
    assert nowhere.here()["asks"] is False
    with pytest.raises(NodeError, match=r"^CEPH_UNREACHABLE"):
        nowhere.status()
