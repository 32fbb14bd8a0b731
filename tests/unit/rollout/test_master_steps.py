"""The steps that the master takes itself: heartbeats do not wait behind drains."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from openstack_rollout.rollout.fleet import Context, StepResult
from openstack_rollout.rollout.master_steps import TOGETHER, MasterSteps


def test_a_heartbeat_is_asked_for_while_drains_have_every_place():
    """Its limit runs from its start: behind long drains it would be over before anybody was asked."""
    over = threading.Event()
    steps = MasterSteps(
        SimpleNamespace(poll=lambda seconds: []),
        drains=SimpleNamespace(),
        reboots=SimpleNamespace(refuse_silent=lambda node: over.wait(30)),
        journal=SimpleNamespace(node=lambda run, node: None, drained=lambda node: None),
        clock=lambda: 0.0,
        roles=lambda *_: (),
        agents=lambda node, agents, seconds: f"{', '.join(agents)}: alive",
    )
    try:
        for number in range(TOGETHER):
            steps.start(f"gtw{number}", "drain", "ovs", f"{number}", 20, context=Context("r", "1", ()))
        context = Context("r", "1", (), agents=("nova-compute",), patience=60.0)
        steps.start("cmp1", "heartbeat", "services", "beat", 20, context=context)
        ended = [one for _ in range(10) for one in steps.poll(0.5)]
        assert [(one.node, one.message) for one in ended] == [("cmp1", "nova-compute: alive")]
    finally:
        over.set()


def test_what_a_node_says_of_its_failure_is_handed_on_when_its_boot_was_looked_at():
    failed = StepResult("cmp1", "1", False, "REPOSITORY_BROKEN", "404", transient=False, retry_after=7.0)
    ends = [[failed], []]
    steps = MasterSteps(
        SimpleNamespace(poll=lambda seconds: ends.pop(0) if ends else [], start=lambda *_, **__: None),
        drains=SimpleNamespace(),
        reboots=SimpleNamespace(rebooted_since=lambda *_: False),
        journal=SimpleNamespace(node=lambda run, node: None, drained=lambda node: None),
        clock=lambda: 0.0,
        roles=lambda *_: (),
    )
    steps.start("cmp1", "apply", "system", "1", 20, context=Context("r", "1", (), boot_id="b"))
    assert [one for _ in range(10) for one in steps.poll(0.5)] == [failed]
