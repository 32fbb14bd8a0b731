"""Salt jobs on single minions: publish, and wait for each as long as its minion gives signs of life.

There is no time-out on work, only on silence: a state run may take an hour as long as its minion says that it
runs. Whatever a minion sends is a sign of life; one with `ping_interval` gives it by itself, however busy its
node is. Signs of life queue before the master's worker threads as all else does: while the master is slow, no
minion's silence counts. An event may be lost (a full queue, a restarted master), so the job cache is read as
well. A minion that does not know a job that it was given has been restarted in the middle of it, where it is
another process than before; else the job has ended, and its return may still come: a minion that was held up
delivers it late. Or it was dropped: Salt 3008 does that with what comes while a minion connects anew. What
may be done twice is published again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import salt.client
import salt.utils.event
import salt.utils.jid
from salt.exceptions import AuthenticationError, AuthorizationError, SaltClientError, SaltException

from openstack_rollout.errors import RolloutError

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
LOOK_AFTER_ADOPTION = 2.0
_MOMENT = 0.5  # seconds for a publication, of a master that keeps up
AGAIN_AFTER = 15.0
# What a minion's own process tells the master, under an id that the master has checked.
_PING, _BEACON = "minion_ping", "salt/beacon/"


class Call(NamedTuple):
    """An execution module's function with its arguments.

    again: it may be published once more where nobody knows what became of it.
    """

    function: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = {}
    again: bool = False


# Of one function: state runs of Salt, which look at what else runs, fail beside a job of several.
_ASKS, _RUNS, _WHO = Call("rollout_call.run", ("rollout_job.running",)), "value", "minion"


class Ended(NamedTuple):
    """A job that ended on a node: with the minion's answer, or under a reason with a message.

    node (str): minion id. jid (str). answer: the return as it came. reason (str): NODE_SILENT or NODE_ERROR,
    empty when there is an answer. asked, heard (float): when it was published, and when its end was heard of,
    seconds since the epoch; 0.0 of a step.
    """

    node: str
    jid: str
    answer: Any = None
    reason: str = ""
    message: str = ""
    asked: float = 0.0
    heard: float = 0.0


@dataclass
class _Job:
    node: str
    jid: str
    silence: float
    heard: float
    call: Call | None = None
    asked: str = ""  # the id under which it was published again
    unknown: float | None = None  # since when its minion does not know it
    published: float = 0.0

    @property
    def ids(self) -> set[str]:
        """Every id under which a return may come."""
        return {self.jid, self.asked or self.jid}


class _Question(NamedTuple):
    """Which jobs do you run, and which process are you? Asked of nodes that are quiet for a while.

    jobs: node → the jobs that it was given by then. asked: when.
    """

    jobs: Mapping[str, Sequence[str]]
    asked: float


class SaltJobs:
    """Publishes jobs and collects their ends. opts (dict): the master's options. Close it when done."""

    def __init__(self, opts: Mapping[str, Any]):
        # The bus comes first: a return that arrives before anybody listens would be lost.
        self._bus = salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True)
        self._bus.connect_pub()
        self._client = salt.client.LocalClient(mopts=opts)
        self._opts = opts
        self._jobs: dict[tuple[str, str], _Job] = {}
        self._questions: dict[str, _Question] = {}
        self._again: dict[str, str] = {}  # the id of a job that was published again → its first one
        self._minions: dict[str, Any] = {}  # which process each one was, when it last told
        self._ended: list[Ended] = []
        self._next_look = 0.0
        self._away = False
        self._signs: dict[str, float] = {}  # when a minion last sent something that is no answer
        self._listened = time.monotonic()
        #: Seconds that the master took to take in the latest publication.
        self.lag = 0.0
        #: Of the run's lock (records.lock.Lock): who lost it publishes nothing again.
        self.refuse_lost: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Leave the event bus."""
        self._client.destroy()
        self._bus.destroy()

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        """Put an event with a tag (str) on the master's bus. While the master is away, it is lost."""
        try:
            self._bus.fire_event(data, tag)
        except (OSError, SaltException) as error:
            log.warning("event %s is lost: %s", tag, error)
            self._bus.close_pull()

    def new_jid(self) -> str:
        """A job id as the master itself would choose it."""
        return salt.utils.jid.gen_jid(self._opts)

    def start(self, silences: Mapping[str, float], call: Call, jid: str) -> None:
        """Publish a call under a job id.

        silences: minion id → seconds that it may give no sign of life. jid (str): of `new_jid`.
        """
        names = list(silences)
        self._expect(silences, jid, LOOK_EVERY, call)
        error = self._publish(names, call, jid)
        if error:
            for name in names:
                self._end(name, jid, reason="NODE_ERROR", message=f"the job was not published: {error}")

    def adopt(self, node: str, jid: str, silence: float) -> None:
        """Wait for a job that another process published, or was about to publish when it ended.

        node (str): minion id. jid (str). silence: seconds that it may give no sign of life.
        """
        self._expect({node: silence}, jid, LOOK_AFTER_ADOPTION)

    def forget(self, node: str, jid: str) -> None:
        """Wait for a job no longer. node (str): minion id. jid (str)."""
        self._jobs.pop((node, jid), None)

    def send(self, nodes: Iterable[str], call: Call) -> None:
        """Publish a call, and wait for no answer. nodes: minion ids."""
        if error := self._publish(list(nodes), call, self.new_jid()):
            log.warning("%s was not published: %s", call.function, error)

    def poll(self, seconds: float) -> list[Ended]:
        """The jobs that ended. Waits up to that many seconds for the first."""
        now = time.monotonic()
        # Nobody listened since the last poll; that is not the nodes' silence.
        self._stand_still(now - self._listened)
        until = now + seconds
        while not self._ended:
            now = time.monotonic()
            if now >= self._next_look:
                self._look(now)
            elif now >= until:
                break
            else:
                self._listen(min(until, self._next_look) - now)
        while self._listen(0):
            pass
        ended, self._ended = self._ended, []
        self._listened = time.monotonic()
        return ended

    def _expect(
        self, silences: Mapping[str, float], jid: str, look_after: float, call: Call | None = None
    ) -> None:
        now = time.monotonic()
        due = now + look_after
        self._next_look = min(self._next_look, due) if self._jobs else due
        for node, silence in silences.items():
            self._jobs[node, jid] = _Job(node, jid, silence, now, call, published=now)

    def _stand_still(self, seconds: float) -> None:
        """Lay so many seconds to no node's account."""
        now = time.monotonic()
        for job in self._jobs.values():
            job.heard = min(now, job.heard + seconds)
            if job.unknown is not None:
                job.unknown = min(now, job.unknown + seconds)

    def _publish(self, nodes: list[str], call: Call, jid: str) -> str:
        """Publish to a list of minions; what went wrong, or nothing."""
        began = time.monotonic()
        try:
            return self._hand_over(nodes, call, jid)
        finally:
            self.lag = time.monotonic() - began
            if self.lag > _MOMENT:
                # An answer waits for the master as long as the question did.
                self._stand_still(2 * self.lag)

    def _hand_over(self, nodes: list[str], call: Call, jid: str) -> str:
        try:
            self._client.run_job(
                nodes,
                call.function,
                [list(one) if isinstance(one, tuple) else one for one in call.arguments],
                tgt_type="list",
                kwarg=dict(call.keywords),
                jid=jid,
            )
        except (SaltClientError, AuthenticationError, AuthorizationError) as error:
            return str(error)
        return ""

    def _listen(self, seconds: float) -> bool:
        """Take in one event; False when there was none. seconds: how long to wait, 0 for not at all."""
        started = time.monotonic()
        event = self._bus.get_event(
            wait=seconds, tag="", full=True, no_block=seconds <= 0, auto_reconnect=True
        )
        if event is None:
            # A bus that is gone answers at once: wait here instead of turning in circles.
            time.sleep(min(0.5, max(0.0, seconds - (time.monotonic() - started))))
            return False
        if event["tag"] == "salt/event/exit":
            raise KeyboardInterrupt
        parts, data = event["tag"].split("/"), event["data"]
        if event["tag"] == _PING or event["tag"].startswith(_BEACON):
            self._signs[data.get("id", "")] = time.monotonic()
        # The tag alone is anybody's to choose: what a minion fires is not the return of another one.
        if len(parts) == 5 and parts[3] == "ret" and data.get("id") == parts[4]:
            self._signs[parts[4]] = time.monotonic()
            self._take(parts[4], parts[2], data.get("return"))
        return True

    def _take(self, node: str, jid: str, answer: Any) -> None:
        jid = self._again.get(jid, jid)
        if (node, jid) in self._jobs:
            if isinstance(answer, Mapping) and isinstance(answer.get("minion"), Mapping):
                self._minions[node] = answer["minion"]
            self._end(node, jid, answer=answer)
            return
        if question := self._questions.get(jid):
            given = [
                self._jobs[node, one] for one in question.jobs.get(node, ()) if (node, one) in self._jobs
            ]
            self._judge(node, given, answer)

    def _judge(self, node: str, jobs: Iterable[_Job], answer: Any) -> None:
        """Take in which jobs a node says that it runs. jobs: those that it was given."""
        told = answer if isinstance(answer, Mapping) else {_RUNS: []}
        another = self._is_another(node, told.get(_WHO))
        for job in jobs:
            job.heard = time.monotonic()
            if _RUNS in told:  # else it could not tell: its modules are older
                job.unknown = None if job.ids & set(told[_RUNS]) else job.unknown or job.heard
            if another and job.unknown is not None:
                self._give_up(job, "lost its job: restarted in the middle of it")

    def _is_another(self, node: str, minion: Any) -> bool:
        """Whether a minion is another process than when it last told; one that does not tell is none."""
        if not isinstance(minion, Mapping):
            return False
        before, self._minions[node] = self._minions.get(node, minion), minion
        return bool(before != minion)

    def _give_up(self, job: _Job, message: str) -> None:
        """End a job that its minion does not know, unless its return is in the job cache."""
        self._read_cache([job])
        if (job.node, job.jid) in self._jobs:
            self._end(job.node, job.jid, reason="NODE_ERROR", message=message)

    def _end(self, node: str, jid: str, **how: Any) -> None:
        del self._jobs[node, jid]
        self._ended.append(Ended(node, jid, **how))

    def _look(self, now: float) -> None:
        """Read the job cache for lost events, ask quiet nodes whether they still run their job, end the jobs
        of silent ones.
        """
        jobs = list(self._jobs.values())
        every = min([LOOK_EVERY, *(max(1.0, job.silence / 4) for job in jobs)])
        # A minion that knows its job has not returned, and one that was just asked did neither.
        self._read_cache(
            job for job in jobs if job.call is None or job.unknown is not None or self._is_silent(job, now)
        )
        for job in list(self._jobs.values()):
            if self._is_silent(job, now):
                message = f"no sign of life for {job.silence:.0f} s"
                self._end(job.node, job.jid, reason="NODE_SILENT", message=message)
            elif job.unknown is not None and now - job.unknown > job.silence:
                self._give_up(job, f"its job ended, and no return came for {job.silence:.0f} s")
            elif job.unknown is not None and now - max(job.unknown, job.published) > AGAIN_AFTER:
                self._publish_again(job, now)
        quiet = min(every, LOOK_AFTER_ADOPTION)
        self._ask([job for job in self._jobs.values() if now - job.heard >= quiet], now)
        oldest = now - max([0.0, *(job.silence for job in jobs)])
        self._questions = {jid: asked for jid, asked in self._questions.items() if asked.asked >= oldest}
        # From its end on: to ask may take longer than that, and answers are heard between two looks.
        self._next_look = time.monotonic() + every

    def _is_silent(self, job: _Job, now: float) -> bool:
        return now - max(job.heard, self._signs.get(job.node, 0.0)) > job.silence

    def _publish_again(self, job: _Job, now: float) -> None:
        """Publish a job once more that its minion does not know: itself, or its return, was dropped."""
        if job.call is None or not job.call.again:
            return
        try:
            self.refuse_lost()
        except RolloutError as error:
            log.warning("%s: %s is not published again: %s", job.node, job.jid, error)
            return
        log.warning("%s: %s is published again: no return came", job.node, job.jid)
        job.asked, job.published = self.new_jid(), now
        self._again[job.asked] = job.jid
        self._publish([job.node], job.call, job.asked)

    def _ask(self, jobs: list[_Job], now: float) -> None:
        """Ask the nodes of some jobs what they run, all of them at once."""
        if not jobs:
            return
        given: dict[str, list[str]] = {}
        for job in jobs:
            given.setdefault(job.node, []).append(job.jid)
        question = self.new_jid()
        self._questions[question] = _Question(given, now)
        error = self._publish(list(given), _ASKS, question)
        if error and not self._away:
            log.warning("waiting for the master: %s", error)
        self._away = bool(error)
        if error:
            # Without a master nobody can give a sign of life; the clock stands still until it is back.
            for job in jobs:
                job.heard = time.monotonic()

    def _read_cache(self, jobs: Iterable[_Job]) -> None:
        """Take returns out of the master's job cache: their events may have been lost."""
        waiting: dict[str, set[str]] = {}
        for job in jobs:
            for jid in job.ids:
                waiting.setdefault(jid, set()).add(job.node)
        for jid, nodes in waiting.items():
            found = self._client.returners[f"{self._opts['master_job_cache']}.get_jid"](jid) or {}
            first = self._again.get(jid, jid)
            for node in nodes & found.keys():
                if (node, first) in self._jobs:
                    self._end(node, first, answer=found[node].get("return"))
