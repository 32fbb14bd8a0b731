"""Real registries with a login, and mirrors, asked by skopeo as the master asks: as the pillar declares."""

from __future__ import annotations

import subprocess
import sys

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry
from tests.functional.registry_server import PASSWORD, USER, Registry, free_port

LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with two images and a login."""
    server = Registry(tmp_path_factory.mktemp("guarded")).start()
    server.digests = {name: server.push(name, "1", name) for name in ("ns/nova", "ns/glance")}
    server.guard()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """One with an image, for everybody."""
    server = Registry(tmp_path_factory.mktemp("plain")).start()
    server.digests = {"ovn": server.push("ovn", "1", "ovn")}
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def plain_http(guarded, plain, tmp_path, monkeypatch):
    """Have the master's own configuration say that both speak plain HTTP. Asking again is a unit test."""
    monkeypatch.setattr(registry, "AGAIN_AFTER", ())
    conf = tmp_path / "registries.conf"
    conf.write_text(guarded.registries_conf.read_text() + plain.registries_conf.read_text())
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))


def wanted(*servers):
    return {
        f"images:{name}": f"{server.address}/{name}@{digest}"
        for server in servers
        for name, digest in server.digests.items()
    }


@pytest.mark.parametrize("path", ["", "/ns"])
def test_what_the_login_opens_is_there(guarded, path):
    declared = {f"{guarded.address}{path}": LOGIN}
    assert registry.problems(wanted(guarded), reach=lambda _: declared) == []
    assert all(registry.layers(wanted(guarded).values(), reach=lambda _: declared).values())


@pytest.mark.parametrize(
    "declared",
    [{}, {**LOGIN, "password": "wrong"}, {"unreadable": "openstack:registries:x:password: cannot be read"}],
)
def test_a_wrong_login_is_one_line_and_hides_nothing_of_other_registries(guarded, plain, declared):
    images = {**wanted(guarded, plain), "images:gone": f"{plain.address}/gone@sha256:{'0' * 64}"}
    images["images:down"] = f"127.0.0.1:{free_port()}/down:1"
    found = registry.problems(images, timeout=5, reach=lambda _: {guarded.address: declared})
    reasons = sorted(reason for reason, _ in found)
    assert reasons == ["IMAGE_MISSING", "REGISTRY_LOGIN", "REGISTRY_UNREACHABLE"], found
    line = dict(found)["REGISTRY_LOGIN"]
    assert line.startswith(guarded.address) and "1 more" in line and "wrong" not in line
    assert "openstack:registries" in line


def test_a_login_is_for_its_path_alone(guarded):
    with pytest.raises(RolloutError, match="REGISTRY_LOGIN"):
        registry.digest(f"{guarded.address}/ns/nova:1", declared={f"{guarded.address}/other": LOGIN})


def test_no_login_is_to_be_seen_from_outside(guarded, monkeypatch, tmp_path):
    """Neither in arguments, nor in the environment, nor in a file: the program gets it in memory."""
    seen = tmp_path / "seen"
    program = tmp_path / "skopeo"
    program.write_text(
        "#!/bin/sh\n"
        f"tr '\\0' '\\n' < /proc/$$/cmdline > {seen}; tr '\\0' '\\n' < /proc/$$/environ >> {seen}\n"
        "while [ $# -gt 0 ]; do\n"
        f"  [ \"$1\" = --authfile ] && stat -L -c 'mode %a links %h' $2 >> {seen}; shift\n"
        "done; echo '{}'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    registry.digest(f"{guarded.address}/ns/nova:1", declared={guarded.address: LOGIN})
    text = seen.read_text()
    assert PASSWORD not in text and "mode 600 links 0" in text


def test_from_a_mirror_once_the_first_registry_is_gone(guarded, plain):
    """By the same reference: what is declared does not change with where an image comes from."""
    digest = guarded.digests["ns/nova"]
    declared = {"first.invalid/far": {"mirrors": [guarded.address]}, guarded.address: LOGIN}
    image = f"first.invalid/far/ns/nova@{digest}"
    assert registry.problems({"nova": image}, reach=lambda _: declared) == []
    without = {"first.invalid/far": {"mirrors": [plain.address]}}
    assert [reason for reason, _ in registry.problems({"nova": image}, timeout=5, reach=lambda _: without)]


def test_a_master_that_died_has_left_no_login(guarded, tmp_path):
    """Its files are in memory, and go with it."""
    script = (
        "import sys, os, signal\n"
        "from openstack_rollout.node import registries\n"
        f"with registries.given('{guarded.address}/ns/nova:1', {{'{guarded.address}': {LOGIN}}}) as given:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    place = tmp_path / "tmp"
    place.mkdir()
    env = {"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(place), "HOME": str(place)}
    assert subprocess.run([sys.executable, "-c", script], env=env, check=False).returncode == -9
    assert list(place.iterdir()) == []
