"""Questions that hang: an operator's request is taken up meanwhile."""

import threading
import time

import pytest

from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.questions import unhindered
from tests.unit.simulated_fleet import DRAIN, Cloud, Master, refusal

SOON = 10.0  # seconds, of a question that would hang for ever


@pytest.fixture
def hangs():
    """An API that accepts and never answers, until the test is over."""
    answers = threading.Event()
    yield answers
    answers.set()


@pytest.fixture
def master(tmp_path):
    cloud = Cloud(controller=1, gateway=1, compute=3)
    cloud.policy("compute", drain=DRAIN)
    return Master(cloud, tmp_path)


def test_the_answer_and_the_error_are_those_of_the_question():
    assert unhindered(lambda: [1, 2], lambda: None) == [1, 2]

    def fails():
        raise RolloutError("NO_SPARE", "full", ["cmp1"])

    assert refusal(lambda: unhindered(fails, lambda: None)).nodes == ("cmp1",)
    with pytest.raises(KeyError):
        unhindered(lambda: {}["key"], lambda: None)


def test_a_slow_answer_is_waited_for_while_nothing_halts():
    asked = []
    assert unhindered(lambda: time.sleep(1.2) or "late", lambda: asked.append(1)) == "late"
    assert asked


def test_what_halts_is_raised_though_the_question_hangs(hangs):
    begun = time.monotonic()
    halt = RolloutError("ABORTED", "run 1 has ended")
    assert refusal(lambda: unhindered(hangs.wait, lambda: halt)) is halt
    assert time.monotonic() - begun < SOON


@pytest.mark.parametrize(("request_", "state"), [("pause", "paused"), ("abort", "aborted")])
@pytest.mark.parametrize("asked", ["capacity", "refuse", "verification"])
def test_a_run_ends_on_request_whatever_of_the_cloud_hangs(master, hangs, asked, request_, state):
    def hang(*_):
        if master.run is None:
            return 1  # a run is told what can be spared before it is opened
        master.journal.ask(master.run.id, request_)
        return hangs.wait()

    first = ["refuse"] if asked == "refuse" else []  # before there is a run

    def refuse(nodes):
        if not first:
            hang()
        first.clear()

    if asked == "capacity":
        master.drain.capacity = hang
    elif asked == "refuse":
        master.drain.refuse = refuse
    else:
        master.verification = hang
    ended = threading.Thread(target=refusal, args=(master.update,), daemon=True)
    ended.start()
    ended.join(SOON)
    assert not ended.is_alive() and master.run.state == state


def test_the_next_run_converges_when_the_cloud_answers_again(master, hangs):
    def hang(*_):
        if master.run is None:
            return 1
        master.journal.ask(master.run.id, "pause")
        return hangs.wait()

    answering, master.drain.capacity = master.drain.capacity, hang
    assert refusal(master.update).reason == "PAUSED_BY_OPERATOR"
    master.drain.capacity = answering
    assert master.update()["state"] == "completed"
