"""What a ping through a router that moves is said to have cost."""

from __future__ import annotations

import pytest

from tests.lab.enclosure import LabError
from tests.lab.openstack.reach import tally

ANSWERS = """\
PING 10.0.1.1 (10.0.1.1) 56(84) bytes of data.
[1000.0] 64 bytes from 10.0.1.1: icmp_seq=1 ttl=64 time=0.9 ms
[1000.1] 64 bytes from 10.0.1.1: icmp_seq=2 ttl=64 time=0.9 ms
[1000.1] 64 bytes from 10.0.1.1: icmp_seq=2 ttl=64 time=1.9 ms (DUP!)
[1000.7] 64 bytes from 10.0.1.1: icmp_seq=8 ttl=64 time=0.9 ms
"""
COUNTED = (
    "\n--- 10.0.1.1 ping statistics ---\n{} packets transmitted, 3 received, +1 duplicates, 0% packet loss\n"
)


def test_gaps_and_losses_are_counted():
    assert tally(ANSWERS + COUNTED.format(8), 1000.7) == (8, 5, pytest.approx(0.6))


def test_a_path_that_is_dead_to_the_end_is_the_longest_gap():
    assert tally(ANSWERS + COUNTED.format(50), 1005.0) == (50, 47, pytest.approx(4.3))


@pytest.mark.parametrize("printed", [ANSWERS, COUNTED.format(50), ""])
def test_a_ping_that_did_not_live_to_count_proves_nothing(printed):
    with pytest.raises(LabError):
        tally(printed, 1005.0)
