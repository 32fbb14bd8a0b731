"""Salt jobs on single minions: publish, and wait for each as long as its minion gives signs of life.

There is no time-out on work, only on silence: a state run may take an hour as long as its minion says that it
runs. An event may be lost (a full queue, a restarted master), so the job cache is read as well. A minion that
does not know a job that it was given has been restarted in the middle of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import salt.client
import salt.utils.event
import salt.utils.jid
from salt.exceptions import AuthenticationError, AuthorizationError, SaltClientError, SaltException

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
LOOK_AFTER_ADOPTION = 2.0
# A minion forgets a job before it delivers the return, and tries that again for some seconds.
UNKNOWN_TOO_OFTEN = 3


class Call(NamedTuple):
    """An execution module's function with its arguments."""

    function: str
    arguments: tuple[str, ...] = ()
    keywords: Mapping[str, Any] = {}


class Ended(NamedTuple):
    """A job that ended on a node: with the minion's answer, or under a reason with a message.

    node (str): minion id. jid (str). answer: the return as it came. reason (str): NODE_SILENT or NODE_ERROR,
    empty when there is an answer.
    """

    node: str
    jid: str
    answer: Any = None
    reason: str = ""
    message: str = ""


@dataclass
class _Job:
    node: str
    jid: str
    silence: float
    heard: float
    unknown: int = 0


class _Question(NamedTuple):
    """Do you run the job of this id? Asked of nodes that have been quiet for a while."""

    jid: str
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
        self._ended: list[Ended] = []
        self._next_look = 0.0
        self._away = False
        self._listened = time.monotonic()

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
        self._expect(silences, jid, LOOK_EVERY)
        error = self._publish(names, call, jid)
        if error:
            for name in names:
                self._end(name, jid, reason="NODE_ERROR", message=f"the job was not published: {error}")

    def adopt(self, node: str, jid: str, silence: float) -> None:
        """Wait for a job that another process published, or was about to publish when it ended.

        node (str): minion id. jid (str). silence: seconds that it may give no sign of life.
        """
        self._expect({node: silence}, jid, LOOK_AFTER_ADOPTION)

    def poll(self, seconds: float) -> list[Ended]:
        """The jobs that ended. Waits up to that many seconds for the first."""
        now = time.monotonic()
        # Nobody listened since the last poll; that is not the nodes' silence.
        for job in self._jobs.values():
            job.heard = min(now, job.heard + now - self._listened)
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

    def _expect(self, silences: Mapping[str, float], jid: str, look_after: float) -> None:
        now = time.monotonic()
        due = now + look_after
        self._next_look = min(self._next_look, due) if self._jobs else due
        for node, silence in silences.items():
            self._jobs[node, jid] = _Job(node, jid, silence, now)

    def _publish(self, nodes: list[str], call: Call, jid: str) -> str:
        """Publish to a list of minions; what went wrong, or nothing."""
        try:
            self._client.run_job(
                nodes,
                call.function,
                list(call.arguments),
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
            wait=seconds, tag="salt/job/", full=True, no_block=seconds <= 0, auto_reconnect=True
        )
        if event is None:
            # A bus that is gone answers at once: wait here instead of turning in circles.
            time.sleep(min(0.5, max(0.0, seconds - (time.monotonic() - started))))
            return False
        if event["tag"] == "salt/event/exit":
            raise KeyboardInterrupt
        parts, data = event["tag"].split("/"), event["data"]
        # The tag alone is anybody's to choose: what a minion fires is not the return of another one.
        if len(parts) == 5 and parts[3] == "ret" and data.get("id") == parts[4]:
            self._take(parts[4], parts[2], data.get("return"))
        return True

    def _take(self, node: str, jid: str, answer: Any) -> None:
        if (node, jid) in self._jobs:
            self._end(node, jid, answer=answer)
            return
        question = self._questions.get(jid)
        if question is None or (node, question.jid) not in self._jobs:
            return
        job = self._jobs[node, question.jid]
        job.heard = time.monotonic()
        job.unknown = 0 if answer else job.unknown + 1
        if job.unknown >= UNKNOWN_TOO_OFTEN:
            self._read_cache([job])
            if (node, job.jid) in self._jobs:
                self._end(
                    node, job.jid, reason="NODE_ERROR", message="lost its job: restarted in the middle of it"
                )

    def _end(self, node: str, jid: str, **how: Any) -> None:
        del self._jobs[node, jid]
        self._ended.append(Ended(node, jid, **how))

    def _look(self, now: float) -> None:
        """Read the job cache for lost events, ask quiet nodes whether they still run their job, end the jobs
        of silent ones.
        """
        jobs = list(self._jobs.values())
        every = min([LOOK_EVERY, *(max(1.0, job.silence / 4) for job in jobs)])
        self._next_look = now + every
        self._read_cache(jobs)
        quiet = [job for job in self._jobs.values() if now - job.heard >= min(every, LOOK_AFTER_ADOPTION)]
        for job in quiet:
            if now - job.heard > job.silence:
                message = f"no sign of life for {job.silence:.0f} s"
                self._end(job.node, job.jid, reason="NODE_SILENT", message=message)
        self._ask([job for job in quiet if (job.node, job.jid) in self._jobs], now)
        oldest = now - max([0.0, *(job.silence for job in jobs)])
        self._questions = {jid: asked for jid, asked in self._questions.items() if asked.asked >= oldest}

    def _ask(self, jobs: list[_Job], now: float) -> None:
        by_jid: dict[str, list[_Job]] = {}
        for job in jobs:
            by_jid.setdefault(job.jid, []).append(job)
        for jid, some in by_jid.items():
            question = self.new_jid()
            self._questions[question] = _Question(jid, now)
            error = self._publish([job.node for job in some], Call("saltutil.find_job", (jid,)), question)
            if error:
                # Without a master nobody can give a sign of life; the clock stands still until it is back.
                for job in some:
                    job.heard = time.monotonic()
            if error and not self._away:
                log.warning("waiting for the master: %s", error)
            self._away = bool(error)

    def _read_cache(self, jobs: Iterable[_Job]) -> None:
        """Take returns out of the master's job cache: their events may have been lost."""
        waiting: dict[str, set[str]] = {}
        for job in jobs:
            waiting.setdefault(job.jid, set()).add(job.node)
        for jid, nodes in waiting.items():
            found = self._client.returners[f"{self._opts['master_job_cache']}.get_jid"](jid) or {}
            for node in nodes & found.keys():
                if (node, jid) in self._jobs:
                    self._end(node, jid, answer=found[node].get("return"))
