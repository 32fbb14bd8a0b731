"""podman: its answers read, its failures named."""

from __future__ import annotations

import json
import os
import re

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import kept_images
from tests.unit.image_volumes import Volumes
from tests.unit.loading import Commands, load

DIGEST = "sha256:" + "a" * 64
REFERENCE = f"registry.example/nova-compute@{DIGEST}"


def podman(answers):
    commands = Commands(answers)
    return load("modules", "podman", salt={"cmd.run_all": commands}), commands


@pytest.fixture
def pulling(tmp_path, monkeypatch):
    """Puts a program in podman's place that ends as told; the module, and what podman was asked."""
    asked = tmp_path / "asked"

    def put(out="", err="", status=0):
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        program = tmp_path / "podman"
        said = f'echo "$@" >> {asked}; cat {tmp_path}/out; cat {tmp_path}/err >&2; exit {status}'
        program.write_text(f"#!/bin/sh\n{said}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        store = {"graphRoot": str(tmp_path), "imageCopyTmpDir": str(tmp_path)}
        module, _ = podman({"podman info": json.dumps({"store": store})})
        return module, asked

    return put


def inspected(name, running=True, health=None, labels=None):
    state = {"Running": running, "ExitCode": 0 if running else 1}
    if health:
        state["Health"] = {"Status": health}
    ids = {"Id": "0" * 64, "Image": "1" * 64, "ImageName": "reg/nova:1", "RestartCount": 2}
    return {"Name": name, **ids, "State": state, "Config": {"Labels": labels}}


def test_containers_tell_what_runs_and_how_well():
    entries = [inspected("nova", health="healthy", labels={"a": "b"}), inspected("old", running=False)]
    entries += [inspected("new", health="starting"), inspected("ill", health="unhealthy")]
    module, _ = podman(
        {
            "podman ps": json.dumps([{"Names": [entry["Name"]]} for entry in entries]),
            "podman container inspect": json.dumps(entries),
        }
    )
    found = module.containers()
    assert found["nova"] == {
        "id": "0" * 64,
        "running": True,
        "started": True,
        "image_id": "1" * 64,
        "image": "reg/nova:1",
        "healthy": True,
        "health_check": False,
        "labels": {"a": "b"},
        "exit_code": 0,
        "restarts": 2,
        "by_command": False,
        "pid": 0,
    }
    assert found["old"]["running"] is False and found["old"]["labels"] == {}
    assert found["new"]["healthy"] is None
    assert found["ill"]["healthy"] is False


def test_a_container_that_went_between_the_two_calls_is_left_out():
    module, _ = podman(
        {
            "podman ps": json.dumps([{"Names": ["nova"]}, {"Names": ["gone"]}]),
            "podman container inspect": {
                "retcode": 125,
                "stdout": json.dumps([inspected("nova")]),
                "stderr": "no",
            },
        }
    )
    assert list(module.containers()) == ["nova"]


GONE = {"retcode": 125, "stdout": "[]", "stderr": "Error: no such container nova"}


def test_one_container_is_asked_about_alone():
    module, commands = podman({"podman container inspect": json.dumps([inspected("nova")])})
    assert module.container("nova")["running"] and module.container("no") is None  # the beginning of an id
    assert commands.lines() == ["podman container inspect nova", "podman container inspect no"]


def test_a_container_that_is_not_there_is_told_from_a_podman_that_does_not_answer():
    answers = {"podman container inspect": GONE, "podman container exists": {"retcode": 1}}
    module, _ = podman(answers)
    assert module.container("nova") is None and module.process("nova") == 0
    broken, _ = podman({**answers, "podman container exists": {"retcode": 125}})
    with pytest.raises(
        CommandExecutionError, match="podman container inspect nova: Error: no such container nova"
    ):
        broken.container("nova")


def test_a_container_that_is_made_anew_between_two_looks_is_looked_at_again():
    commands = Commands({"podman container inspect": GONE})

    def answer(command, **options):
        if command[:3] == ["podman", "container", "exists"]:  # it is there by now
            commands.answers["podman container inspect"] = json.dumps([inspected("nova")])
        return commands(command, **options)

    module = load("modules", "podman", salt={"cmd.run_all": answer})
    assert module.container("nova")["running"]


def test_one_that_was_renamed_may_be_asked_for_by_its_id():
    entry = inspected("nova")
    answers = {
        "podman ps": json.dumps([{"Names": ["nova"]}]),
        "podman container inspect": GONE | {"stdout": json.dumps([entry])},
        f"podman container exists {entry['Id']}": {"retcode": 0},
    }
    module, _ = podman(answers)
    module.containers(known=True)
    module.rename(entry["Id"], "nova")
    assert module.containers(known=True).keys() == {"nova"}


def test_what_was_pulled_is_known_without_another_list(pulling):
    module, _ = pulling(out="4" * 64)
    module.__salt__["cmd.run_all"].answers["podman images"] = "[]"
    assert module.image_ids([REFERENCE], known=True) == {}
    module.pull(REFERENCE)
    assert module.image_ids([REFERENCE], known=True) == {REFERENCE: "4" * 64}
    assert sum(line.startswith("podman images") for line in module.__salt__["cmd.run_all"].lines()) == 1


def test_what_we_change_is_not_known_any_more():
    entries = [inspected("nova"), inspected("old")]
    listed = json.dumps([{"Names": [one["Name"]]} for one in entries])
    answers = {"podman ps": listed, "podman container inspect": json.dumps(entries), "podman images": "[]"}
    module, commands = podman(answers)
    for _ in range(2):
        module.containers(known=True), module.local_images(known=True)
    assert commands.lines().count("podman ps --all --format json") == 1
    module.rename("nova", "older")
    commands.answers["podman container inspect"] = json.dumps([inspected("older"), inspected("old")])
    assert module.containers(known=True).keys() == {"older", "old"}
    module.tag("1" * 64, "local/x:1")
    module.local_images(known=True)
    assert sum(line.startswith("podman images") for line in commands.lines()) == 2


def test_no_containers_at_all():
    module, commands = podman({"podman ps": "[]"})
    assert module.containers() == {}
    assert len(commands.ran) == 1


def test_a_podman_that_does_not_answer_is_an_error():
    module, _ = podman({"podman ps": {"retcode": 125, "stderr": "cannot open storage"}})
    with pytest.raises(CommandExecutionError, match="cannot open storage"):
        module.containers()


def test_image_ids_of_local_images_only():
    images = [{"Id": "sha256:" + "2" * 64, "RepoDigests": [REFERENCE]}, {"Id": "3" * 64, "RepoDigests": None}]
    module, _ = podman({"podman images": json.dumps(images)})
    tagged = REFERENCE.replace("@", ":1.0.1@")
    assert module.image_ids([REFERENCE, tagged, "registry.example/other@" + DIGEST]) == {
        REFERENCE: "2" * 64,
        tagged: "2" * 64,
    }


def test_a_tag_beside_the_digest_is_left_out_and_a_port_is_not(pulling):
    module, asked = pulling(out="4" * 64)
    assert module.pull(f"registry.example:5000/nova-compute:1.0.1@{DIGEST}") == "4" * 64
    assert asked.read_text().split()[-1] == f"registry.example:5000/nova-compute@{DIGEST}"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("reading manifest sha256:aa in registry.example/nova: manifest unknown", "IMAGE_MISSING"),
        ("something that nobody has seen", "IMAGE_PULL_FAILED"),
    ],
)
def test_a_failed_pull_is_named(pulling, said, reason):
    module, _ = pulling(err=f"Error: {said}", status=125)
    with pytest.raises(CommandExecutionError, match=f"^{reason}: {re.escape(REFERENCE)}: .*"):
        module.pull(REFERENCE)


def test_a_failed_pull_is_told_once_and_without_the_retries(pulling):
    refused = "pinging container registry registry.example: dial tcp: connect: connection refused"
    line = f"initializing source docker://{REFERENCE}: {refused}"
    said = f'time="x" level=warning msg="Failed, retrying in 1s ... (1/1). Error: {line}"\nError: {line}\n'
    module, _ = pulling(err=said, status=125)
    with pytest.raises(CommandExecutionError) as failed:
        module.pull(REFERENCE)
    assert str(failed.value) == f"REGISTRY_UNREACHABLE: {REFERENCE}: {refused}"


def test_removing_keeps_the_image():
    module, commands = podman({})
    module.remove("nova")
    assert commands.lines() == ["podman rm --force --ignore --time 30 nova"]


def test_a_damaged_image_that_a_run_held_is_removed_all_the_same():
    volumes, removed = Volumes(), []
    held = {"driver": "image", "labels": {kept_images.LABEL: "r1"}, "image": "1" * 64}
    volumes.volumes = {"openstack-rollout-r1-1": held}
    others = Commands({"podman image inspect": "1" * 64, "podman ps": json.dumps([])})

    def run(command, **options):
        if volumes.knows(command):
            return volumes.run(command)
        if command[1:3] == ["image", "rm"]:
            assert volumes.held == set(), "podman refuses it otherwise"
            removed.append(command[3])
        return others(command, **options)

    module = load("modules", "podman", salt={"cmd.run_all": run, "podman.containers": None})
    module.remove_image(REFERENCE)
    assert removed == ["1" * 64] and volumes.volumes == {}
