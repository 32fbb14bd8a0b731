"""What a minion's return means: did the step succeed, and if not, under which named reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from openstack_rollout.errors import reason_of
from openstack_rollout.fleet import Outcome

_CONSEQUENCE = "One or more requisite failed"
_OUR_ERROR = re.compile(r"in Jinja template: (?P<cause>[A-Z_]+: .*?)(?:; line \d+)?$", re.S)


def facts_outcome(node: str, jid: str, answer: Any) -> Outcome:
    """Read what openstack_node.facts returned; an error comes as a string."""
    if isinstance(answer, Mapping) and "stages" in answer:
        return Outcome(node, jid, True, data=dict(answer))
    text = error_text(answer)
    if text.endswith("is not available."):
        text = f"{text[:-1]}: salt '{node}' saltutil.sync_all brings it."
    return _failed(node, jid, text, "NODE_ERROR")


def hooks_outcome(node: str, jid: str, answer: Any) -> Outcome:
    """Read what rollout_hooks.run returned; an error comes as a string."""
    if isinstance(answer, Mapping) and "hooks" in answer:
        said = "; ".join(f"{name}: {how}" for name, how in answer["hooks"].items())
        return Outcome(node, jid, True, message=said)
    return _failed(node, jid, error_text(answer), "HOOK_FAILED")


def state_outcome(node: str, jid: str, answer: Any) -> Outcome:
    """Read a state run: every state must have succeeded; a list or a string is an error before the first
    state.
    """
    if not isinstance(answer, Mapping) or not answer:
        return _failed(node, jid, error_text(answer), "APPLY_FAILED")
    states = sorted(answer.values(), key=_run_number)
    if not all(isinstance(state, Mapping) and "result" in state for state in states):
        return _failed(node, jid, error_text(answer), "APPLY_FAILED")
    failed = [state for state in states if state["result"] is False]
    if not failed:
        return Outcome(node, jid, True, message="; ".join(_said(states)))
    # The states that only fell because of another one say nothing of the cause.
    first = next((state for state in failed if _CONSEQUENCE not in str(state.get("comment"))), failed[0])
    comment = first.get("comment")
    text = " ".join(comment) if isinstance(comment, list) else str(comment)
    name = first.get("__id__") or first.get("name") or "a state"
    reason = reason_of(text, "APPLY_FAILED")
    return _failed(node, jid, text if reason != "APPLY_FAILED" else f"{name}: {text}", "APPLY_FAILED")


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


def _failed(node: str, jid: str, text: str, default: str) -> Outcome:
    return Outcome(node, jid, False, reason_of(text, default), text)


def _run_number(state: Any) -> int:
    return state.get("__run_num__", 0) if isinstance(state, Mapping) else 0


def _rendering_error(text: str) -> str:
    """The cause alone when it is one of ours; the template around it, which may hold options, never."""
    text = text.partition("\n---\n")[0].strip()
    cause = _OUR_ERROR.search(text)
    return cause["cause"] if cause else text


def error_text(answer: Any) -> str:
    """An error as the minion tells it: of a traceback, its last line says what is wrong."""
    if isinstance(answer, list):
        return " ".join(_rendering_error(str(part)) for part in answer)
    text = str(answer).strip() or "the minion returned nothing"
    if "Traceback (most recent call last)" in text:
        return text.splitlines()[-1].strip()
    return text
