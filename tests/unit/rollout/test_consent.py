"""A run that waits for a yes: before what it asks, what it hears, and what becomes of it when killed."""

import pytest

from openstack_rollout.rollout import control, live
from openstack_rollout.rollout.asking import Given
from openstack_rollout.screens import live as page
from openstack_rollout.screens import tables
from tests.unit.rollout.test_limit import deployed, done
from tests.unit.simulated_fleet import DRAIN, Cloud, Killed, refusal

CONTROLLER, GATEWAY, COMPUTES = ["controller1"], ["gateway1"], ["compute1", "compute2", "compute3"]


@pytest.fixture
def cloud():
    found = Cloud(controller=1, gateway=1, compute=3)
    done(found, "ovn", "control_plane", "system")
    return found


class Operator:
    """Answers each question once; keeps what was asked, and what had been applied by then."""

    def __init__(self, master, answer=None):
        self.asked = []
        self._master = master
        self._answer = answer or (lambda one: control.confirm(master.journal, master.lock))
        self._waits = self._polls = 0
        master.before_poll = self

    def __call__(self):
        self._polls += 1
        assert self._polls < 5000, f"it waits for ever: {self._master.run.questions}"
        questions = list(self._master.run.questions.values()) if self._master.run else []
        self._waits = self._waits + 1 if questions else 0
        if self._waits == 3:  # it waits, and is answered after a while
            self._waits = 0
            self.asked += [(one.before, one.stage, one.role, one.nodes) for one in questions]
            self._answer(questions[0])


#: What a run asks before each step of a kind.
ASKED = {
    "stage": [("services", "", [*GATEWAY, *COMPUTES]), ("ovs", "", [*CONTROLLER, *GATEWAY, *COMPUTES])],
    "role": [
        ("services", "gateway", GATEWAY),
        ("services", "compute", COMPUTES),
        ("ovs", "controller", CONTROLLER),
        ("ovs", "gateway", GATEWAY),
        ("ovs", "compute", COMPUTES),
    ],
    "wave": [
        ("services", "gateway", GATEWAY),
        ("services", "compute", COMPUTES[:2]),
        ("services", "compute", COMPUTES[2:]),
        ("ovs", "controller", CONTROLLER),
        ("ovs", "gateway", GATEWAY),
        ("ovs", "compute", COMPUTES),  # where nothing is disturbed they go together
    ],
    "node": [
        ("services", "gateway", GATEWAY),
        *(("services", "compute", [node]) for node in COMPUTES),
        ("ovs", "controller", CONTROLLER),
        ("ovs", "gateway", GATEWAY),
        *(("ovs", "compute", [node]) for node in COMPUTES),
    ],
}


@pytest.mark.parametrize(("confirm", "asked"), ASKED.items())
def test_a_run_asks_before_each_step_of_its_kind(cloud, master, confirm, asked):
    cloud.policy("compute", batch=2)
    operator = Operator(master)
    assert master.update(confirm=confirm)["state"] == "completed"
    assert operator.asked == [(confirm, *one) for one in asked]
    assert deployed(cloud, master)["deployed"] == "1.0.1"
    assert (master.run.questions, master.run.reason) == ({}, "")


def test_nothing_starts_without_a_yes_and_status_shows_what_comes(cloud, master):
    cloud.policy("compute", drain=DRAIN)
    cloud.openstack["system"] = {"reboot": "when_required"}
    seen = []

    def look(question):
        drained = [node for step, node in master.drain.log if step == "drain"]
        seen.append((list(cloud.applied), drained, tables.text(deployed(cloud, master))))
        control.confirm(master.journal, master.lock)

    Operator(master, look)
    master.rollout().stage("services")
    seen.clear()
    master.rollout().stage("ovs", Given(confirm="node", limit="compute*"))
    applied, drained, text = seen[0]
    assert [stage for stage, _ in applied] == ["services"] * 4 and drained == []
    assert "CONFIRMATION: a yes is waited for before ovs, compute, node: compute1" in text
    assert "before ovs, compute (node): compute1\n  compute1: drain > apply > verify > restore\n" in text
    assert "drained by live_migrate: its servers move while they run" in text
    assert [len(one[0]) for one in seen] == [4, 5, 6]
    waits = [one for _, one in cloud.events if one["step"] == "gate" and one["reason"] == "CONFIRMATION"]
    assert len(waits) == 3 and waits[0]["stage"] == "ovs"


def test_a_policy_asks_for_its_role_and_a_run_may_ask_otherwise(cloud, master):
    cloud.policy("compute", confirm="node")
    operator = Operator(master)
    master.rollout().stage("services")
    assert [one[2:] for one in operator.asked] == [("compute", [f"compute{n}"]) for n in (1, 2, 3)]
    operator.asked.clear()
    master.rollout().stage("ovs", Given(confirm="never"))
    assert operator.asked == []


def test_an_answer_by_resume_in_another_terminal(cloud, master):
    def resume(_):
        assert control.to_resume(master.journal, master.lock) is None

    Operator(master, resume)
    assert master.update(confirm="role")["state"] == "completed"


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("abort", "aborted")])
def test_pause_and_abort_work_while_it_waits(cloud, master, action, state):
    Operator(master, lambda _: getattr(control, action)(master.journal, master.lock))
    refusal(lambda: master.update(confirm="stage"))
    assert master.run.state == state and cloud.applied == []


def test_a_node_is_left_out_before_it_goes(cloud, master):
    def answer(question):
        if question.nodes == ["compute2"]:
            control.skip(master.journal, master.lock, "compute2")
        else:
            control.confirm(master.journal, master.lock)

    Operator(master, answer)
    error = refusal(lambda: master.update(confirm="node"))
    assert error.reason == "FAILURE_BUDGET" and "without compute2 (SKIPPED_BY_OPERATOR)" in error.message
    assert master.run.state == "incomplete"
    assert "compute2" not in {node for _, node in cloud.applied}
    assert {"compute1", "compute3"} < {node for stage, node in cloud.applied if stage == "ovs"}
    assert master.update()["state"] == "completed" and ("ovs", "compute2") in cloud.applied


def test_a_node_of_a_wave_is_left_out_and_the_others_are_asked_for_again(cloud, master):
    cloud.policy("compute", batch=3)

    def answer(question):
        if "compute2" in question.nodes:
            control.skip(master.journal, master.lock, "compute2")
        else:
            control.confirm(master.journal, master.lock)

    done(cloud, "services", nodes="gateway")
    operator = Operator(master, answer)
    refusal(lambda: master.update(confirm="wave", limit="compute*"))
    waves = [one[3] for one in operator.asked]
    assert waves == [COMPUTES, ["compute1", "compute3"], ["compute1", "compute3"]]


def test_a_yes_to_one_node_of_a_wave_leaves_the_others_to_ask_for(cloud, master):
    cloud.policy("compute", batch=3)
    asked = []

    def answer(question):
        asked.append(question.nodes)
        control.confirm(master.journal, master.lock, question.nodes[-1])

    Operator(master, answer)
    done(cloud, "services", nodes="gateway")
    master.rollout().stage("services", Given(confirm="wave"))
    assert asked == [COMPUTES, COMPUTES[:2], COMPUTES[:1]]
    assert [node for _, node in cloud.applied] == COMPUTES


@pytest.mark.parametrize("confirm", ASKED)
def test_killed_while_it_waits_it_asks_the_same_again(cloud, master, confirm):
    def kill(question):
        if len(first.asked) == 2:
            raise Killed
        control.confirm(master.journal, master.lock)

    cloud.policy("compute", batch=2)
    first = Operator(master, kill)
    with pytest.raises(Killed):
        master.update(confirm=confirm)
    assert control.to_resume(master.journal, master.lock) == "orch.update"
    second = Operator(master)
    assert master.update()["state"] == "completed"
    assert [*first.asked[:-1], *second.asked] == [(confirm, *one) for one in ASKED[confirm]]
    assert second.asked[0] == first.asked[-1] and len(cloud.applied) == len(set(cloud.applied))


def test_killed_after_the_yes_it_does_not_ask_again(cloud, master):
    def kill(question):
        control.confirm(master.journal, master.lock)
        raise Killed

    operator = Operator(master, kill)
    with pytest.raises(Killed):
        master.update(confirm="role")
    operator = Operator(master)
    assert master.update()["state"] == "completed"
    assert operator.asked[0] == ("role", "services", "compute", ["compute1", "compute2", "compute3"])


def test_a_yes_to_a_run_that_nobody_drives_is_kept_for_the_next(cloud, master):
    def kill(question):
        raise Killed

    Operator(master, kill)
    with pytest.raises(Killed):
        master.update(confirm="stage")
    master.lock.release()
    answer = control.confirm(master.journal, master.lock)
    assert answer["state"] == "interrupted" and "before services: gateway1" in answer["confirmed"][0]
    operator = Operator(master)
    master.update()
    assert [one[1] for one in operator.asked] == ["ovs"]


def test_a_yes_holds_no_more_when_what_is_declared_was_edited(cloud, master):
    cloud.nodes["compute1"].faults["services/apply"] = "CONTAINER_EXITED"
    Operator(master)
    refusal(lambda: master.update(confirm="stage"))
    cloud.nodes["compute1"].faults.clear()
    cloud.openstack["service_types"]["services"]["options"] = {"debug": True}
    operator = Operator(master)
    master.update()
    assert [one[1] for one in operator.asked] == ["services", "ovs"]


@pytest.mark.parametrize("limit", ["compute*", "*"])
def test_a_yes_to_a_role_is_none_to_nodes_that_were_outside_of_the_limit(cloud, master, limit):
    operator = Operator(master)
    cloud.nodes["compute1"].faults["ovs/apply"] = "OVS_FAILED"
    done(cloud, "services")
    refusal(lambda: master.update(limit="compute1", confirm="role"))
    assert [one[3] for one in operator.asked] == [["compute1"]]
    cloud.nodes["compute1"].faults.clear()
    control.to_resume(master.journal, master.lock, Given(limit=limit))
    assert master.update()["state"] == "completed"
    assert operator.asked[-1][3] == COMPUTES


def test_answers_to_nothing_are_refused(cloud, master):
    assert refusal(lambda: control.confirm(master.journal, master.lock)).reason == "NO_RUN"
    lines = []

    def answer(question):
        lines.append(refusal(lambda: control.confirm(master.journal, master.lock, "compute9")))
        lines.append(refusal(lambda: control.skip(master.journal, master.lock, "compute9")))
        control.confirm(master.journal, master.lock)

    Operator(master, answer)
    master.update(confirm="stage")
    assert [one.reason for one in lines[:2]] == ["NOTHING_ASKED", "NO_NODES"]
    assert "asks nothing about compute9: it asks a yes" in lines[0].message


def test_a_yes_to_a_question_that_was_shown_is_none_to_the_next(cloud, master):
    shown, refused = [], []

    def answer(_):
        (asked,) = page.state(live.now_of(master.journal, lambda run: run), 5.0, ())["questions"]
        if shown:
            refused.append(refusal(lambda: control.confirm(master.journal, master.lock, question=shown[-1])))
        shown.append(asked["id"])
        control.confirm(master.journal, master.lock, run_id=master.run.id, question=asked["id"])

    Operator(master, answer)
    master.update(confirm="stage")
    assert len(set(shown)) == 2 and [one.reason for one in refused] == ["NOTHING_ASKED"]
    assert "asks nothing that was meant: it asks a yes" in refused[0].message


@pytest.mark.parametrize("verb", ["pause", "abort", "to_resume", "confirm", "skip"])
def test_what_is_meant_for_another_run_is_refused(cloud, master, verb):
    refused = []

    def answer(_):
        node = ("compute1",) if verb == "skip" else ()
        act = getattr(control, verb)
        refused.append(refusal(lambda: act(master.journal, master.lock, *node, run_id="yesterday's")))
        control.confirm(master.journal, master.lock)

    Operator(master, answer)
    assert master.update(confirm="stage")["state"] == "completed"
    assert {one.reason for one in refused} == {"WRONG_ARGUMENT"} and master.run.id in refused[0].message


@pytest.mark.parametrize(
    ("confirm", "line"),
    [
        ("nodes", "confirm: 'nodes' is none, did you mean node?"),
        ("", "confirm: '' is none, there are never,"),
    ],
)
def test_another_word_is_refused(cloud, master, confirm, line):
    error = refusal(lambda: master.update(confirm=confirm))
    assert error.reason == "WRONG_ARGUMENT" and error.message.startswith(line)


class Sitting:
    """A terminal in which somebody types."""

    def __init__(self, *typed):
        self.shown = []
        self._typed = list(typed)
        self._answered = 0

    def show(self, question):
        self.shown.append(question.nodes)

    def heard(self):
        if len(self.shown) > self._answered:
            self._answered += 1
            yield self._typed.pop(0)


def test_answers_typed_in_the_terminal_that_runs_it(cloud, master, monkeypatch):
    sitting = Sitting(("confirm", ""), ("skip", "compute1"), ("confirm", "compute2"), ("pause", ""))
    ports = master.ports
    monkeypatch.setattr(master, "ports", lambda: vars(made := ports()).update(terminal=sitting) or made)
    assert refusal(lambda: master.update(confirm="node")).reason == "PAUSED_BY_OPERATOR"
    assert sitting.shown == [["gateway1"], ["compute1"], ["compute2"], ["compute3"]]
    assert cloud.applied == [("services", "gateway1"), ("services", "compute2")]


def test_another_node_typed_in_the_terminal_is_asked_again(cloud, master, monkeypatch):
    sitting = Sitting(
        ("skip", "compute9"), ("confirm", "../compute1"), ("confirm", "gateway1"), ("pause", "")
    )
    ports = master.ports
    monkeypatch.setattr(master, "ports", lambda: vars(made := ports()).update(terminal=sitting) or made)
    assert refusal(lambda: master.update(confirm="node")).reason == "PAUSED_BY_OPERATOR"
    assert sitting.shown == [["gateway1"]] * 3 + [["compute1"]]
    assert master.journal.skipped(master.run.id) == set()


def test_a_node_that_is_left_out_is_not_among_those_that_a_yes_to_its_role_lets_go(cloud, master):
    def answer(question):
        if "compute2" in question.nodes and question.role == "compute":
            control.skip(master.journal, master.lock, "compute2")
        else:
            control.confirm(master.journal, master.lock)

    operator = Operator(master, answer)
    refusal(lambda: master.update(confirm="role"))
    asked = [one[3] for one in operator.asked if one[1:3] == ("services", "compute")]
    assert asked == [COMPUTES, ["compute1", "compute3"]]


def test_a_question_tells_how_long_it_takes_once_that_is_known(cloud, master):
    expected = []

    def look(question):
        expected.append([one.seconds for one in question.comes])
        control.confirm(master.journal, master.lock)

    Operator(master, look)
    master.rollout().stage("services", Given(confirm="node"))
    assert expected[:2] == [[None], [None]] and expected[-1] == [
        31.0
    ]  # apply and verify, of its role by then
