"""Jobs on minions, with a bus and a client in memory and a clock that stands still between events."""

import pytest
from salt.exceptions import SaltClientError

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import jobs as salt_jobs
from openstack_rollout.on_salt.jobs import Call, SaltJobs

APPLY = Call("state.sls", ("openstack.ovn",))
QUESTION = "rollout_call.run"
LOOK = salt_jobs.LOOK_EVERY


class World:
    """One minion per name: busy (tells of its jobs), forgetful (does not know them), old (without what
    tells) or dead (silent).
    """

    def __init__(self):
        self.now = 100.0
        self.minions = {}
        self.returns = []  # (when, tag, answer)
        self.senders = {}  # tag -> who really fired it
        self.cache = {}
        self.master_is_up = True
        self.published = []
        self.running = {}  # node -> the jobs that were published to it
        self.processes = {}  # node -> which process its minion is, where it has our module
        self.lag = 0.0  # seconds for which what comes to the master queues
        self.cache_reads = 0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    # the bus
    def connect_pub(self):
        return True

    def destroy(self):
        pass

    def get_event(self, wait, tag, full, no_block, auto_reconnect):
        due = sorted(entry for entry in self.returns if entry[0] <= self.now + (0 if no_block else wait))
        if not due:
            self.now += 0 if no_block else wait
            return None
        self.returns.remove(due[0])
        self.now = max(self.now, due[0][0])
        sender = self.senders.get(due[0][1], due[0][1].rpartition("/")[2])
        return {"tag": due[0][1], "data": {"id": sender, "return": due[0][2]}}

    # the client
    def run_job(self, nodes, function, arguments, tgt_type, kwarg, jid):
        self.now += self.lag
        if not self.master_is_up:
            raise SaltClientError("The salt master could not be contacted. Is master running?")
        self.published.append((function, tuple(nodes)))
        if function != QUESTION:
            for node in nodes:
                self.running.setdefault(node, []).append(jid)
            return
        for node in nodes:
            if self.minions[node] != "dead":
                assert arguments == ["rollout_job.running"]
                told = {"value": self.running.get(node, []) if self.minions[node] == "busy" else []}
                if self.minions[node] == "old":
                    told = {"reason": "", "message": "rollout_job.running is not available"}
                answer = {**told, "minion": self.processes.get(node)}
                self.returns.append((self.now + 0.1 + self.lag, f"salt/job/{jid}/ret/{node}", answer))

    @property
    def returners(self):
        return {"local_cache.get_jid": self._get_jid}

    def _get_jid(self, jid):
        self.cache_reads += 1
        return self.cache.get(jid, {})


@pytest.fixture
def world(monkeypatch):
    world = World()
    monkeypatch.setattr(salt_jobs, "time", world)
    monkeypatch.setattr(salt_jobs.log, "disabled", True)
    monkeypatch.setattr(salt_jobs.salt.utils.event, "get_master_event", lambda *_, **__: world)
    monkeypatch.setattr(salt_jobs.salt.client, "LocalClient", lambda **_: world)
    return world


@pytest.fixture
def jobs(world):
    return SaltJobs({"sock_dir": "", "master_job_cache": "local_cache"})


def end_of(jobs, world, limit=3600):
    """Poll as the engine does, until something ended."""
    stop = world.now + limit
    while world.now < stop:
        ended = jobs.poll(1.0)
        if ended:
            return ended
    return []


def test_a_return_ends_the_job(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 60}, APPLY, "1")
    world.returns.append((world.now + 3, "salt/job/1/ret/cmp1", {"all": "well"}))
    assert [(e.node, e.answer) for e in end_of(jobs, world)] == [("cmp1", {"all": "well"})]


def test_returns_of_other_jobs_and_nodes_are_none_of_ours(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 60}, APPLY, "1")
    world.returns += [(world.now, "salt/job/2/ret/cmp1", {}), (world.now, "salt/job/1/ret/cmp2", {})]
    assert end_of(jobs, world, limit=120) == []


def test_a_return_that_another_minion_fires_is_none(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 60}, APPLY, "1")
    forged, real = "salt/job/1/ret/cmp1", {"all": "well"}
    world.senders[forged] = "cmp2"
    world.returns.append((world.now + 3, forged, {"all": "forged"}))
    assert end_of(jobs, world, limit=10) == []
    del world.senders[forged]
    world.returns.append((world.now + 3, forged, real))
    assert [e.answer for e in end_of(jobs, world)] == [real]


def test_a_long_job_with_signs_of_life_is_never_lost(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 20}, APPLY, "1")
    world.returns.append((world.now + 3000, "salt/job/1/ret/cmp1", {"all": "well"}))
    started = world.now
    assert end_of(jobs, world)[0].answer == {"all": "well"} and world.now - started >= 3000


def test_a_dead_minion_is_silent_after_its_silence(jobs, world):
    world.minions["cmp1"] = "dead"
    jobs.start({"cmp1": 20}, APPLY, "1")
    started = world.now
    assert end_of(jobs, world)[0].reason == "NODE_SILENT"
    assert 20 < world.now - started < 30


def test_each_minion_has_a_silence_of_its_own(jobs, world):
    world.minions.update(cmp1="dead", sto1="dead")
    jobs.start({"cmp1": 20, "sto1": 600}, APPLY, "1")
    started = world.now
    assert [ended.node for ended in end_of(jobs, world)] == ["cmp1"] and world.now - started < 30
    assert [ended.node for ended in end_of(jobs, world)] == ["sto1"] and world.now - started > 600


def process(started, boot="a"):
    return {"boot": boot, "started": started}


@pytest.mark.parametrize("again", [process(2), process(1, boot="b")])
def test_a_minion_that_was_restarted_is_found_before_its_silence(jobs, world, again):
    world.minions["cmp1"], world.processes["cmp1"] = "busy", process(1)
    jobs.start({"cmp1": 600}, APPLY, "1")
    assert end_of(jobs, world, limit=30) == []
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", again
    started = world.now
    assert end_of(jobs, world)[0].reason == "NODE_ERROR" and world.now - started < 15


def test_which_process_a_minion_is_was_told_by_an_earlier_call(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(2)
    jobs.start({"cmp1": 600}, APPLY, "1")
    world.returns.append((world.now, "salt/job/1/ret/cmp1", {"value": {}, "minion": process(1)}))
    assert end_of(jobs, world)[0].answer["value"] == {}
    jobs.start({"cmp1": 600}, APPLY, "2")
    started = world.now
    assert end_of(jobs, world)[0].reason == "NODE_ERROR" and world.now - started < 15


@pytest.mark.parametrize("told", [process(1), None])
def test_a_minion_that_was_held_up_delivers_its_return_late(jobs, world, told):
    world.minions["cmp1"], world.processes["cmp1"] = "busy", told
    jobs.start({"cmp1": 60}, APPLY, "1")
    assert end_of(jobs, world, limit=15) == []
    world.minions["cmp1"] = "dead"  # its processes are stopped, and questions wait for them
    assert end_of(jobs, world, limit=40) == []
    world.minions["cmp1"] = "forgetful"
    for question in range(5):
        jobs._questions[f"q{question}"] = salt_jobs._Question({"cmp1": ["1"]}, world.now)
        answer = {"value": [], "minion": told}
        world.returns.append((world.now + 1, f"salt/job/q{question}/ret/cmp1", answer))
    world.returns.append((world.now + 30, "salt/job/1/ret/cmp1", {"all": "well"}))
    assert end_of(jobs, world)[0].answer == {"all": "well"}


def test_a_return_that_never_comes_is_given_up_after_the_silence(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.start({"cmp1": 60}, APPLY, "1")
    started = world.now
    assert end_of(jobs, world)[0].reason == "NODE_ERROR"
    assert 60 < world.now - started < 90


def test_a_lost_event_is_found_in_the_job_cache(jobs, world):
    world.minions["cmp1"] = "forgetful"
    jobs.start({"cmp1": 60}, APPLY, "1")
    world.cache["1"] = {"cmp1": {"return": {"all": "well"}}}
    assert end_of(jobs, world)[0].answer == {"all": "well"}


def test_an_adopted_job_that_ended_meanwhile_is_found_at_once(jobs, world):
    world.minions["cmp1"] = "forgetful"
    world.cache["1"] = {"cmp1": {"return": {"all": "well"}}}
    jobs.adopt("cmp1", "1", 60)
    started = world.now
    assert end_of(jobs, world)[0].answer == {"all": "well"} and world.now - started < 5


def test_an_adopted_job_that_was_never_published_is_given_up(jobs, world):
    world.minions["cmp1"] = "forgetful"
    jobs.adopt("cmp1", "1", 60)
    assert end_of(jobs, world)[0].reason == "NODE_ERROR"


def test_a_master_that_is_away_makes_no_node_silent(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 20}, APPLY, "1")
    world.master_is_up = False
    assert end_of(jobs, world, limit=300) == []
    world.master_is_up = True
    world.returns.append((world.now + 5, "salt/job/1/ret/cmp1", {"all": "well"}))
    assert end_of(jobs, world)[0].answer == {"all": "well"}


def test_a_job_that_cannot_be_published_fails_at_once(jobs, world):
    world.master_is_up = False
    jobs.start({"cmp1": 20, "cmp2": 20}, APPLY, "1")
    ended = end_of(jobs, world)
    assert {e.node for e in ended} == {"cmp1", "cmp2"} and {e.reason for e in ended} == {"NODE_ERROR"}
    assert "Is master running" in ended[0].message


def test_time_in_which_nobody_listened_is_not_the_nodes_silence(jobs, world):
    world.minions["cmp1"] = "busy"
    jobs.start({"cmp1": 30}, APPLY, "1")
    jobs.poll(1.0)
    world.now += 300  # the engine waited for an API
    assert jobs.poll(1.0) == []
    world.minions["cmp1"] = "dead"
    assert [ended.reason for ended in end_of(jobs, world)] == ["NODE_SILENT"]


def test_who_lost_the_lock_publishes_nothing_again(jobs, world):
    def lost():
        raise RolloutError("LOCK_LOST", "another process has it")

    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.refuse_lost = lost
    jobs.start({"cmp1": 120}, APPLY._replace(again=True), "1")
    end_of(jobs, world, limit=45)
    assert [function for function, _ in world.published].count("state.sls") == 1


@pytest.mark.parametrize("again", [True, False])
def test_what_was_dropped_with_the_connection_is_published_again_where_it_may(jobs, world, again):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.start({"cmp1": 120}, APPLY._replace(again=again), "1")
    end_of(jobs, world, limit=45)
    published = [function for function, _ in world.published if function == "state.sls"]
    assert len(published) == (2 if again else 1)
    if again:
        (second,) = jobs._again
        world.minions["cmp1"] = "busy"
        assert end_of(jobs, world, limit=300) == []
        world.returns.append((world.now, f"salt/job/{second}/ret/cmp1", {"all": "well"}))
        (ended,) = end_of(jobs, world)
        assert (ended.jid, ended.answer) == ("1", {"all": "well"})


def test_the_first_return_counts_of_a_job_that_was_published_twice(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.start({"cmp1": 120}, APPLY._replace(again=True), "1")
    end_of(jobs, world, limit=45)
    world.cache["1"] = {"cmp1": {"return": {"all": "well"}}}
    (ended,) = end_of(jobs, world)
    (second,) = jobs._again
    world.returns.append((world.now, f"salt/job/{second}/ret/cmp1", {"all": "twice"}))
    assert (ended.jid, ended.answer) == ("1", {"all": "well"}) and end_of(jobs, world, limit=60) == []


def test_a_job_that_stays_unknown_is_given_up_however_often_it_was_published(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.start({"cmp1": 60}, APPLY._replace(again=True), "1")
    started = world.now
    assert end_of(jobs, world)[0].reason == "NODE_ERROR" and 60 < world.now - started < 90


def test_while_the_master_is_slow_no_minion_is_silent(jobs, world):
    world.minions["cmp1"], world.lag = "busy", 25.0
    jobs.start({"cmp1": 20}, APPLY, "1")
    assert end_of(jobs, world, limit=600) == [] and jobs.lag == 25.0
    world.returns.append((world.now + 60, "salt/job/1/ret/cmp1", {"all": "well"}))
    assert end_of(jobs, world)[0].answer == {"all": "well"}


def test_a_minion_that_is_dead_is_silent_although_the_master_is_slow(jobs, world):
    world.minions["cmp1"], world.lag = "dead", 1.0
    jobs.start({"cmp1": 20}, APPLY, "1")
    assert end_of(jobs, world, limit=120)[0].reason == "NODE_SILENT"


@pytest.mark.parametrize(
    "tag", ["minion_ping", "salt/beacon/cmp1/load/", "salt/job/other/ret/cmp1", "salt/auth", "cmp1/anything"]
)
def test_what_a_minions_own_process_sends_is_a_sign_of_life(jobs, world, tag):
    world.minions["cmp1"] = "dead"  # too busy to begin another process for a question
    jobs.start({"cmp1": 20}, APPLY, "1")
    for second in range(10, 200, 10):
        world.returns.append((world.now + second, tag, {}))
        world.senders[tag] = "cmp1"
    ended = end_of(jobs, world, limit=150)
    # Anybody may fire a tag of their own, and may ask for a key under any id.
    assert [one.reason for one in ended] == (["NODE_SILENT"] if tag in ("salt/auth", "cmp1/anything") else [])


def test_the_job_cache_is_not_read_while_minions_say_that_they_work(jobs, world):
    world.minions.update(cmp1="busy", cmp2="busy")
    jobs.start({"cmp1": 20, "cmp2": 20}, APPLY, "1")
    assert end_of(jobs, world, limit=600) == [] and world.cache_reads == 0


def test_all_nodes_in_flight_are_asked_in_one_publication(jobs, world):
    for number in range(40):
        world.minions[f"cmp{number}"] = "busy"
        jobs.start({f"cmp{number}": 60}, APPLY, str(number))
    world.returns.append((world.now + 200, "salt/job/7/ret/cmp7", {"all": "well"}))
    assert [(one.node, one.reason) for one in end_of(jobs, world, limit=600)] == [("cmp7", "")]
    asked = [nodes for function, nodes in world.published if function == QUESTION]
    assert len(asked) <= 20 and {len(nodes) for nodes in asked} == {40}
    world.minions["cmp8"] = "dead"
    assert [(one.node, one.reason) for one in end_of(jobs, world, limit=300)] == [("cmp8", "NODE_SILENT")]


def test_each_job_of_a_node_is_looked_for(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "busy", process(1)
    jobs.start({"cmp1": 60}, APPLY, "1")
    jobs.start({"cmp1": 60}, APPLY, "2")
    world.running["cmp1"].remove("2")
    ended = end_of(jobs, world, limit=120)
    assert [(one.jid, one.reason) for one in ended] == [("2", "NODE_ERROR")]
    assert end_of(jobs, world, limit=300) == []


def test_a_job_is_not_judged_by_what_was_asked_before_it_was_published(jobs, world):
    world.minions["cmp1"], world.processes["cmp1"] = "forgetful", process(1)
    jobs.start({"cmp1": 60}, APPLY, "1")
    assert end_of(jobs, world, limit=LOOK - 0.5) == []
    jobs._look(world.now + 0.5)  # the answer is on its way
    jobs.start({"cmp1": 60}, APPLY, "2")
    jobs.poll(1.0)
    assert jobs._jobs["cmp1", "2"].unknown is None and jobs._jobs["cmp1", "1"].unknown is not None


def test_who_cannot_tell_of_its_jobs_lives_and_no_more(jobs, world):
    world.minions["cmp1"] = "old"  # its modules were not brought up to date
    jobs.start({"cmp1": 20}, APPLY._replace(again=True), "1")
    world.returns.append((world.now + 300, "salt/job/1/ret/cmp1", {"all": "well"}))
    assert end_of(jobs, world)[0].answer == {"all": "well"}
    assert [function for function, _ in world.published].count("state.sls") == 1


def test_a_master_that_hangs_is_waited_for_once_and_not_for_each_node(jobs, world):
    for number in range(20):
        world.minions[f"cmp{number}"] = "busy"
        jobs.start({f"cmp{number}": 60}, APPLY, str(number))
    world.master_is_up, world.lag = False, 180.0  # what Salt's client waits for an answer
    longest = 0.0
    for _ in range(30):
        began = world.now
        assert jobs.poll(1.0) == []
        longest = max(longest, world.now - began)
    assert 180 <= longest < 190
    world.master_is_up, world.lag = True, 0.0
    assert end_of(jobs, world, limit=300) == []
    world.minions["cmp3"] = "dead"
    assert [(one.node, one.reason) for one in end_of(jobs, world)] == [("cmp3", "NODE_SILENT")]
