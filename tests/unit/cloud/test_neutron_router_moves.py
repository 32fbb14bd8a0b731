"""A router moves from one agent to another by two requests at a time, in whichever order they end."""

import threading
from types import SimpleNamespace

import pytest
import requests
from openstack.exceptions import ConflictException, SDKException

from openstack_rollout.cloud import api as clouds
from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.errors import RolloutError


def answered(status):
    answer = requests.Response()
    answer.status_code = status
    answer.url = "http://network"
    return answer


class Network:
    """Neutron's agents and what they host. An addition that comes too early lets the removal happen."""

    def __init__(self):
        self.on = {"here": {"r"}, "there": set()}
        self.refuses = False
        self.early = 0
        self.additions = []
        self.away = 0
        self._may_go = threading.Event()

    def get(self, url):
        return answered(200)

    def delete(self, url):
        assert self._may_go.wait(10), "the addition was not requested at the same time"
        if self.away:
            self.away -= 1
            return answered(503)
        agent, router = url.split("/")[2], url.split("/")[4]
        if router not in self.on[agent]:
            return answered(404)
        self.on[agent].remove(router)
        return answered(204)

    def post(self, url, json):
        agent = url.split("/")[2]
        self.additions.append(agent)
        if self.early and len(self.additions) <= self.early:
            if len(self.additions) == 5:  # the last one that is made during the removal
                self._may_go.set()
            return answered(409)
        self._may_go.set()
        held = any(json["router_id"] in routers for name, routers in self.on.items() if name != agent)
        if held or self.refuses:
            return answered(409)
        self.on[agent].add(json["router_id"])
        return answered(201)


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(clouds, "RETRY_INTERVAL", 0.0)
    made = Network()
    monkeypatch.setattr(Cloud, "_connect", lambda cloud: SimpleNamespace(network=made))
    return made


def move():
    neutron.move_router(Cloud("openstack", retry_timeout=0.5), "here", "there", "r")


@pytest.mark.parametrize("early", [0, 3, 5])
def test_an_addition_that_came_too_early_is_repeated(network, early):
    network.early = early
    move()
    assert network.on == {"here": set(), "there": {"r"}}
    assert len(network.additions) > early


def test_a_router_that_was_on_neither_is_given_to_the_target(network):
    network.on["here"].clear()
    move()
    assert network.on["there"] == {"r"}


def test_a_refusal_is_raised_only_when_the_router_is_away(network):
    network.refuses = True
    with pytest.raises(ConflictException):
        move()
    assert network.on == {"here": set(), "there": set()}


def test_a_removal_that_is_not_answered_at_once_is_asked_for_again(network):
    network.away = 2
    move()
    assert network.on == {"here": set(), "there": {"r"}}


def test_a_removal_that_is_never_answered_leaves_the_router_where_it_was(network):
    network.away = 10**6
    with pytest.raises((RolloutError, SDKException)):
        move()
    assert network.on == {"here": {"r"}, "there": set()}
