"""The fleet as Salt sees it: which function a step is, and what its return means."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import salt.cache
import salt.key
import salt.utils.minions

from openstack_rollout.declared import hooks
from openstack_rollout.on_salt.jobs import Call, Ended, SaltJobs
from openstack_rollout.on_salt.returns import facts_result, hooks_result, read_call, state_result
from openstack_rollout.on_salt.throttle import Throttle
from openstack_rollout.records.lock import Lock
from openstack_rollout.rollout.fleet import Answers, Context, Halted, StepResult, never
from openstack_rollout.screens import masking
from openstack_rollout.vocabulary import in_order

# Seconds: for a node to be measured, and for a job to be ended on it without a sign of life.
ANSWERS_WITHIN = 900.0
ENDS_WITHIN = 20.0
# A number makes a state run wait for an earlier one in its own process, so that it is never taken for lost.
QUEUE = 100
#: Where the master keeps what a target matches by, from what minions told it last.
_KEPT_IN = {"G": "grains", "P": "grains", "S": "grains", "I": "pillar", "J": "pillar"}
#: Salt's lists of keys, as they are called here; the last one counts.
_DENIED = "denied"
_KEYS = {"minions_pre": "pending", "minions_rejected": "rejected", "minions_denied": _DENIED}
_ANOTHER_KEY = "somebody calls in its name with another key than the accepted one: it was denied"
DENIED_SILENCE = 15.0  # seconds, where it is likely that nobody will answer
FACTS = Call("rollout_call.run", ("openstack_node.facts",), {"kwargs": {"fresh": True}}, again=True)


class _Asked(NamedTuple):
    """Under which job a node was asked; since when, by a clock that nobody sets; at which time of day."""

    jid: str
    since: float
    at: float


class Listener(Protocol):
    """Hears the data of events."""

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take in an event."""

    def close(self) -> None:
        """Nothing more comes."""


class SaltFleet:
    """Implements rollout.fleet.Fleet. A context manager, since it listens on the master's event bus.

    opts (dict): the master's options. answers_within (float): seconds that a node may take to answer what it
    is asked (`facts`, `ask`), though its minion gives signs of life.
    """

    def __init__(self, opts: Mapping[str, Any], answers_within: float = ANSWERS_WITHIN):
        self._opts = opts
        self._answers_within = answers_within
        self._jobs = SaltJobs(opts)
        self._steps: dict[str, str] = {}
        self._endings: dict[str, str] = {}
        #: Who else hears what is announced, and is waited for at the end.
        self.listener: Listener | None = None

    def __enter__(self) -> SaltFleet:
        return self

    def __exit__(self, *_: object) -> None:
        if self.listener:
            self.listener.close()
        self._jobs.close()

    def hold_to(self, lock: Lock) -> None:
        """Publish nothing again once this process lost the lock of its run."""
        self._jobs.refuse_lost = lock.refuse_lost

    def members(self, target: str) -> list[str]:
        """The ids of the accepted minions that a compound target (str) matches, the silent ones too."""
        return list(salt.utils.minions.CkMinions(self._opts).check_minions(target, "compound")["minions"])

    def unread(self, target: str, nodes: Iterable[str]) -> list[str]:
        """Those of some nodes (ids) of which the master keeps no grains, or no pillar, where a compound
        target (str) asks for them: such a one is taken for having none, so that `not G@…` matches it.
        """
        asked = {_KEPT_IN[one] for one in _engines(target, self._opts) if one in _KEPT_IN}
        if not asked:
            return []
        cache = salt.cache.factory(self._opts)
        known = [set(cache.list(bank)) for bank in asked]
        return in_order(node for node in nodes if not all(node in some for some in known))

    def keys(self) -> dict[str, str]:
        """The keys that are not accepted: {minion id: pending, rejected or denied}."""
        listed = salt.key.get_key(self._opts).list_keys()
        return {node: state for name, state in _KEYS.items() for node in listed[name]}

    def facts(self, silences: Mapping[str, float], refresh: bool = False, halted: Halted = never) -> Answers:
        """Ask nodes for openstack_node.facts, as many of them with one job as the master serves at once.

        silences: minion id → seconds without a sign of life after which it counts as silent. refresh: whether
        nodes ask their package repositories anew. halted: asked meanwhile; what it returns is raised, and
        nobody waits any longer.
        """
        facts, failures = {}, {}
        denied = [node for node, key in self.keys().items() if key == _DENIED and node in silences]
        silences = {**silences, **{node: min(silences[node], DENIED_SILENCE) for node in denied}}
        call = FACTS._replace(keywords={"kwargs": {"fresh": True, "refresh": True}}) if refresh else FACTS
        for ended in self.ask(silences, call, halted):
            result = _result(ended, "verify")
            if result.succeeded:
                facts[result.node] = dict(result.data)
            else:
                failures[result.node] = (result.reason, result.message)
        for node in denied:
            if node in failures and failures[node][0] == "NODE_SILENT":
                failures[node] = ("KEY_DENIED", f"it gave no sign of life, and {_ANOTHER_KEY}")
        return Answers(facts, failures)

    def dry_run(self, silences: Mapping[str, float], stage: str) -> list[Ended]:
        """Apply a stage's node state with test=True on many nodes at once. The returns as they come.

        silences: as of `facts`. stage (str).
        """
        return self.ask(silences, Call("state.sls", (f"openstack.{stage}",), {"test": True, "queue": QUEUE}))

    def ask(
        self,
        silences: Mapping[str, float],
        call: Call,
        halted: Halted = never,
        *,
        within: float | None = None,
    ) -> list[Ended]:
        """Publish one call to many nodes and wait until each has answered or counts as lost.

        silences, halted: as of `facts`. within: seconds that a node may take, instead of the fleet's own. A
        node that takes too long has its job ended, and counts as STEP_TIMEOUT. Not to be used while a step is
        under way: its end would be lost.

        Not all are asked at once, but as many as the master serves (throttle.py); a node's time begins when
        it is asked.
        """
        waiting, longest = list(silences), within or self._answers_within
        left: dict[str, _Asked] = {}
        throttle = Throttle(time.monotonic())
        ended: list[Ended] = []
        while waiting or left:
            now = time.monotonic()
            room = throttle.room((one.since for one in left.values()), self._jobs.lag, now) if waiting else 0
            some, waiting = waiting[:room], waiting[room:]
            if some:
                one = _Asked(self._jobs.new_jid(), now, time.time())
                left |= dict.fromkeys(some, one)
                self._jobs.start({node: silences[node] for node in some}, call, one.jid)
            came = self._jobs.poll(1.0)
            answers = [one for one in came if one.node in left]
            ended += [one._replace(asked=left.pop(one.node).at, heard=time.time()) for one in answers]
            throttle.answered(len(answers))
            error, now = halted(), time.monotonic()
            late = {node: one for node, one in left.items() if error or now - one.since > longest}
            for jid in {one.jid for one in late.values()}:
                ended += self._given_up([node for node in late if late[node].jid == jid], jid, longest)
            left = {node: one for node, one in left.items() if node not in late}
            if error:
                raise error
        return ended

    def _given_up(self, nodes: Iterable[str], jid: str, longest: float) -> list[Ended]:
        """Have a job ended on nodes that only tells something, and wait for it no more."""
        for node in nodes:
            self._jobs.forget(node, jid)
        self._jobs.send(nodes, _ending(jid))
        why = f"did not answer within {longest:.0f} s, though its minion does"
        return [Ended(node, jid, reason="STEP_TIMEOUT", message=why) for node in nodes]

    def new_job(self) -> str:
        """A job id as the master itself would choose it."""
        return self._jobs.new_jid()

    def start(self, node: str, step: str, stage: str, jid: str, silence: float, *, context: Context) -> None:
        """Publish a step to one minion.

        node (str): minion id. step, stage (str). jid (str): of `new_job`. silence: seconds that it may
        give no sign of life. context: what the node is told of the run.
        """
        self._steps[jid] = step
        self._jobs.start({node: silence}, _call(step, stage, context), jid)

    def adopt(self, node: str, step: str, stage: str, jid: str, silence: float) -> None:
        """Wait for a job of an engine that ended, published or about to be. Arguments as of `start`."""
        self._steps[jid] = step
        self._jobs.adopt(node, jid, silence)

    def end(self, node: str, step: str, jid: str) -> None:
        """End a step on its node, as far as that is safe there; its end comes out of poll as STEP_TIMEOUT.

        node (str): minion id. step (str). jid (str): of its job.
        """
        self._steps.pop(jid, None)
        self._jobs.forget(node, jid)
        ending = self._jobs.new_jid()
        self._endings[ending] = jid
        self._jobs.start({node: ENDS_WITHIN}, _ending(jid, gently=step == "apply"), ending)

    def poll(self, seconds: float) -> list[StepResult]:
        """The steps that ended. Waits up to that many seconds for the first."""
        return [
            self._given_end(ended)
            if ended.jid in self._endings
            else _result(ended, self._steps.pop(ended.jid, ""))
            for ended in self._jobs.poll(seconds)
        ]

    def _given_end(self, ended: Ended) -> StepResult:
        """What became of a step that was to be ended on its node."""
        jid = self._endings.pop(ended.jid)
        read = read_call(ended.node, ended.answer)
        said = ended.message or read.message
        if not said and isinstance(read.value, Mapping):
            said = str(read.value.get("said"))
        return StepResult(ended.node, jid, False, "STEP_TIMEOUT", said)

    def announce(self, tag: str, data: dict[str, Any]) -> None:
        """Fire an event with a tag (str) and data on the master's bus, without what looks like a secret."""
        told = masking.masked(data)
        self._jobs.fire(tag, told)
        if self.listener:
            self.listener.heard(told)


def _engines(target: str, opts: Mapping[str, Any]) -> set[str]:
    """By what a compound target matches: the letters before its @, of its nodegroups too."""
    words = target.split()
    groups = [word.partition("@")[2] for word in words if word.startswith("N@")]
    for name in groups:
        words += salt.utils.minions.nodegroup_comp(name, opts.get("nodegroups", {}))
    return {word[0] for word in words if "@" in word}


def _call(step: str, stage: str, context: Context) -> Call:
    """What a step of the procedure is in Salt.

    The node reads its pillar when the step begins, which may be after an edit: it is told of the run.
    """
    if step == "verify":
        return FACTS
    if hooks.is_moment(step):
        return Call("rollout_call.run", ("rollout_hooks.run",), {"args": [stage, step]})
    sls = "prefetch" if step == "prefetch" else stage
    run = {
        **{"run": context.run, "rollback": context.rollback, "moved": context.moved},
        **{"target": context.target, "content": dict(context.content)},
        **{"stages": list(context.stages), "drained": context.drained},
    }
    if context.services is not None:
        run["services"] = list(context.services)
    keywords = {"queue": QUEUE, "pillar": {"openstack_rollout": run}}
    return Call("state.sls", (f"openstack.{sls}",), keywords, again=True)


def _ending(jid: str, *, gently: bool = False) -> Call:
    return Call("rollout_call.run", ("rollout_job.end",), {"kwargs": {"jid": jid, "gently": gently}})


def _result(ended: Ended, step: str) -> StepResult:
    if ended.reason:
        return StepResult(ended.node, ended.jid, False, ended.reason, ended.message)
    if hooks.is_moment(step):
        return hooks_result(ended.node, ended.jid, ended.answer)
    read = facts_result if step == "verify" else state_result
    return read(ended.node, ended.jid, ended.answer)
