"""packaged_service: what its units run, by when they started and when its packages were installed."""

from __future__ import annotations

import itertools
import time

import pytest

from openstack_rollout.node import installed_files
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.sockets import Place
from tests.unit.loading import Commands, load

RUNNING = {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "SubState": "running"}


def unit(since=None, **state):
    """What systemd shows of a unit. since: seconds since the epoch."""
    started = 0 if since is None else since - (time.time() - time.clock_gettime(time.CLOCK_MONOTONIC))
    told = RUNNING | {"NRestarts": "0", "ActiveEnterTimestampMonotonic": str(int(started * 1e6))} | state
    return "\n".join(f"{key}={value}" for key, value in told.items())


def service(answers, installed=("api", "library", "other"), family="RedHat"):
    commands = Commands(answers)
    salt = {
        "cmd.run_all": commands,
        "package_set.installed": lambda: {name: ["1"] for name in installed},
        "quadlet.log": lambda name, since: "last words",
    }
    return load("modules", "packaged_service", salt=salt, grains={"os_family": family}), commands


def found(module):
    return module.found(["api*"], ["api.service"], ["library"])


@pytest.mark.parametrize(("when", "stale"), [(100, []), (300, ["library"])])
def test_what_was_installed_after_it_began_makes_it_stale(when, stale):
    rows = f"api\t50\nlibrary\t{when}\n"
    module, commands = service({"rpm -q": rows, "systemctl show": unit(since=200)})
    assert found(module) == {"here": True, "units": {"api.service": "active"}, "stale": stale}
    assert any(line.endswith("api library") for line in commands.lines())


def test_what_is_newer_of_its_libraries():
    module, _ = service({})
    module.__salt__ |= {
        "bootc.status": lambda: None,
        "system_packages.plan": lambda depth, kept: {"upgrade": {"library": "2", "bash": "5"}},
    }
    assert module.newer(["lib*"], "upgrade", []) == {"library": "2"}

    def fails(depth, kept):
        raise NodeError("PACKAGE_REMOVAL", "something else would go")

    module.__salt__["system_packages.plan"] = fails  # which is the system stage's to tell
    assert module.newer(["lib*"], "upgrade", []) == {}


def test_dpkg_tells_by_its_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(installed_files, "_DPKG", tmp_path)
    (tmp_path / "api.list").touch()
    (tmp_path / "library:amd64.list").touch()
    module, _ = service({"systemctl show": unit(since=time.time() - 60)}, family="Debian")
    assert found(module)["stale"] == ["api", "library"]
    module, _ = service({"systemctl show": unit(since=time.time() + 60)}, family="Debian")
    assert found(module)["stale"] == []


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"ActiveState": "activating", "SubState": "start"}, "active"),
        ({"ActiveState": "failed"}, "inactive"),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, "disabled"),
        ({"LoadState": "masked", "ActiveState": "inactive"}, "masked"),
    ],
)
def test_the_state_of_a_unit(told, state):
    module, _ = service({"rpm -q": "", "systemctl show": unit(**told)})
    assert found(module)["units"] == {"api.service": state}


def test_units_and_services_that_are_not_there():
    module, _ = service({"rpm -q": "", "systemctl show": unit(LoadState="not-found", ActiveState="inactive")})
    assert found(module) == {"here": True, "units": {}, "stale": []}
    module, commands = service({}, installed=("library",))
    assert found(module) == {"here": False, "units": {}, "stale": []} and commands.ran == []


@pytest.mark.parametrize(
    "told",
    [
        {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"},
        {"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "1"},
        {"NRestarts": "2"},
    ],
)
def test_one_that_ends_or_is_started_again_has_failed(told):
    module, _ = service({"systemctl show": unit(since=1, **told)})
    with pytest.raises(NodeError, match="last words") as refused:
        module.settled(["api.service"], 60, 0)
    assert refused.value.reason == "SERVICE_FAILED"


def test_one_that_runs_has_to_run_on_for_a_moment(monkeypatch):
    module, commands = service({"systemctl show": unit(since=1)})
    clock = itertools.count()
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    module.settled(["api.service"], 60, 0)
    assert len(commands.ran) > 1


def test_one_that_is_asked_to_restart_and_has_not_begun_is_no_proof_yet(monkeypatch):
    """It runs what it ran before, and was started again by systemd in its earlier life."""
    states = [unit(since=1, Job="77", NRestarts="2"), unit(since=1)]
    module, _ = service({})
    monkeypatch.setattr(
        installed_files.commands, "checked", lambda *_: states.pop(0) if len(states) > 1 else states[0]
    )
    clock = itertools.count()
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    module.settled(["api.service"], 60, 0)
    assert len(states) == 1


@pytest.mark.parametrize(("marks", "reason"), [(range(1, 99), ""), ([1], "COPY_STALLED")])
def test_a_member_that_is_fed_while_it_starts_is_waited_for_as_long_as_it_moves(monkeypatch, marks, reason):
    starting = {"systemctl show": unit(ActiveState="activating", SubState="start")}
    told, (module, _) = list(marks), service(starting)
    looks = itertools.count()
    module.__salt__["galera.progress"] = lambda name: {
        "what": "it is fed",
        "mark": [told.pop(0) if len(told) > 1 else told[0]],
        "copies": True,
    }
    before = installed_files.commands.checked

    def checked(*arguments):
        fed = not reason and next(looks) > 60
        return unit(since=1) if fed else before(*arguments)

    monkeypatch.setattr(installed_files.commands, "checked", checked)
    clock = itertools.count()
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    if not reason:
        module.settled(["api.service"], 30, 0, "galera")
        return
    with pytest.raises(NodeError) as stalled:
        module.settled(["api.service"], 30, 0, "galera")
    assert stalled.value.reason == reason


def test_who_listened_has_to_listen_again(monkeypatch):
    module, _ = service({})
    monkeypatch.setattr(module.listening, "of", lambda units: {Place("127.0.0.1", 9696), Place("::", 9696)})
    assert module.listens(["api.service"]) == [9696]
    missing = [["nobody listens on port 9696 any more"], []]
    monkeypatch.setattr(module.listening, "lacking", lambda units, ports: missing.pop(0))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    module.answers(["api.service"], [9696], 60, 0)
    missing += [["nobody listens on port 9696 any more"]]
    with pytest.raises(NodeError, match=r"(?s)port 9696 any more after 0 s.*last words") as refused:
        module.answers(["api.service"], [9696], 0, 0)
    assert refused.value.reason == "SERVICE_FAILED"


def test_who_answered_http_has_to_answer_again(monkeypatch):
    module, _ = service({})
    monkeypatch.setattr(module.http_answers, "ports", lambda units, path: [9696] if path == "/v2" else [])
    assert module.speaks(["api.service"], "/v2") == [9696]
    monkeypatch.setattr(module.listening, "lacking", lambda units, ports: [])
    asked, missing = [], [["no HTTP answer at 127.0.0.1:9696/v2"], []]

    def lacking(units, path, wanted):
        asked.append((path, wanted))
        return missing.pop(0)

    monkeypatch.setattr(module.http_answers, "lacking", lacking)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    module.answers(["api.service"], [9696], 60, 0, "/v2", [9696])
    assert asked == [("/v2", [9696])] * 2
    module.answers(["api.service"], [9696], 60, 0)  # it does not speak HTTP
    assert len(asked) == 2
    missing += [["no HTTP answer at 127.0.0.1:9696/v2"]]
    with pytest.raises(
        NodeError, match=r"(?s)no HTTP answer at 127.0.0.1:9696/v2 after 0 s.*last"
    ) as refused:
        module.answers(["api.service"], [9696], 0, 0, "/v2")
    assert refused.value.reason == "SERVICE_FAILED" and asked[-1] == ("/v2", None)


def test_what_pacemaker_starts_is_not_systemds_to_restart(monkeypatch):
    module, _ = service({})
    module.__grains__["id"] = "ctl1"
    resources = [{"agent": "ocf:heartbeat:galera", "part_of": "galera-clone"}]
    monkeypatch.setattr(module.pacemaker_tools, "cluster", lambda salt, minion: {"resources": resources})
    module.require_own(["nova-api.service"])
    with pytest.raises(NodeError, match=r"galera-clone") as refused:
        module.require_own(["mariadb.service"])
    assert refused.value.reason == "DEFINITION_REFUSED"
    monkeypatch.setattr(module.pacemaker_tools, "cluster", lambda salt, minion: None)
    module.require_own(["mariadb.service"])


def test_one_that_never_comes_up_is_not_waited_for_for_ever(monkeypatch):
    module, _ = service({"systemctl show": unit(ActiveState="activating", SubState="start")})
    clock = itertools.count(0, 10)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with pytest.raises(NodeError, match="not up within 60 s"):
        module.settled(["api.service"], 60, 0)


def test_a_start_that_fails_says_why():
    module, commands = service({"systemctl restart": {"retcode": 1, "stderr": "Job failed"}})
    with pytest.raises(NodeError, match="Job failed"):
        module.restart(["api.service"])
    assert commands.lines() == [
        "systemctl reset-failed api.service",
        "systemctl restart --no-block api.service",
    ]
