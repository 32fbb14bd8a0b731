"""A real registry is asked: digests, what it lacks, and that it is down are told apart."""

import contextlib
import socket
import subprocess
import sys

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import registry
from tests.functional.registry_server import Registry, free_port
from tests.lab import settings
from tests.lab.enclosure import wait_for

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A registry with two images."""
    server = Registry(tmp_path_factory.mktemp("registry")).start()
    server.digests = {name: server.push(name, "1", name) for name in ("nova", "glance")}
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def plain_http(served, monkeypatch):
    """Let skopeo speak plain HTTP to it. It is asked once: asking again is a unit test."""
    monkeypatch.setattr(registry, "AGAIN_AFTER", ())
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(served.registries_conf))


def test_digest_of_a_tag_and_of_a_digest(served):
    wanted = served.digests["nova"]
    assert registry.digest(f"{served.address}/nova:1") == wanted
    assert registry.digest(f"{served.address}/nova@{wanted}") == wanted
    assert registry.digest(f"{served.address}/nova:other@{wanted}") == wanted


@pytest.mark.parametrize("image", ["nova:2", "nobody:1", f"nova@{NOWHERE}"])
def test_what_the_registry_lacks(served, image):
    with pytest.raises(RolloutError) as error:
        registry.digest(f"{served.address}/{image}")
    assert error.value.reason == "IMAGE_MISSING"


@pytest.mark.parametrize(
    "address", [f"127.0.0.1:{free_port()}", "registry.invalid"], ids=["refuses", "no-such-name"]
)
def test_a_registry_that_is_down_lacks_nothing(address):
    with pytest.raises(RolloutError) as error:
        registry.digest(f"{address}/nova:1", timeout=20)
    assert error.value.reason == "REGISTRY_UNREACHABLE"
    assert error.value.message.startswith(address)
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("401", "REGISTRY_LOGIN"), ("429", "REGISTRY_RATE_LIMIT"), ("500", "REGISTRY_UNREACHABLE")],
)
def test_a_registry_that_refuses_is_told_from_one_that_is_down(monkeypatch, tmp_path, behaviour, reason):
    address = f"127.0.0.1:{free_port()}"
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))
    command = [sys.executable, str(settings.HERE / "files/registry/stand-in"), *address.split(":"), behaviour]
    with subprocess.Popen(command) as stand_in:
        try:
            assert wait_for(lambda: _listens(address), 20)
            wanted = {"a": f"{address}/nova@{NOWHERE}", "b": f"{address}/glance@{NOWHERE}"}
            found = registry.problems(wanted, timeout=60)
        finally:
            stand_in.kill()
    assert [word for word, _ in found] == [reason] * len(found) and found
    assert all(line.startswith(address) for _, line in found)


def _listens(address):
    host, port = address.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def test_a_registry_that_never_answers(tmp_path, monkeypatch):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(RolloutError, match=r"REGISTRY_UNREACHABLE: .*: no answer within 1 s"):
            registry.digest(f"127.0.0.1:{deaf.getsockname()[1]}/nova:1", timeout=1)


def test_without_skopeo(served, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(
        RolloutError, match=r"LIBRARY_MISSING: skopeo cannot be run on the master: No such file"
    ):
        registry.digest(f"{served.address}/nova:1")


def test_problems_are_lines_by_pillar_key_and_one_for_a_registry_that_is_down(served):
    down = f"127.0.0.1:{free_port()}"
    found = registry.problems(
        {
            "images:a": f"{served.address}/nova@{served.digests['nova']}",
            "images:b": f"{served.address}/nova@{NOWHERE}",
            "images:c": f"{down}/x:1",
            "images:d": f"{down}/y:1",
        }
    )
    assert [reason for reason, _ in found] == ["IMAGE_MISSING", "REGISTRY_UNREACHABLE"]
    assert found[0][1] == f"images:b: {served.address}/nova@{NOWHERE}: is not in the registry"
    assert found[1][1].startswith(f"{down}: ")
