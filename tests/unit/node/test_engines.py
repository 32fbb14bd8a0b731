"""engines: podman and docker on one node, told as one."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, docker_api, engines
from tests.unit.loading import Commands
from tests.unit.modules.guards import NOBODY


def salt(run=None, **found):
    """The functions of a node with these engines: {engine: its containers}."""
    functions = {"cmd.run_all": run or Commands()}
    for engine, there in found.items():
        functions[f"{engine}.containers"] = lambda known=False, there=there: there
        functions[f"{engine}.container"] = lambda name, there=there: there.get(name)
        functions[f"{engine}.process"] = lambda name, there=there: (
            NOBODY if there.get(name, {"running": False})["running"] else 0
        )
        functions[f"{engine}.local_images"] = lambda known, engine=engine: {"id": ["both"], engine: []}
    return functions


@pytest.fixture
def socket(tmp_path, monkeypatch):
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(docker_api, "SOCKET", path)
    return path


def test_containers_and_images_of_both(socket):
    ours, theirs = {"running": True, "of": "podman"}, {"running": True, "of": "docker"}
    both = salt(
        podman={"a": ours, "x": {**ours, "running": False}, "y": ours},
        docker_engine={"b": theirs, "x": theirs, "y": {**theirs, "running": False}},
    )
    assert engines.containers(both) == {"a": ours, "b": theirs, "x": theirs, "y": ours}
    assert engines.local_images(both) == {"id": ["both"], "podman": [], "docker_engine": []}
    assert engines.used(both) == ["podman", "docker_engine"]
    assert engines.used(salt(podman={}, docker_engine={"b": theirs})) == ["docker_engine"]
    assert engines.used(salt(podman={}, docker_engine={})) == ["podman"]


def test_a_docker_that_cannot_be_asked_is_not_overlooked(socket):
    assert engines.containers(salt()) == {}  # where all services are packages
    assert engines.containers(salt(podman={})) == {}
    socket.touch()
    with pytest.raises(CommandExecutionError, match="salt-pip install docker"):
        engines.containers(salt(podman={}))
    assert engines.containers(salt(podman={}, docker_engine={})) == {}


def test_podmans_own_socket_is_no_docker(socket, tmp_path):
    (tmp_path / "podman.sock").touch()
    socket.symlink_to(tmp_path / "podman.sock")
    assert engines.containers(salt(podman={})) == {}


def test_a_command_goes_to_the_engine_that_runs_the_container():
    def ran(ask, **found):
        run = Commands()
        answer = ask(salt(run, **found))
        return answer, run.lines()

    def in_container(functions):
        return commands.in_container(functions, "db", ["true"]).retcode

    runs, stopped = {"db": {"running": True}}, {"db": {"running": False}}
    assert ran(in_container, podman=runs) == (0, ["podman exec db true"])
    assert ran(in_container, podman={}, docker_engine=runs) == (0, ["docker exec db true"])
    assert ran(in_container, podman=runs, docker_engine=stopped) == (0, ["podman exec db true"])
    assert ran(in_container, docker_engine=stopped) == (125, [])
    _, lines = ran(lambda functions: commands.processes(functions, "db"), docker_engine=runs)
    assert lines == ["docker top db -eo pid,args"]
    _, lines = ran(lambda functions: commands.processes(functions, "db"), podman=runs)
    assert lines == ["podman top db args"]
    assert ran(lambda functions: commands.processes(functions, "db"), podman=stopped) == ("", [])
    both = {"docker_engine": runs, "podman": stopped}
    assert ran(lambda functions: commands.main_process(functions, "db"), **both) == (str(NOBODY), [])
    assert ran(lambda functions: commands.main_process(functions, "db"), podman=stopped) == ("", [])


@pytest.mark.parametrize(("state", "runs"), [("active", True), ("activating", True), ("failed", False)])
def test_whether_a_unit_runs_is_told_where_there_is_no_engine(socket, state, runs):
    run = Commands({"systemctl show --property=ActiveState --value ovn-controller.service": f"{state}\n"})
    assert engines.runs({"cmd.run_all": run}, "ovn-controller.service") is runs


def test_whether_a_container_runs(socket):
    there = salt(podman={"a": {"running": True}, "b": {"running": False}})
    assert [engines.runs(there, name) for name in ("a", "b", "none")] == [True, False, False]
