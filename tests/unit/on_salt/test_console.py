"""What an operator reads when a command ends otherwise than by success."""

import inspect
import io
import logging

import pytest
from salt.utils.args import get_function_argspec

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import console
from openstack_rollout.on_salt.refusal import Refusal

__context__ = {}  # as Salt's loader gives it to a runner


@pytest.fixture(autouse=True)
def context():
    __context__.clear()
    return __context__


@console.command()
def take_(node, stage=None):
    """Its documentation."""
    if stage == "wrong":
        raise RolloutError("WRONG_ARGUMENT", "wrong is not a stage")
    if stage:
        raise RolloutError("NODE_SILENT", f"{node}: no sign of life")
    return node


@console.command(wait=console.seconds)
def watch(wait=60):
    return wait


@console.command()
def pause():
    return "paused"


def test_a_refusal_is_one_line_with_its_remedy():
    with pytest.raises(Refusal, match=r"^NODE_SILENT: cmp1: no sign of life\. Bring the node .* again\.$"):
        take_("cmp1", stage="ovn")
    assert __context__ == {}


@console.command(target=console.text)
def risks(target):
    return {target: len(target)}[[target]]  # a TypeError, as a fault of ours may be


def test_an_error_of_ours_is_a_refusal_and_its_traceback_is_logged(caplog):
    with pytest.raises(Refusal, match=r"^INTERNAL_ERROR: TypeError: .* Report it .*log") as refused:
        risks("compute")
    assert refused.value.status == 1
    assert "Traceback" in caplog.text and "risks" in caplog.text


@pytest.mark.parametrize("target", [["cmp1"], 1.1, {"a": 1}])
def test_a_word_is_no_number_and_no_list(target):
    assert risks(target=target)["retcode"] == 2


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_one_line_too(signal):
    with (
        pytest.raises(Refusal, match=r"^INTERRUPTED: jobs .* go on\. Run again"),
        console.refusals_as_one_line(),
    ):
        raise signal


@pytest.mark.parametrize(
    ("given", "named", "line"),
    [
        ((), {}, "test_console.take: argument node is missing."),
        (("cmp1",), {"stag": 1}, "test_console.take: no argument stag: did you mean stage?"),
        (("cmp1",), {"x": 1}, "test_console.take: no argument x: it takes node, stage."),
        (("cmp1",), {"node": "cmp2"}, "test_console.take: node was given twice."),
        (("cmp1", "ovn", "now"), {}, "test_console.take: 3 arguments were given, it takes node, stage."),
        (("cmp1", "wrong"), {}, "wrong is not a stage."),
    ],
)
def test_wrong_use_is_one_line_and_exit_status_2(given, named, line):
    answer = take_(*given, **named)
    remedy = "Correct the argument that the message names."
    assert answer == {"Error": f"WRONG_ARGUMENT: {line} {remedy}", "outputter": "rollout", "retcode": 2}
    assert __context__ == {"retcode": 2}, "else an orchestration takes it for success"


def test_a_function_without_arguments_says_so():
    assert "no argument now: it takes none." in pause(now=True)["Error"]


def test_keywords_that_salt_adds_are_not_the_operators():
    assert take_("cmp1", __pub_user="root", __jid__="1") == "cmp1"


@pytest.mark.parametrize("value", ["soon", "1h", -1, True, [1]])
def test_seconds_have_to_be_a_number(value):
    assert f"wait: {value!r} is not a number of seconds" in watch(wait=value)["Error"]


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, []), ("a", ["a"]), ("a, b,c", ["a", "b", "c"]), (["a", "b"], ["a", "b"])],
)
def test_a_list_of_words_is_read_with_commas_or_as_a_list(value, names):
    assert console.names("accept", value) == names


@pytest.mark.parametrize("value", [True, 3, {"a": 1}, "a,,b", "", [1], [["a"]]])
def test_a_list_of_words_has_nothing_else_in_it(value):
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: accept: "):
        console.names("accept", value)


def test_seconds_are_read_and_a_default_is_left():
    assert (watch(3), watch(wait=0.5), watch(wait=None), watch()) == (3.0, 0.5, None, 60)


def test_salt_lets_every_keyword_through_and_still_finds_names_and_documentation():
    spec = get_function_argspec(take_)
    assert (spec.args, spec.defaults, spec.keywords) == (["node", "stage"], (None,), "unknown")
    assert inspect.getdoc(take_) == "Its documentation."


@pytest.fixture
def terminal(monkeypatch):
    """What the root logger's only handler prints."""
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    monkeypatch.setattr(logging.root, "handlers", [handler])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(printed))
    console.hide_salts_own_messages()
    return printed


@pytest.mark.parametrize("name", ["salt.runner", "salt.transport.tcp", "salt.utils.event", "salt.key"])
@pytest.mark.parametrize("ended", [False, True])
def test_unclosed_clients_of_salt_are_no_affair_of_the_operator(terminal, monkeypatch, name, ended):
    if ended:  # Salt has taken its handlers away
        monkeypatch.setattr(logging.root, "handlers", [])
    logging.getLogger(name).warning("unclosed publisher client <salt.transport.tcp.PublishClient>")
    logging.getLogger(name).warning("something else")
    assert terminal.getvalue() == "something else\n"


def test_the_traceback_of_an_error_of_ours_is_off_the_terminal(terminal):
    with pytest.raises(Refusal):
        risks("compute")
    assert terminal.getvalue() == ""


def test_changes_of_a_failed_step_are_printed_once(terminal):
    logging.getLogger("salt.state").error("{'return': 'NODE_SILENT: cmp1: no sign of life.'}")
    logging.getLogger("salt.state").error("Unable to render top file")
    assert terminal.getvalue() == "Unable to render top file\n"


@console.command(break_=console.mapping)
def stop(break_=None):
    return break_


def test_an_argument_that_python_does_not_let_be_called_so():
    assert stop(**{"break": {"before_apply": "cmp1"}}) == {"before_apply": "cmp1"}
    wrong = stop(**{"break": "cmp1"})
    assert wrong["retcode"] == 2 and "break: 'cmp1' is no mapping: '{key: value}'" in wrong["Error"]
    assert "did you mean break" in stop(brek={})["Error"]


@pytest.mark.parametrize("value", ["3", 0, -1, True, 1.5, [1]])
def test_a_count_is_a_whole_number_from_1(value):
    with pytest.raises(RolloutError, match=r"^WRONG_ARGUMENT: keep: .* is not a whole number from 1"):
        console.count("keep", value)
    assert (console.count("keep", 3), console.count("keep", None)) == (3, None)
