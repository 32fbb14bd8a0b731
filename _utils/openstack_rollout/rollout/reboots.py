"""Wait for a node whose minion is renewed, or that is rebooted, between its update and its proof.

Whether one is needed is the node's to say (`reboot_needed`); whether it may be, the policy's and the drain's.
Like drains, this runs in threads of the engine's process.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from types import ModuleType
from typing import Any

from openstack_rollout.declared import facts, words
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Answer, Ask
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.fleet import NothingDue

LOOK_EVERY = 2.0
ANSWER_WITHIN = 10
MINION_WITHIN = 900  # seconds from the end of its job to a minion that answers
CLUSTERS = 900  # seconds for a node's clusters to be whole again
SOON = 60  # a healthy node answers by then
CLOCK_MAY_JUMP = 5.0  # seconds, against those that passed from before the reboot to after it


class Reboots:
    """The reboots of a cloud.

    model (Model): what is declared. ask: how nodes are asked. clock: a module with `monotonic` and `sleep`,
    for tests. refuse_lost: of the lock of the run (records.lock.Lock).
    """

    def __init__(
        self, model: Model, ask: Ask, clock: ModuleType = time, refuse_lost: Callable[[], None] = lambda: None
    ):
        self._model = model
        self._policies = model.policies
        self._nodes = ask
        self._clock = clock
        self._system = model.system
        self._one_member = threading.Lock()
        self._refuse_lost = refuse_lost

    @property
    def wanted(self) -> str:
        """The policy: never, when_required or always (str)."""
        return self._system.reboot

    def reboot(self, node: str, role: str, drained: bool, taken: Collection[str] = ()) -> str:
        """Reboot the node if the policy wants it; returns one line on what was done.

        drained: its workloads were taken away by a drain that succeeded. taken: the kinds of that. Raises
        RolloutError NODE_OCCUPIED, BOOT_NOT_READY, QUORUM_AT_RISK, LOCK_LOST or JOURNAL_FAILED (nothing was
        done), REBOOT_TIMEOUT, QUORUM_NOT_RESTORED, DATAPATH_BROKEN, REBOOT_WITHOUT_EFFECT or NODE_ERROR.
        """
        why = self._value(node, "reboot_needed.evidence", SOON)
        if self.wanted != "always" and not why:
            return NothingDue("no reboot is needed")
        if not self._may_go_as_it_is(role):
            self._refuse_occupied(node, why, drained, taken)
        self.refuse_unready(node)
        with self._as_cluster_member(node, role):
            took = self._rebooted(node, why)
        if left := self._value(node, "reboot_needed.remember_left", SOON, {"before": why}):
            raise RolloutError(
                "REBOOT_WITHOUT_EFFECT",
                f"{node}: rebooted in {took:.0f} s, and still {'; '.join(left)}",
                [node],
            )
        return f"rebooted in {took:.0f} s ({'; '.join(why) or 'the policy reboots always'})"

    def _rebooted(self, node: str, why: list[str]) -> float:
        before = self._value(node, "node_reboot.state")
        offset = float(before["time"]) - self._clock.monotonic()
        self._refuse_lost()  # who was held up may have been followed, and the node have its workloads again
        self._value(node, "node_reboot.start", SOON, {"boot_id": before["boot_id"], "why": why})
        begun = self._clock.monotonic()
        self._wait(node, begun, lambda: self._missing(node, before, offset))
        self._value(node, "datapath.verify", SOON + 60)
        return self._clock.monotonic() - begun

    @contextlib.contextmanager
    def _as_cluster_member(self, node: str, role: str) -> Iterator[None]:
        """Have the node's clusters agree before, and be whole after: whatever the batch, one member at a
        time.
        """
        with self._one_member if self._model.is_control_plane([role]) else contextlib.nullcontext():
            members = self._value(node, "cluster_member.may_stop", keywords={"leave": True})
            try:
                yield
            except RolloutError:
                self._ask(node, "cluster_member.put_right", ANSWER_WITHIN)  # it may never have gone down
                raise
            if members:
                self._value(
                    node, "cluster_member.is_back", keywords={"members": members, "timeout": CLUSTERS}
                )

    def minion(self, node: str) -> str:
        """Wait until the node's minion is renewed, where its update began that; returns one line.

        Raises RolloutError MINION_FAILED.
        """
        begun = self._clock.monotonic()
        while True:
            answer = self._ask(node, "minion_package.state", ANSWER_WITHIN)
            state = answer.value or {}
            if not answer.error and state["state"] != "waiting":
                break
            if self._clock.monotonic() - begun > MINION_WITHIN:
                message = f"{node}: not renewed after {MINION_WITHIN} s {answer.error}"
                raise RolloutError("MINION_FAILED", message.strip(), [node])
            self._clock.sleep(LOOK_EVERY)
        if state["state"] == "none":
            return NothingDue("nothing of Salt was due")
        wrong = state["message"] or _other_version(state["running"], state["installed"])
        if wrong:
            raise RolloutError("MINION_FAILED", f"{node}: {wrong}", [node])
        return f"Salt {state['running']} answers"

    def refuse_silent(self, node: str) -> None:
        """Raise RolloutError NODE_SILENT unless the node's minion answers."""
        answer = self._ask(node, "test.ping", SOON)
        if answer.error:
            raise RolloutError("NODE_SILENT", f"{node}: {answer.error}", [node])

    def rebooted_since(self, node: str, boot_id: str, patience: float) -> bool:
        """Whether a node runs another boot than the given one.

        patience (seconds): how long to wait for one that is going down, or gives no answer.
        """
        begun = self._clock.monotonic()
        while True:
            answer = self._ask(node, "node_reboot.state", ANSWER_WITHIN)
            if not answer.error and answer.value["boot_id"] != boot_id:
                return True
            # Also one that lost the question: its minion was restarted, as it is by a boot.
            away = bool(answer.error) or answer.value.get("stopping", False)
            if not away or self._clock.monotonic() - begun > patience:
                return False
            self._clock.sleep(LOOK_EVERY)

    def refuse_unready(self, node: str) -> None:
        """Raise RolloutError BOOT_NOT_READY when the node's next boot would not start what is wanted; what
        cannot be told refuses nothing.
        """
        found = facts.read(
            node, self._value(node, "openstack_node.facts", SOON, {"fresh": True}), self._model.known_roles
        )
        compared = Comparison(self._model).compare(found, found.roles, None)
        doubts = [words.doubt(one) for one in compared.next_boot if one.refuses]
        if doubts:
            raise RolloutError("BOOT_NOT_READY", f"{node}: {'; '.join(doubts)}", [node])

    def wait_for_boot(self, node: str) -> None:
        """Wait for a node that an earlier engine may have rebooted, and died. Raises RolloutError."""
        self._wait(node, self._clock.monotonic(), lambda: self._missing(node, None, 0.0))

    def _may_go_as_it_is(self, role: str) -> bool:
        return bool(self._policies.of(role).reboot_occupied)

    def _refuse_occupied(self, node: str, why: list[str], drained: bool, taken: Collection[str]) -> None:
        """Raise NODE_OCCUPIED for what no drain took: servers where none was, and what serves data."""
        on_it = [] if drained else list(self._value(node, "node_workloads.found", SOON))
        serving = self._value(node, "node_workloads.stateful", SOON, {"fresh": True})
        on_it += words.serving({kind: names for kind, names in serving.items() if kind not in taken})
        if on_it:
            wants = f"needs a reboot ({'; '.join(why) or 'always'}) and was not drained"
            raise RolloutError("NODE_OCCUPIED", f"{node}: {wants}: {'; '.join(on_it)}", [node])

    def _missing(self, node: str, before: Mapping[str, Any] | None, offset: float) -> str:
        """What keeps the node from being back, as far as it can be told now; empty when it is."""
        answer = self._ask(node, "node_reboot.state", ANSWER_WITHIN)
        if answer.error:
            return f"no answer ({answer.error})"
        known = before or {"boot_id": "", "failed": answer.value["failed"], "unmounted": []}
        wrong = _not_in_order(answer.value, known)
        jump = float(answer.value["time"]) - self._clock.monotonic() - offset
        if not wrong and before and abs(jump) > CLOCK_MAY_JUMP:
            wrong = f"its clock is {jump:+.0f} s from where it was"
        if wrong:
            return wrong
        answer = self._ask(node, "openstack_node.facts", ANSWER_WITHIN * 3, {"fresh": True})
        return answer.error or self._unhealthy(node, answer.value)

    def _unhealthy(self, node: str, answer: Any) -> str:
        """What is broken on the node, by its facts; empty when nothing is."""
        try:
            found = facts.read(node, answer, self._model.known_roles)
            compared = Comparison(self._model).compare(found, found.roles, None)
        except RolloutError as error:
            return error.message
        return "; ".join(words.differences(compared.health, compared))

    def _wait(self, node: str, begun: float, missing: Callable[[], str]) -> None:
        timeout = self._system.reboot_timeout
        while True:
            what = missing()
            if not what:
                return
            if self._clock.monotonic() - begun > timeout:
                raise RolloutError("REBOOT_TIMEOUT", f"{node}: not back after {timeout} s: {what}", [node])
            self._clock.sleep(LOOK_EVERY)

    def _ask(
        self, node: str, function: str, within: int, keywords: Mapping[str, Any] | None = None
    ) -> Answer:
        return self._nodes.ask([node], function, keywords, timeout=within)[node]

    def _value(
        self, node: str, function: str, within: int = SOON, keywords: Mapping[str, Any] | None = None
    ) -> Any:
        answer = self._ask(node, function, within, keywords)
        if answer.error:
            raise RolloutError(answer.reason or "NODE_ERROR", f"{node}: {function}: {answer.error}", [node])
        return answer.value


def _other_version(running: str, installed: str | None) -> str:
    """What is wrong when the Salt that answers is not the installed one."""
    if installed is None or installed.rpartition(":")[2].partition("-")[0].partition("+")[0] == running:
        return ""
    return f"Salt {running} answers, {installed} is installed"


def _not_in_order(state: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """What a boot lacks that the one before it had."""
    if state["boot_id"] == before["boot_id"]:
        return "still runs the boot from before"
    if not state["settled"]:
        return "systemd is still starting units"
    units = [unit for unit in state["failed"] if unit not in before["failed"]]
    lost = [place for place in state["unmounted"] if place not in before["unmounted"]]
    found = [f"failed units: {', '.join(units)}"] if units else []
    return "; ".join(found + ([f"not mounted: {', '.join(lost)}"] if lost else []))
