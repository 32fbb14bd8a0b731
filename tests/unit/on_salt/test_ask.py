import pytest
import salt.client
from salt.exceptions import SaltClientError

from openstack_rollout.drains.contract import Answer
from openstack_rollout.on_salt.ask import SaltAsk


def asking(monkeypatch, returns, function="ovn_gateway.layout", published=None):
    class Client:
        def __init__(self, mopts):
            self.open = True

        def cmd(self, nodes, function, **options):
            assert self.open and options["tgt_type"] == "list" and options["full_return"]
            if published is not None:
                published.append((function, options["kwarg"]))
            if isinstance(returns, Exception):
                raise returns
            return returns

        def destroy(self):
            self.open = False

    monkeypatch.setattr(salt.client, "LocalClient", Client)
    return SaltAsk({}).ask(["a", "b", "c"], function, {"nb": "x"})


def test_every_node_has_an_answer_the_silent_ones_too(monkeypatch):
    told = {"reason": "OVN_UNREACHABLE", "message": "ovn-nbctl: away"}
    answers = asking(
        monkeypatch,
        {"a": {"ret": {"value": {}}, "retcode": 0}, "b": {"ret": told, "retcode": 1}, "c": False},
    )
    assert answers == {
        "a": Answer({}),
        "b": Answer(None, "ovn-nbctl: away", "OVN_UNREACHABLE"),
        "c": Answer(None, "no answer", "NODE_SILENT"),
    }


def test_what_is_not_of_our_making_is_an_error_without_a_reason(monkeypatch):
    raised = "The minion function caused an exception: Traceback (most recent call last):\n  x\nBad: API_DOWN"
    answers = asking(
        monkeypatch,
        {
            "a": {"ret": raised, "retcode": 1},
            "b": {"ret": "'rollout_call.run' is not available.", "retcode": 254},
            "c": {"ret": True, "retcode": 0},
        },
    )
    assert answers["a"] == Answer(None, "Bad: API_DOWN")
    assert answers["b"].error.endswith("salt 'b' saltutil.sync_all brings it.")
    assert answers["c"].error and answers["c"].value is None


@pytest.mark.parametrize(
    ("function", "published"),
    [
        (
            "ovn_gateway.layout",
            ("rollout_call.run", {"function": "ovn_gateway.layout", "kwargs": {"nb": "x"}}),
        ),
        ("test.ping", ("test.ping", {"nb": "x"})),
    ],
)
def test_our_functions_are_asked_for_their_reasons(monkeypatch, function, published):
    seen = []
    answers = asking(monkeypatch, {"a": {"ret": True, "retcode": 0}}, function, seen)
    assert seen == [published]
    assert answers["a"].value is (True if function == "test.ping" else None)


def test_a_master_that_is_away_is_an_error_of_each(monkeypatch):
    answers = asking(monkeypatch, SaltClientError("no master"))
    assert all("not published: no master" in answer.error for answer in answers.values())
