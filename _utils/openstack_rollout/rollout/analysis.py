"""Gates that a cloud's own monitoring keeps: what has to hold before nodes go, and while canaries soak.

A gate is asked again and again until it is known: it succeeded often enough, it failed too often, or it told
nothing for too long. What was known is known for one interval; nothing is kept of it: whoever goes on asks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from openstack_rollout.declared.gates import Gate
from openstack_rollout.declared.matchers import Matcher
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError, one_line, some
from openstack_rollout.monitoring.contract import Monitor, NoAnswer
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import Inquiry

WAIT = 2.0  # seconds for which an answer is waited for; it is looked at again later
_NEVER = float("-inf")
#: Labels that say of what an alert is; the others do not get into a line.
_TELLING = ("instance", "node", "host", "service", "job", "severity")


def judge(where: str, gate: Gate, monitor: Callable[[], Monitor]) -> RolloutError | None:
    """Ask a gate once. Returns None where it succeeds, a NoAnswer where it tells nothing, else why it fails.

    where (str): what it is called. monitor: makes what it is asked with.
    """
    try:
        if gate.query is not None:
            return _judge_query(where, gate, gate.query, monitor())
        return _judge_alerts(where, gate, gate.alerts or (), monitor())
    except NoAnswer as error:
        return NoAnswer(f"{where}: {error.message}", error.passes)
    except Exception as error:  # whatever it is, nothing is known
        return NoAnswer(f"{where}: {one_line(f'{type(error).__name__}: {error}')}")


class Analysis:
    """One gate, asked until it is known. where (str): what it is called. ask: asks it once, as of judge.
    monotonic (seconds).
    """

    def __init__(
        self, where: str, gate: Gate, ask: Callable[[], RolloutError | None], monotonic: Callable[[], float]
    ):
        self.where = where
        self.wrong: RolloutError | None = None  # what it told last, where that was no success
        self._gate = gate
        self._ask = ask
        self._monotonic = monotonic
        self._inquiry: Inquiry[RolloutError | None] | None = None
        self._asked = _NEVER
        self._since = 0.0  # from when on its time is counted
        self._row = self._failures = 0

    def ask(self, lasting: bool = False) -> None:
        """Ask it, where it is time to. lasting: as of passes."""
        now = self._monotonic()
        if self._inquiry or now - self._asked < self._gate.interval:
            return
        known = self._row >= self._gate.consecutive_success
        forgotten = now - self._asked > self._gate.interval + self._gate.timeout
        if forgotten or (known and not lasting):
            self._since, self._row, self._failures, self.wrong = now, 0, 0, None
        self._asked = now
        self._inquiry = Inquiry(self._ask)

    def passes(self, lasting: bool = False, wait: float | None = None) -> bool:
        """Whether it succeeded as often as it has to, the last time just now; False while that is not known.

        lasting: it has to hold for a while: what failed before is not forgotten by a success. wait: seconds
        for its answer, WAIT by default. Raises the RolloutError under which no node may start any more.
        """
        self.ask(lasting)
        if self._inquiry:
            ended = self._inquiry.ended(WAIT if wait is None else wait)
            waited = self._monotonic() - self._asked
            if not ended and waited < self._gate.timeout:
                return False
            told = self._inquiry.answer() if ended else NoAnswer(f"{self.where}: no answer")
            self._inquiry = None
            self._take_in(told, lasting)
        return self._row >= self._gate.consecutive_success

    def _take_in(self, told: RolloutError | None, lasting: bool) -> None:
        now = self._monotonic()
        if told is None:
            self._row += 1
            self._since = now if lasting else self._since
            return
        self._row, self.wrong = 0, told
        late = now - self._since >= self._gate.timeout
        if isinstance(told, NoAnswer):
            if late or not told.passes:
                waited = f" (for {now - self._since:.0f} s)" if late else ""
                raise RolloutError(told.reason, told.message + waited)
            return
        self._failures += 1
        if late or self._failures > self._gate.failure_limit:
            more = f" (failed {self._failures} times)" if self._failures > 1 else ""
            raise RolloutError(told.reason, told.message + more)


class Watch:
    """The gates of some nodes, all of which have to hold. A Capacity. tell: told once why nodes wait."""

    def __init__(self, analyses: Sequence[Analysis], tell: Callable[[RolloutError], None] = lambda _: None):
        self._analyses = analyses
        self._tell = tell
        self._told: set[str] = set()

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """away: the nodes in flight. waiting: those that would start.

        Raises the RolloutError under which none may start any more.
        """
        return len(away) + (len(waiting) if self.holds() else 0)

    def holds(self, lasting: bool = False) -> bool:
        """Whether all of them hold now, as far as is known. lasting: as of Analysis.passes. Raises as it."""
        for one in self._analyses:
            one.ask(lasting)  # together: none waits for another one's answer
        left = _together()
        held = [one.passes(lasting, left()) for one in self._analyses]
        for one, passes in zip(self._analyses, held, strict=True):
            if passes:
                self._told.discard(one.where)
            elif one.wrong and one.where not in self._told:
                self._told.add(one.where)
                self._tell(one.wrong)
        return all(held)

    def soak(self) -> None:
        """Look at them while canaries soak. Raises as `holds`."""
        self.holds(lasting=True)


def of_roles(model: Model, roles: Iterable[str], ports: Ports) -> list[Analysis]:
    """The gates of roles, those that are alike once."""
    gates: list[tuple[str, Gate]] = []
    for role in dict.fromkeys(roles):
        for name, gate in model.policies.of(role).gates.items():
            if not any(gate == known for _, known in gates):
                gates.append((f"gate {role}:{name}", gate))

    def analysis(where: str, gate: Gate) -> Analysis:
        made: list[Monitor] = []

        def monitor() -> Monitor:
            if not made:
                made.append(ports.monitor(model.monitoring))
            return made[0]

        return Analysis(where, gate, lambda: judge(where, gate, monitor), ports.monotonic)

    return [analysis(where, gate) for where, gate in gates]


def watch(
    model: Model, roles: Iterable[str], ports: Ports, tell: Callable[[RolloutError], None]
) -> Watch | None:
    """What watches the gates of roles, None where they have none. tell: as of Watch."""
    analyses = of_roles(model, roles, ports)
    return Watch(analyses, tell) if analyses else None


def refusals(analyses: Iterable[Analysis], rest: Callable[[], object], halted: Halted) -> list[RolloutError]:
    """Ask gates until all are known; returns why those fail that do.

    rest: lets a moment pass. halted: asked meanwhile; what it returns is raised.
    """
    left, found = list(analyses), []
    while left:
        for one in left:
            one.ask()
        wait = _together()
        for one in list(left):
            try:
                if one.passes(wait=wait()):
                    left.remove(one)
            except RolloutError as error:
                found.append(error)
                left.remove(one)
        if left:
            if halt := halted():
                raise halt
            rest()
    return found


def _together() -> Callable[[], float]:
    """What tells how many seconds are left of WAIT: many servers that hang take no longer than one."""
    until = time.monotonic() + WAIT
    return lambda: max(0.0, until - time.monotonic())


def _judge_query(where: str, gate: Gate, query: str, monitor: Monitor) -> RolloutError | None:
    samples = monitor.series(query)
    bad = [f"{one.value:g}{_labels(one.labels)}" for one in samples if _is_bad(gate, one.value)]
    if bad:
        bounds = {"at_least": gate.at_least, "at_most": gate.at_most}
        good = ", ".join(f"{key} {bound:g}" for key, bound in bounds.items() if bound is not None)
        text = f"{where}: {some(bad)}; good is {good}: {one_line(query, limit=150)}"
        return RolloutError("ANALYSIS_FAILED", text)
    unknown = [f"NaN{_labels(one.labels)}" for one in samples if math.isnan(one.value)]
    if unknown or not samples:
        what = some(unknown) if unknown else "no data"
        return NoAnswer(f"{where}: {what}: {one_line(query, limit=150)}")
    return None


def _is_bad(gate: Gate, value: float) -> bool:
    under = gate.at_least is not None and value < gate.at_least
    return under or (gate.at_most is not None and value > gate.at_most)


def _judge_alerts(
    where: str, gate: Gate, matchers: Sequence[Matcher], monitor: Monitor
) -> RolloutError | None:
    firing = monitor.alerts(matchers, gate.silenced, gate.inhibited)
    if firing:
        named = [
            f"{one.labels.get('alertname', 'an alert')}{_labels(one.labels)} since {one.since[:19]}"
            for one in sorted(firing, key=lambda one: one.since)
        ]
        return RolloutError("ALERT_FIRING", f"{where}: {some(named)}")
    if gate.watchdog and not monitor.alerts(gate.watchdog, silenced=True, inhibited=True):
        wanted = ", ".join(one.text for one in gate.watchdog)
        return NoAnswer(f"{where}: no data: the alert that always fires does not ({wanted})")
    return None


def _labels(labels: Mapping[str, str]) -> str:
    told = [f"{name}={one_line(labels[name], limit=60)}" for name in _TELLING if labels.get(name)]
    return f" ({', '.join(told)})" if told else ""
