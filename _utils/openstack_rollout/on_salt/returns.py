"""What a minion's return means: did the step succeed, and if not, under which named reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from openstack_rollout.errors import REASONS
from openstack_rollout.rollout.fleet import StepResult

_TEMPLATE = "\n---\n"  # what Salt puts before the text of a template, which may hold secrets


class Called(NamedTuple):
    """What a node said to rollout_call.run; `message` is empty when it gave a value."""

    value: Any
    reason: str = ""
    message: str = ""


def called(node: str, answer: Any) -> Called:
    """Read what rollout_call.run returned; anything else is an error without a reason."""
    if isinstance(answer, Mapping) and "value" in answer:
        return Called(answer["value"])
    if isinstance(answer, Mapping) and "message" in answer:
        return Called(None, _reason(answer), str(answer["message"]) or "it failed without a word")
    text = error_text(answer)
    if text.endswith("is not available."):
        text = f"{text[:-1]}: salt '{node}' saltutil.sync_all brings it."
    return Called(None, "", text)


def facts_outcome(node: str, jid: str, answer: Any) -> StepResult:
    """Read a call of openstack_node.facts. What is in them is not looked at here."""
    found = called(node, answer)
    if not found.message and not isinstance(found.value, Mapping):
        why = f"the facts are no mapping: {found.value!r:.200}"
        return StepResult(node, jid, False, "FACTS_INVALID", why)
    if found.message:
        return StepResult(node, jid, False, found.reason or "NODE_ERROR", found.message)
    return StepResult(node, jid, True, data=dict(found.value))


def hooks_outcome(node: str, jid: str, answer: Any) -> StepResult:
    """Read a call of rollout_hooks.run."""
    found = called(node, answer)
    if found.message:
        return StepResult(node, jid, False, found.reason or "HOOK_FAILED", found.message)
    hooks = found.value.get("hooks", {}) if isinstance(found.value, Mapping) else {}
    return StepResult(node, jid, True, message="; ".join(f"{name}: {how}" for name, how in hooks.items()))


def state_outcome(node: str, jid: str, answer: Any) -> StepResult:
    """Read a state run: every state must have succeeded; a list or a string is an error before the first
    state.
    """
    states = sorted(answer.values(), key=_run_number) if isinstance(answer, Mapping) else []
    if not states or not all(isinstance(state, Mapping) and "result" in state for state in states):
        return StepResult(node, jid, False, "APPLY_FAILED", error_text(answer))
    failed = [state for state in states if state["result"] is False]
    if not failed:
        return StepResult(node, jid, True, message="; ".join(_said(states)))
    # The states that only fell because of another one say nothing of the cause.
    first = next((state for state in failed if state.get("__state_ran__") is not False), failed[0])
    comment = first.get("comment")
    text = " ".join(comment) if isinstance(comment, list) else str(comment)
    if reason := _reason(first):
        return StepResult(node, jid, False, reason, text.removeprefix(f"{reason}: "))
    name = first.get("__id__") or first.get("name") or "a state"
    return StepResult(node, jid, False, "APPLY_FAILED", f"{name}: {text}")


def _said(states: Iterable[Mapping[str, Any]]) -> list[str]:
    """What guards say of how services came back, e.g. a database member that had to be copied."""
    changes = [change for state in states for change in (state.get("changes") or {}).values()]
    return [str(change["said"]) for change in changes if isinstance(change, Mapping) and change.get("said")]


def changes_of(answer: Any) -> list[dict[str, Any]]:
    """What a state run with test=True would change: [{"state", "comment", "changes", "fails"}], in its order.

    fails: the state says already now that it cannot be. A run that could not be rendered is one entry that
    fails, with its error as comment.
    """
    if not isinstance(answer, Mapping):
        return [{"state": "", "comment": error_text(answer), "changes": {}, "fails": True}]
    found = []
    for state in sorted(answer.values(), key=_run_number):
        if isinstance(state, Mapping) and state.get("result") is not True:
            name = str(state.get("__id__") or state.get("name"))
            found.append(
                {
                    "state": name,
                    "comment": str(state.get("comment")),
                    "changes": state.get("changes") or {},
                    "fails": state.get("result") is False,
                }
            )
    return found


def _reason(answer: Mapping[str, Any]) -> str:
    """The field of that name; "" without one, or for a word that this master does not know."""
    reason = str(answer.get("reason"))
    return reason if reason in REASONS else ""


def _run_number(state: Any) -> int:
    return state.get("__run_num__", 0) if isinstance(state, Mapping) else 0


def _rendering_error(text: str) -> str:
    """The cause alone; the template around it, which may hold options, never."""
    return text.partition(_TEMPLATE)[0].strip()


def error_text(answer: Any) -> str:
    """An error as the minion tells it: of a traceback, its last line says what is wrong."""
    if isinstance(answer, list):
        return " ".join(_rendering_error(str(part)) for part in answer)
    text = str(answer).strip() or "the minion returned nothing"
    if "Traceback (most recent call last)" in text:
        return text.splitlines()[-1].strip()
    return text
