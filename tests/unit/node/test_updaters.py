"""updaters: none of them begins while packages move, whatever ends the move; what works is waited for."""

from __future__ import annotations

import os
import shutil

import pytest

from openstack_rollout.node import transactions, updaters, waiting
from openstack_rollout.node.errors import NodeError
from tests.unit.clocks import time_with

APT = "apt-daily-upgrade.service"
LISTS = "apt-daily.service"
KIT = updaters.PACKAGEKIT


class Systemd:
    """As cmd.run_all: systemd of a node with some updaters, as far as their conditions and our units go."""

    def __init__(self, folder, monkeypatch, **states):
        self.folder, self.ran, self.loaded = folder, [], set()
        self.states = {name.replace("_", "-") + ".service": state for name, state in states.items()}
        self.masked, self.reloads, self.holders = set(), 0, {}
        self.meanwhile = lambda command: None
        monkeypatch.setattr(updaters, "FOLDER", folder / "units")
        monkeypatch.setattr(transactions, "_INIT", folder / "none")
        self.salt = {"cmd.run_all": self, "package_lock.patience": lambda: 300.0}

    def __call__(self, command, **_):
        self.ran.append(command)
        printed = ""
        if command[:2] == ["systemctl", "show"]:
            printed = "\n".join(self._shown(name) for name in command[3:])
        elif command[:2] == ["systemctl", "daemon-reload"]:
            self.reloads += 1
            self.loaded = set(self.folder.glob("units/*/*.conf"))
        elif command[:2] == ["systemctl", "stop"]:
            shutil.rmtree(self.holders.pop(command[2]))
        elif command[0] == "systemd-run" and "--scope" not in command:
            self._begin(command)
        elif "SuggestDaemonQuit" in command:
            self.states[KIT] = "inactive"
        self.meanwhile(command)
        return {"retcode": 0, "stdout": printed, "stderr": "", "pid": 1}

    def _shown(self, name):
        kind = "masked" if name in self.masked else "loaded" if name in self.states else "not-found"
        files = set(self.folder.glob(f"units/{name}.d/*.conf"))
        reload = "no" if files <= self.loaded else "yes"
        state = self.states.get(name, "inactive")
        return f"Id={name}\nLoadState={kind}\nActiveState={state}\nNeedDaemonReload={reload}\n"

    def _begin(self, command):
        options = dict(word.removeprefix("--property=").split("=", 1) for word in command if "=" in word)
        assert options["Type"] == "exec" and int(options["RuntimeMaxSec"]) > 3600
        place = self.folder / "run" / options["RuntimeDirectory"]
        place.mkdir(parents=True)
        self.holders[options["--unit"]] = place
        self.holds = command[command.index("tail") :]

    def begins(self, name):
        """Whether systemd would start a service that somebody asks for, by what it has read."""
        for file in self.loaded:
            if file.parent.name == f"{name}.d":
                (line,) = (one for one in file.read_text().splitlines() if one.startswith("Condition"))
                glob = line.removeprefix("ConditionPathExistsGlob=!/")
                return not list(self.folder.glob(glob))
        return True


@pytest.fixture
def node(tmp_path, monkeypatch):
    return lambda **states: Systemd(tmp_path, monkeypatch, **states)


def test_none_begins_during_a_transaction_and_all_may_afterwards(node):
    systemd, seen = node(apt_daily="inactive", apt_daily_upgrade="inactive"), []
    systemd.meanwhile = lambda command: seen.append(
        (command[0] == "systemd-run" and "--scope" in command, systemd.begins(APT), systemd.begins(LISTS))
    )
    transactions.run(systemd.salt, ["dpkg", "--configure"], debian=False)
    assert (True, False, False) in seen and (True, True, True) not in seen
    assert systemd.begins(APT) and systemd.begins(LISTS) and not systemd.holders


def test_nothing_is_stopped_started_or_masked_and_what_is_not_here_gets_nothing(node):
    systemd = node(apt_daily_upgrade="inactive", dnf_makecache="inactive")
    systemd.masked = {"dnf-makecache.service"}
    with updaters.held_off(systemd.salt):
        assert updaters.found(systemd.salt) == {APT: "inactive"}
    (file,) = systemd.folder.glob("units/*/*.conf")
    assert file.parent.name == f"{APT}.d"
    asked = [command[:2] for command in systemd.ran if command[0] == "systemctl"]
    assert {verb for _, verb in asked} == {"show", "daemon-reload", "stop"}
    stopped = [command[2] for command in systemd.ran if command[:2] == ["systemctl", "stop"]]
    assert len(stopped) == 1 and stopped[0].startswith("openstack-rollout-")


def test_what_holds_them_off_ends_with_the_process_that_packages_are_moved_by(node):
    systemd = node(apt_daily_upgrade="inactive")
    with updaters.held_off(systemd.salt):
        assert systemd.holds == ["tail", f"--pid={os.getpid()}", "--follow", "/dev/null"]


def test_a_failure_ends_it_too_and_the_next_one_reads_no_unit_again(node):
    systemd = node(apt_daily_upgrade="inactive")
    with pytest.raises(RuntimeError), updaters.held_off(systemd.salt):
        raise RuntimeError
    assert systemd.begins(APT) and systemd.reloads == 1
    with updaters.held_off(systemd.salt):
        assert not systemd.begins(APT) and systemd.reloads == 1


def test_a_condition_that_a_killed_job_wrote_and_systemd_has_not_read_is_read(node):
    systemd = node(apt_daily_upgrade="inactive")
    updaters.conditioned(systemd.salt)
    systemd.loaded = set()
    with updaters.held_off(systemd.salt):
        assert not systemd.begins(APT)


def test_one_within_another_is_one(node):
    systemd = node(apt_daily_upgrade="inactive")
    with updaters.held_off(systemd.salt):
        with updaters.held_off(systemd.salt):
            assert len(systemd.holders) == 1
        assert not systemd.begins(APT)
    assert systemd.begins(APT)


def test_a_node_without_any_needs_nothing(node):
    systemd = node()
    with updaters.held_off(systemd.salt):
        pass
    assert all(command[:2] == ["systemctl", "show"] for command in systemd.ran)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Nothing really waits: each sleep is over at once."""
    now = [0.0]
    passing = time_with(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(waiting.until_whole, "__defaults__", (1.0, passing))


def test_one_that_works_is_waited_for_and_no_other_begins_meanwhile(node):
    systemd = node(apt_daily_upgrade="activating", apt_daily="activating")
    looked = []

    def works(command):
        looked.append(systemd.begins(LISTS))
        if len(looked) > 5:
            systemd.states[APT] = "inactive"

    systemd.meanwhile = works
    with updaters.held_off(systemd.salt):  # what fetches alone is no hindrance
        assert systemd.states[APT] == "inactive" and looked[-1] is False


def test_one_that_works_for_too_long_is_named_and_left_at_work(node):
    systemd = node(apt_daily_upgrade="active")
    with pytest.raises(NodeError, match=APT) as refused, updaters.held_off(systemd.salt):
        raise AssertionError("packages would move")
    assert refused.value.reason == "PACKAGE_LOCKED"
    assert not systemd.holders and systemd.states[APT] == "active"


def test_packagekit_is_asked_to_end_and_only_where_it_runs(node):
    systemd = node(packagekit="active")
    with updaters.held_off(systemd.salt):
        assert systemd.states[KIT] == "inactive" and not systemd.begins(KIT)
    assert sum("SuggestDaemonQuit" in command for command in systemd.ran) == 1
    with updaters.held_off(systemd.salt):
        pass
    assert sum("SuggestDaemonQuit" in command for command in systemd.ran) == 1
