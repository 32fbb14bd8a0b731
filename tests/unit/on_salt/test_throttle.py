"""How many nodes are asked at once, of masters that are fast or slow and nodes that are down."""

from __future__ import annotations

import pytest

from openstack_rollout.on_salt.throttle import BUSY, FIRST, MOST, SERVED_WITHIN, Throttle


def test_a_small_cloud_is_asked_at_once():
    assert Throttle(0).room([], 0, 0) >= FIRST


def ask(nodes: int, serves: float, queue_is_told: bool = True, down: int = 0) -> tuple[float, int]:
    """A master that serves so many answers a second: the longest that one waited, and the publications."""
    throttle, now, waiting = Throttle(0.0), 0.0, nodes
    asked: list[float] = []  # of those that will answer, the eldest first
    dead: list[float] = []
    longest, published, served = 0.0, 0, 0.0
    while waiting or asked:
        lag = len(asked) / serves if queue_is_told else 0.0
        some = min(waiting, throttle.room(asked + dead, lag, now)) if waiting else 0
        waiting -= some
        published += bool(some)
        of_dead = min(down, some)
        down -= of_dead
        dead += [now] * of_dead
        asked += [now] * (some - of_dead)
        now += 1.0
        served = min(served + serves, float(len(asked)))
        done, served = int(served), served % 1
        longest = max([longest, *(now - when for when in asked[:done])])
        asked = asked[done:]
        throttle.answered(done)
        assert now < 10_000
    return longest, published


@pytest.mark.parametrize("serves", [3, 10, 40, 400])
@pytest.mark.parametrize("nodes", [10, 100, 1000, 5000])
def test_nobody_waits_long_however_slow_the_master_is(nodes, serves):
    longest, published = ask(nodes, serves)
    assert longest <= max(FIRST / serves, SERVED_WITHIN) + 2
    assert published <= nodes / (FIRST // 4) + 1


def test_a_fast_master_is_asked_by_hundreds():
    assert ask(5000, 400)[1] <= 5000 / MOST * 4


def test_nodes_that_are_down_hold_nobody_up():
    throttle = Throttle(0.0)
    assert throttle.room([0.0] * FIRST, 0.01, 1.0) == 0
    assert throttle.room([0.0] * FIRST, 0.01, SERVED_WITHIN) == FIRST


def test_a_master_that_is_behind_is_asked_no_more():
    assert Throttle(0.0).room([0.0] * FIRST, BUSY + 1, 30.0) == 0
