"""The minions of `make bench-salt`: asked while they work, they tell so, as real ones do."""

import asyncio

import pytest

from tests.bench.simulated_minions import Minion

JOB = "20261201000000000001"


class Requests:
    """The channel to the master: keeps what was sent."""

    def __init__(self):
        self.sent = []

    async def send(self, load):
        self.sent.append(load)


def load(jid, *arguments, function="rollout_call.run"):
    return {"jid": jid, "fun": function, "arg": list(arguments), "tgt_type": "list", "tgt": ["compute1"]}


@pytest.mark.parametrize(
    ("question", "working", "idle"),
    # What is asked is a job, too.
    [(("rollout_job.running",), ["2", JOB], ["3"]), (("saltutil.find_job", [JOB]), {"jid": JOB}, {})],
)
def test_a_minion_tells_which_jobs_it_runs(monkeypatch, question, working, idle):
    minion = Minion({"id": "compute1"}, "1.0.0")
    minion._requests = Requests()
    compiled = asyncio.Event()

    async def pillar():
        await compiled.wait()
        return {}

    monkeypatch.setattr(minion, "_pillar", pillar)

    def told():
        return [one["return"]["value"] for one in minion._requests.sent if one["jid"] != JOB]

    async def story():
        work = asyncio.create_task(minion._do(load(JOB, "openstack.prefetch", function="state.sls")))
        await asyncio.sleep(0)
        await minion._do(load("2", *question))
        compiled.set()
        await work
        await minion._do(load("3", *question))

    asyncio.run(story())
    assert told() == [working, idle]
