"""What all tests have in common."""

from __future__ import annotations

import socket
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from openstack_rollout.node import docker_api
from tests.redis_server import RedisServer

#: Packages whose modules follow one another on one machine.
SHARE_A_MACHINE = tuple(f"tests/functional/{name}/" for name in ("apt", "containers", "dnf", "takeover"))


def pytest_addoption(parser):
    parser.addoption(
        "--reworded",
        action="store_true",
        help="replace every sentence that people read of differences and notes by gibberish: nothing may"
        " decide from them (tests of the wording itself are left out)",
    )


def pytest_configure(config):
    if config.getoption("--reworded"):
        _reword()


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--reworded"):
        return
    wording = [item for item in items if item.get_closest_marker("wording")]
    config.hook.pytest_deselected(items=wording)
    items[:] = [item for item in items if item not in wording]


@pytest.fixture(autouse=True)
def _no_docker_of_the_host(monkeypatch, tmp_path_factory):
    """A docker that runs on the developer's machine is none of a test's nodes."""
    monkeypatch.setattr(docker_api, "SOCKET", tmp_path_factory.getbasetemp() / "no-docker.sock")


@pytest.fixture(scope="session")
def unread_bus() -> Iterator[dict[str, str | int]]:
    """Settings of a master that does not run: its bus takes events, and nobody reads them.

    Where there is none, salt-run tries again and again to reach it, for a second of CPU at each event.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as bus:
        yield {"ipc_mode": "tcp", "tcp_master_pull_port": bus.getsockname()[1]}


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real redis-server; its folder has a short path, for its socket."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def pytest_xdist_make_scheduler(config, log):
    """--dist=loadfile, where one process runs all modules of a package that share a machine."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::", 1)[0]
            return path.rpartition("/")[0] if path.startswith(SHARE_A_MACHINE) else path

    return Scheduling(config, log)


def pytest_report_header(config):
    return "sentences: gibberish (--reworded)" if config.getoption("--reworded") else None


def _reword():
    from openstack_rollout.declared import words

    def gibberish(*said):
        return f"fnord {zlib.crc32(repr(said).encode()):08x}"

    words._SENTENCES = dict.fromkeys(words._SENTENCES, lambda one, _: gibberish(one))
    words.note = lambda one: gibberish(sorted(one.items()))
