"""podman_pull: a pull that stands still, that finds no room, and what it leaves."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from openstack_rollout.node import podman_pull, storage
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands

REFERENCE = f"registry.example/nova@sha256:{'a' * 64}"


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def pull(tmp_path, scratch, monkeypatch):
    """Pulls with a program of ours (its text) in podman's place."""

    def run(program, stall=1.0, declared=None):
        file = tmp_path / "podman"
        file.write_text(f"#!{sys.executable}\nimport os, socket, sys, time\n{program}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        store = {"graphRoot": str(tmp_path), "imageCopyTmpDir": str(scratch)}
        salt = {"cmd.run_all": Commands({"podman info": json.dumps({"store": store})})}
        return podman_pull.pull(REFERENCE, stall, podman_pull.places(salt), declared)

    return run


def refused(action, *arguments):
    with pytest.raises(NodeError) as error:
        action(*arguments)
    return error.value


DOWNLOADS = "open(os.environ['TMPDIR'] + '/blob', 'w').write('x' * 9000)"


def test_what_a_pull_downloaded_is_not_left_there(pull, scratch):
    identity = "4" * 64
    assert pull(f"{DOWNLOADS}\nprint('{identity}')") == identity
    assert list(scratch.iterdir()) == []


def test_a_registry_that_never_answers_is_named_and_nothing_is_left(pull, scratch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        waits = f"socket.create_connection(('127.0.0.1', {port})).recv(1)"
        error = refused(pull, f"{DOWNLOADS}\n{waits}")
    assert error.reason == "REGISTRY_UNREACHABLE" and f"127.0.0.1:{port}" in error.text and error.waited
    assert list(scratch.iterdir()) == []


def test_a_pull_that_waits_for_no_registry_is_not_the_registrys_fault(pull):
    assert refused(pull, "time.sleep(100)").reason == "IMAGE_PULL_FAILED"


def test_a_pull_begins_only_where_there_is_room(pull, scratch, monkeypatch):
    monkeypatch.setattr(
        storage, "room", lambda folder: storage.Room("/var", 5, None if folder == str(scratch) else 10)
    )
    error = refused(pull, "open(sys.argv[0] + '.ran', 'w')")
    assert error.reason == "DISK_FULL" and "/var" in error.text and str(storage.ROOM) in error.text
    assert not (scratch.parent / "podman.ran").exists()


def test_a_pull_is_ended_before_it_fills_the_file_system(pull, scratch, monkeypatch):
    def room(folder):
        return storage.Room("/var", 5 if any(scratch.glob("*/blob")) else 2**40, None)

    monkeypatch.setattr(storage, "room", room)
    error = refused(pull, f"{DOWNLOADS}\ntime.sleep(100)", 60.0)
    assert error.reason == "DISK_FULL" and list(scratch.iterdir()) == []


@pytest.mark.parametrize("listed", [False, True])
def test_the_registry_is_asked_for_the_size_where_room_is_scarce(pull, scratch, monkeypatch, listed):
    monkeypatch.setattr(storage, "room", lambda folder: storage.Room("/var", 2**30, None))
    layers = {"layers": [{"size": 2**30}, {"size": 5}]}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    image = {"digest": f"sha256:{'b' * 64}", "platform": {"architecture": machine}}
    index = {"manifests": [{**image, "digest": "sha256:0", "platform": {"architecture": "other"}}, image]}
    first = index if listed else layers
    told = f"import json; print(json.dumps({first} if '@sha256:a' in sys.argv[-1] else {layers}))"
    error = refused(pull, f"assert sys.argv[1] == 'manifest', sys.argv\n{told}")
    assert error.reason == "DISK_FULL" and str(2 * (2**30 + 5) + storage.ROOM) in error.text


def test_what_pulls_left_that_died_is_removed(pull, scratch):
    dead, alive = scratch / "openstack-rollout-pull-999999999-x", scratch / "openstack-rollout-pull-1-x"
    for folder in (dead, alive, scratch / "others"):
        folder.mkdir()
    pull("print('4' * 64)")
    assert {one.name for one in scratch.iterdir()} == {alive.name, "others"}


LOGGED_IN = """
assert 's3cret' not in ' '.join([*sys.argv, *map(str, os.environ.items())])
path = sys.argv[sys.argv.index('--authfile') + 1]
assert path == os.environ['REGISTRY_AUTH_FILE'] and os.stat(path).st_mode & 0o777 == 0o600
assert 'bWU6czNjcmV0' in open(path).read()
assert 'm.example' in open(os.environ['CONTAINERS_REGISTRIES_CONF']).read()
print('4' * 64)
"""


def test_podman_gets_the_login_of_the_registry_in_memory(pull):
    login = {"username": "me", "password": "s3cret"}
    assert pull(LOGGED_IN, 60.0, {"registry.example": {**login, "mirrors": ["m.example"]}}) == "4" * 64
    assert pull("assert '--authfile' not in sys.argv; print('4' * 64)", 60.0, {"x.example": login})


def test_a_login_that_could_not_be_read_pulls_nothing(pull):
    error = refused(lambda: pull("print('4' * 64)", declared={"registry.example": {"unreadable": "no sdb"}}))
    assert error.reason == "REGISTRY_LOGIN" and "no sdb" in error.text


def test_podman_is_told_which_signature_an_image_has_to_have(pull, scratch):
    policy = "assert 'sigstoreSigned' in open(sys.argv[sys.argv.index('--signature-policy') + 1]).read()"
    home = "assert os.path.isdir(os.environ['HOME'] + '/.config/containers/registries.d')"
    declared = {"registry.example": {"signed_by": ["-----BEGIN PUBLIC KEY-----"]}}
    assert pull(f"{policy}\n{home}\nprint('4' * 64)", 60.0, declared) == "4" * 64
    assert list(scratch.iterdir()) == []
