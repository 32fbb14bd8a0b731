"""A running daemon, as the kernel knows it."""

from __future__ import annotations

from openstack_rollout.node.switch_handover.process import Process

from .host import wait_for


def test_one_that_was_not_waited_for_has_ended_all_the_same(daemon):
    known = Process(daemon.pid)
    daemon.stdin.write(b"xx")
    assert known.alive and not known.gone
    daemon.kill()
    assert wait_for(lambda: known.gone) and not known.alive
    assert known.state == "Z"
