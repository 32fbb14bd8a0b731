"""listening: real sockets of this very process, which stands in for that of a unit."""

from __future__ import annotations

import os
import socket

import pytest

from openstack_rollout.node import listening, unit_processes
from openstack_rollout.node.sockets import Place

UNIT = "api.service"


@pytest.fixture
def own(monkeypatch):
    """This process is the unit's; no port is one that the kernel gives away."""
    monkeypatch.setattr(
        unit_processes, "of", lambda unit: [unit_processes.PROC / str(os.getpid())] if unit == UNIT else []
    )
    monkeypatch.setattr(listening, "_given_away", lambda: (0, 0))


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])
def server(request):
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as found:
            found.bind((request.param, 0))
            yield found
    except OSError:
        pytest.skip(f"no {request.param} here")


def test_who_listens_is_found_and_takes_connections(own, server):
    address, port = server.getsockname()[:2]
    assert Place(address, port) not in listening.of([UNIT])
    assert listening.lacking([UNIT], [port]) == [f"nobody listens on port {port} any more"]
    server.listen()
    assert Place(address, port) in listening.of([UNIT])
    assert listening.lacking([UNIT], [port]) == [] and listening.lacking([UNIT], []) == []
    assert listening.of(["other.service"]) == set()


def test_who_listens_and_takes_nobody_is_told(own, server, monkeypatch):
    server.listen()
    address, port = server.getsockname()[:2]

    def refused(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr(listening.socket, "create_connection", refused)
    assert listening.lacking([UNIT], [port]) == [f"no connection to {address} port {port}"]


def test_an_address_that_has_left_the_host_says_nothing(own, monkeypatch):
    monkeypatch.setattr(listening, "of", lambda units: {Place("192.0.2.1", 80), Place("fe80::1", 80)})
    assert listening.lacking([UNIT], [80]) == []


def test_ports_that_the_kernel_gives_away_are_nobodys_address(own, server, monkeypatch):
    server.listen()
    port = server.getsockname()[1]
    monkeypatch.setattr(listening, "_given_away", lambda: (port, port))
    assert port not in {one.port for one in listening.of([UNIT])}


def test_the_range_that_the_kernel_gives_away(tmp_path, monkeypatch):
    place = tmp_path / "sys/net/ipv4"
    place.mkdir(parents=True)
    (place / "ip_local_port_range").write_text("32768\t60999\n")
    monkeypatch.setattr(unit_processes, "PROC", tmp_path)
    assert listening._given_away() == (32768, 60999)


def test_processes_of_another_network_are_left_alone(own, server, monkeypatch):
    server.listen()
    monkeypatch.setattr(listening, "_namespace", lambda process: process.name)
    assert listening.of([UNIT]) == set()
