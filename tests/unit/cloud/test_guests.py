"""Servers by name or id, with the addresses at which they are reached."""

from __future__ import annotations

import re
from types import SimpleNamespace as Told

import pytest

from openstack_rollout.cloud import guests
from openstack_rollout.errors import RolloutError

ID = "6f1c0a5e-2c1d-4f62-9c3e-0d6e2b5b7a11"


def address(of, kind="fixed"):
    return {"addr": of, "version": 4, "OS-EXT-IPS:type": kind}


def server(name, *addresses, id="id", host="cmp1"):
    return Told(id=id, name=name, compute_host=host, addresses={"net": list(addresses)})


class NotThere(Exception):
    status_code = 404


class Cloud:
    """A Nova that takes names for patterns. asked: the queries."""

    def __init__(self, *servers):
        self.servers, self.asked = servers, []
        self.api = Told(compute=Told(servers=self._servers, get_server=self._server))

    def allowed(self, what, call):
        return call()

    def _servers(self, all_projects, name=".*"):
        assert all_projects
        self.asked.append(name)
        return iter(one for one in self.servers if re.search(name, one.name, re.IGNORECASE))

    def _server(self, wanted):
        self.asked.append(wanted)
        for one in self.servers:
            if one.id == wanted:
                return one
        raise NotThere


def test_floating_addresses_go_before_fixed_ones():
    cloud = Cloud(
        server("web", address("10.0.0.5"), address("203.0.113.7", "floating"), id=ID),
        server("db", address("10.0.0.6"), address("10.1.0.6")),
    )
    found = guests.find(cloud, ["web", "db", ID])
    assert found["web"] == found[ID] == guests.Guest(ID, "cmp1", ("203.0.113.7",))
    assert found["db"].addresses == ("10.0.0.6",)


def test_a_name_is_no_pattern():
    cloud = Cloud(server("web.1", address("10.0.0.5")), server("WEB.1", address("10.0.0.7")), server("web-1"))
    assert guests.find(cloud, ["web.1"])["web.1"].addresses == ("10.0.0.5",)
    assert guests.find(cloud, ["web"])["web"].problem == "no server is called web"


def test_a_name_of_several_says_so():
    cloud = Cloud(server("web", id="1"), server("web", id="2"))
    assert "2 servers are called web: give the id" in guests.find(cloud, ["web"])["web"].problem


def test_a_server_without_an_address_and_an_id_that_is_none():
    cloud = Cloud(server("web"), server(ID, address("10.0.0.8"), id="other"))
    assert guests.find(cloud, ["web"])["web"].problem == "web has no address"
    assert guests.find(cloud, [ID])[ID].addresses == ("10.0.0.8",)  # it is called so


def test_of_many_all_are_asked_at_once():
    cloud = Cloud(*(server(f"web{number}", address(f"10.0.0.{number}")) for number in range(40)))
    found = guests.find(cloud, [f"web{number}" for number in range(40)])
    assert len(cloud.asked) == 1 and all(one.addresses for one in found.values())


def test_an_api_that_is_down_is_an_error():
    cloud = Cloud()
    cloud.allowed = lambda *_: (_ for _ in ()).throw(RolloutError("API_UNREACHABLE", "down"))
    with pytest.raises(RolloutError, match="API_UNREACHABLE"):
        guests.find(cloud, ["web"])
