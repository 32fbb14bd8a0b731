"""commands: argument lists, results as data, and failures that say which command and why."""

from __future__ import annotations

import os

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, unit_processes
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands


def salt(**answers):
    return {"cmd.run_all": Commands(answers)}


def failing(stderr="", stdout="", retcode=1):
    return {"retcode": retcode, "stdout": stdout, "stderr": stderr}


def test_a_result_has_what_the_command_printed():
    assert commands.run(salt(ls="a b"), ["ls", "/tmp"]) == (0, "a b", "", False)
    failed = commands.run(salt(ls=failing("no such file", retcode=2)), ["ls"])
    assert failed == (2, "", "no such file", False)


def test_what_a_command_with_secrets_printed_is_no_complaint():
    result = commands.run(
        salt(podman=failing(stdout='[{"Env": ["PASSWORD=x"', retcode=137)), ["podman"], secret=True
    )
    assert result.complaint() == "exit status 137"
    assert result._replace(stderr="no such container").complaint() == "no such container"


def test_the_limit_and_the_environment_reach_salt():
    given = {}

    def run_all(command, **options):
        given.update(options)
        return failing()

    commands.run({"cmd.run_all": run_all}, ("true",), timeout=5, env={"A": "b"})
    quiet = given.pop("output_loglevel")
    assert given == {"python_shell": False, "ignore_retcode": True, "timeout": 5, "env": {"A": "b"}}
    commands.run({"cmd.run_all": run_all}, ("true",), secret=True)
    assert (quiet, given["output_loglevel"]) == ("debug", "quiet")
    commands.unattended({"cmd.run_all": run_all}, ["dnf"])
    quiet_ones = {"NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
    assert given["env"] == {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **quiet_ones}
    assert given["timeout"] is None


def test_a_command_in_a_container_goes_by_podman():
    run = Commands({"podman exec db mariadb": "1"})
    assert commands.in_container({"cmd.run_all": run}, "db", ["mariadb", "--batch"]).stdout == "1"
    assert run.lines() == ["podman exec db mariadb --batch"]


@pytest.mark.parametrize(
    ("printed", "options", "complaint"),
    [
        (failing("first\n  second  line\n"), {}, "first second line"),
        (failing(stdout="only here\n"), {}, "only here"),
        (failing(retcode=7), {}, "exit status 7"),
        (failing("a\nb\nc"), {"lines": 2}, "b c"),
        (failing("x" * 400 + "end"), {"longest": 10}, "xxxxxxxend"),
        (failing('time="1" level=warning msg="retrying"\nError: gone'), {}, "Error: gone"),
        (failing('Failed loading plugin "x": No module\nRunning as unit: r.scope\ngone'), {}, "gone"),
        (failing('Failed loading plugin "x": No module', retcode=-9), {}, "killed by signal 9"),
        (failing(retcode=-15), {}, "killed by signal 15"),
        (failing('time="1" level=error msg="gone"'), {}, 'time="1" level=error msg="gone"'),
    ],
)
def test_a_complaint_is_one_line(printed, options, complaint):
    assert commands.run(salt(x=printed), ["x"]).complaint(**options) == complaint


def test_a_command_that_has_to_succeed_raises_under_its_reason():
    answers = salt(**{"systemctl": failing("Unit x not found."), "echo": "fine"})
    assert commands.checked(answers, ["echo"]) == "fine"
    with pytest.raises(NodeError, match=r"^OVS_FAILED: systemctl start x: Unit x not found\.$") as failure:
        commands.checked(answers, ["systemctl", "start", "x"], "OVS_FAILED")
    assert failure.value.reason == "OVS_FAILED"
    with pytest.raises(CommandExecutionError, match=r"^systemctl stop x: Unit") as plain:
        commands.checked(answers, ["systemctl", "stop", "x"])
    assert not isinstance(plain.value, NodeError)


def test_a_long_command_is_named_by_its_beginning():
    with pytest.raises(CommandExecutionError, match=r"^a 1 2 3 4 5: no$"):
        commands.checked(salt(a=failing("no")), ["a", *map(str, range(1, 10))])


def test_what_a_unit_is_asked_runs_on_the_node_with_the_home_of_root():
    given = {}

    def run_all(command, **options):
        given.update(options, command=command)
        return failing(retcode=0)

    commands.in_container({"cmd.run_all": run_all}, "mariadb.service", ["mariadb", "--batch"], timeout=9)
    assert given["command"] == ["mariadb", "--batch"] and given["timeout"] == 9
    assert given["env"] == {"HOME": os.path.expanduser("~")}


def test_a_program_that_a_node_does_not_have_is_an_answer_as_in_a_container():
    def run_all(command, **options):
        raise CommandExecutionError("Unable to run command: no such file")

    told = commands.in_container({"cmd.run_all": run_all}, "mariadb.service", ["mariadb"])
    assert told.retcode == 127 and "no such file" in told.stderr


@pytest.mark.parametrize(("told", "pid"), [("4711\n", "4711"), ("0\n", ""), ("", "")])
def test_the_main_process_of_a_unit_is_told_by_systemd_and_needs_no_engine(told, pid):
    run = Commands({"systemctl show --property=MainPID --value mariadb.service": told})
    assert commands.main_process({"cmd.run_all": run}, "mariadb.service") == pid


def test_the_processes_of_a_unit_are_those_of_its_control_group(tmp_path, monkeypatch):
    groups = {
        10: "0::/system.slice/mariadb.service\n",
        11: "0::/system.slice/mariadb.service/below\n",
        12: "1:name=systemd:/system.slice/mariadb.service\n0::/x\n",
        13: "0::/system.slice/mariadb.service.d\n",
        14: "0::/system.slice/other.service\n",
    }
    for pid, group in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(group)
        (tmp_path / str(pid) / "cmdline").write_bytes(f"/usr/sbin/p{pid}\0--a b\0".encode())
    (tmp_path / "9").mkdir()  # it has just ended
    (tmp_path / "self").mkdir()
    monkeypatch.setattr(unit_processes, "PROC", tmp_path)
    told = commands.processes({"cmd.run_all": Commands()}, "mariadb.service")
    assert told.splitlines() == [f"/usr/sbin/p{pid} --a b" for pid in (10, 11, 12)]


ID = "ab" * 32


@pytest.mark.parametrize(
    ("own", "below"),
    [
        (f"0::/system.slice/db.service/libpod-payload-{ID}", "/init.scope"),
        (f"0::/machine.slice/libpod-{ID}.scope/container", ""),
        (f"0::/docker/{ID}", "/below"),
        (f"12:cpu:/x\n1:name=systemd:/system.slice/docker-{ID}.scope", ""),
    ],
)
def test_the_processes_of_a_container_are_told_by_the_kernel_and_take_no_engine(
    tmp_path, monkeypatch, own, below
):
    groups = {10: own, 11: own + below, 12: own.replace(ID, "cd" * 32), 13: "0::/system.slice/db.service"}
    for pid, group in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(f"{group}\n")
        (tmp_path / str(pid) / "cmdline").write_bytes(f"/usr/sbin/p{pid}\0".encode())
    monkeypatch.setattr(unit_processes, "PROC", tmp_path)
    run = Commands({"podman top db args": "of podman"})
    salt = {"cmd.run_all": run, "podman.process": lambda name: 10}
    assert commands.processes(salt, "db").splitlines() == ["/usr/sbin/p10", "/usr/sbin/p11"]
    assert not run.ran
    salt["podman.process"] = lambda name: 13  # without a group of its own
    assert commands.processes(salt, "db") == "of podman"
