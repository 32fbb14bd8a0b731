"""bootc and kpatch: what is staged and patched, by programs that answer as
documented.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.unit.loading import Commands, load

STAND_IN = Path(__file__).parents[2] / "lab/files/bootc-stand-in"
WANTED = "registry.example/os@sha256:" + "b" * 64


class Host:
    """A machine with the stand-in of bootc, which is a program of its own, in a folder."""

    def __init__(self, folder, booted=True, pulls=True):
        self.boot_id = folder / "proc/sys/kernel/random/boot_id"
        self.boot_id.parent.mkdir(parents=True)
        (folder / "var/lib").mkdir(parents=True)
        podman = folder / "podman"
        podman.write_text("#!/bin/sh\n" + ("exit 0\n" if pulls else "echo manifest unknown >&2; exit 125\n"))
        podman.chmod(0o755)
        self.environment = {"PATH": f"{folder}:{os.environ['PATH']}", "BOOTC_STAND_IN_ROOT": str(folder)}
        self.booted = booted
        self.boot()

    def boot(self):
        self.boot_id.write_text(f"{uuid.uuid4()}\n")

    def run(self, command, **options):
        assert command[0] == "bootc" and options["python_shell"] is False
        done = subprocess.run(
            [STAND_IN, *command[1:]], env=self.environment, capture_output=True, text=True, check=False
        )
        said = done.stdout
        if not self.booted and done.stdout:  # as on a system that no image booted
            said = json.dumps({"status": {"booted": None, "staged": None, "rollback": None}})
        return {"retcode": done.returncode, "stdout": said, "stderr": done.stderr}


def bootc(host, present=True):
    salt = {"cmd.run_all": host.run, "cmd.which": lambda name: present and f"/usr/bin/{name}"}
    module = load("modules", "bootc", salt=salt)
    salt |= {"bootc.status": module.status, "bootc.stage": module.stage}
    return module, lambda test=False: load("states", "bootc", salt=salt, opts={"test": test}).staged(
        "x", WANTED
    )


def test_a_node_without_bootc_or_that_it_did_not_boot_is_none(tmp_path):
    host = Host(tmp_path, booted=False)
    assert bootc(host, present=False)[0].status() is None
    assert bootc(host)[0].status() is None


def test_an_image_is_staged_once_and_waits_for_the_next_boot(tmp_path):
    host = Host(tmp_path)
    module, state = bootc(host)
    first = module.status()["booted"]
    assert state(test=True)["result"] is None and module.status()["staged"] is None
    assert state()["changes"]["staged"] == {"old": first, "new": WANTED}
    assert (module.status()["booted"], module.status()["staged"]) == (first, WANTED)
    again = state()
    assert again["result"] is True and not again["changes"] and "next boot" in again["comment"]
    host.boot()
    assert module.status() == {"booted": WANTED, "digest": WANTED.partition("@")[2], "staged": None}
    assert state()["changes"] == {}


def test_an_image_that_cannot_be_had_is_named(tmp_path):
    answer = bootc(Host(tmp_path, pulls=False))[1]()
    assert answer["result"] is False and answer["reason"] == "IMAGE_PULL_FAILED"


@pytest.fixture
def kpatch():
    def make(patch="openstack-rollout kpatch-patch-5_14_0-1 0:1-2.el9\n", installed=None):
        tool = "Invalid configuration\nopenstack-rollout kpatch 0.9.7-2.el9\n"
        commands = Commands({"dnf --quiet --cacheonly": tool})
        commands.answers[
            "dnf --quiet --cacheonly --setopt=skip_if_unavailable=0 repoquery --latest-limit=1 --queryformat="
            "openstack-rollout %{name} %{evr} --whatprovides kpatch-patch = 5.14.0-1.el9.x86_64"
        ] = patch
        brought = []
        salt = {
            "cmd.run_all": commands,
            "package_set.installed": lambda: installed or {},
            "pkg.version_cmp": lambda one, other: (one > other) - (one < other),
            "package_set.bring": lambda packages, exclude: brought.append((packages, exclude)) or packages,
        }
        grains = {"os_family": "RedHat", "kernelrelease": "5.14.0-1.el9.x86_64"}
        salt["kpatch.due"] = load("modules", "kpatch", salt=salt, grains=grains).due
        return salt, brought

    return make


def test_the_tool_and_the_patch_of_the_running_kernel_are_installed(kpatch):
    salt, brought = kpatch()
    answer = load("states", "kpatch", salt=salt, opts={"test": False}).patched("x", ["kernel*"])
    assert answer["result"] is True
    assert brought == [({"kpatch": "0.9.7-2.el9", "kpatch-patch-5_14_0-1": "1-2.el9"}, ["kernel*"])]


def test_a_newer_one_that_is_installed_stays(kpatch):
    salt, _ = kpatch(installed={"kpatch": ["0.9.9-1.el9"], "kpatch-patch-5_14_0-1": ["1-1.el9"]})
    assert salt["kpatch.due"]() == {"kpatch-patch-5_14_0-1": "1-2.el9"}


def test_a_kernel_without_a_patch_needs_none(kpatch):
    salt, brought = kpatch(patch="", installed={"kpatch": ["0.9.7-2.el9"]})
    answer = load("states", "kpatch", salt=salt, opts={"test": False}).patched("x")
    assert answer["result"] is True and not answer["changes"] and brought == []
