"""docker_api: a pull is followed by what dockerd tells, and given up when it tells nothing more."""

from __future__ import annotations

import threading
import time

import pytest

from openstack_rollout.node import docker_api

REFERENCE = f"registry.example/nova@sha256:{'a' * 64}"


class Client:
    """A client of dockerd whose pull tells some lines, one each `every` seconds; then it may hang."""

    def __init__(self, lines, every=0.0, hangs=False):
        self.lines, self.every, self.goes_on = lines, every, threading.Event()
        if not hangs:
            self.goes_on.set()

    def pull(self, reference, stream, decode, auth_config):
        assert (reference, stream, decode) == (REFERENCE, True, True)
        self.auth = auth_config
        for line in self.lines:
            time.sleep(self.every)
            if isinstance(line, Exception):
                raise line
            yield line
        self.goes_on.wait(60)


LINES = [{"status": "Downloading", "id": f"layer{number}"} for number in range(4)]


def test_a_pull_that_is_slow_and_gets_on_is_followed_to_its_end():
    assert list(docker_api.pulled(Client(LINES, every=0.4), REFERENCE, 1.0)) == LINES


def test_a_pull_of_which_nothing_more_is_told_is_given_up():
    client = Client(LINES, hangs=True)
    told = docker_api.pulled(client, REFERENCE, 0.5)
    try:
        assert [next(told) for _ in LINES] == LINES
        with pytest.raises(docker_api.StoodStill, match="layer3"):
            next(told)
    finally:
        client.goes_on.set()


def test_what_the_pull_raises_is_raised():
    with pytest.raises(ConnectionError):
        list(docker_api.pulled(Client([ConnectionError("gone")]), REFERENCE, 5.0))
