"""Who called a command: user, terminal, the job of Salt's scheduler."""

from __future__ import annotations

import multiprocessing
import os
import pty

from openstack_rollout.on_salt import caller


def test_a_terminal_is_named_and_none_is_none(monkeypatch):
    master, slave = pty.openpty()
    name = os.ttyname(slave)

    def only(descriptor):
        if descriptor != 2:
            raise OSError("not a terminal")
        return name

    monkeypatch.setattr(caller.os, "ttyname", only)
    assert caller.caller().terminal == name.removeprefix("/dev/")
    monkeypatch.setattr(caller.os, "ttyname", lambda _: only(0))
    assert caller.caller().terminal == ""
    os.close(master)
    os.close(slave)


def test_the_user_behind_sudo_is_named(monkeypatch):
    monkeypatch.setattr(caller.salt.utils.user, "get_user", lambda: "root")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert caller.caller().user == "sudo_alice" and caller.caller().schedule == ""


def test_a_job_of_salts_scheduler_is_named(monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "name", "Schedule(name=nightly, jid=2026)")
    assert caller.caller().schedule == "nightly"


def test_who_had_the_master_call_a_function_is_named(monkeypatch):
    monkeypatch.setattr(caller, "_by_api", [])
    caller.note("root")  # salt-run in its own process
    assert caller.caller().terminal != caller.API
    name = "ProcessFunc(AsyncClientMixin._proc_function, fun=rollout.resume jid=2026)"
    monkeypatch.setattr(multiprocessing.current_process(), "name", name)
    caller.note("anna")
    caller.note("UNKNOWN")  # a step of the orchestration that the function runs
    assert (caller.caller().user, caller.caller().terminal) == ("anna", "salt-api")
