import salt.client
from salt.exceptions import SaltClientError

from openstack_rollout.salt_ask import Answer, SaltAsk


def asking(monkeypatch, returns):
    class Client:
        def __init__(self, mopts):
            self.open = True

        def cmd(self, nodes, function, **options):
            assert self.open and options["tgt_type"] == "list" and options["full_return"]
            if isinstance(returns, Exception):
                raise returns
            return returns

        def destroy(self):
            self.open = False

    monkeypatch.setattr(salt.client, "LocalClient", Client)
    return SaltAsk({}).ask(["a", "b", "c"], "ovn_gateway.layout", {"nb": "x"})


def test_every_node_has_an_answer_the_silent_ones_too(monkeypatch):
    raised = "The minion function caused an exception: Traceback (most recent call last):\n  x\nBad: API_DOWN"
    answers = asking(
        monkeypatch, {"a": {"ret": {}, "retcode": 0}, "b": {"ret": raised, "retcode": 1}, "c": False}
    )
    assert answers == {
        "a": Answer({}),
        "b": Answer(None, "Bad: API_DOWN"),
        "c": Answer(None, "no answer"),
    }


def test_a_master_that_is_away_is_an_error_of_each(monkeypatch):
    answers = asking(monkeypatch, SaltClientError("no master"))
    assert all("not published: no master" in answer.error for answer in answers.values())
