"""What a minion's return means: whether the step succeeded, and if not, under which reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.on_salt.jobs import Ended
from openstack_rollout.rollout.fleet import StepResult

_TEMPLATE = "\n---\n"  # what Salt puts before the text of a template, which may hold secrets

Told = TypeVar("Told")


class CallResult(NamedTuple):
    """What a node answered to rollout_call.run.

    value: what the function returned, None when it failed. reason (str): a word of errors.REASONS, empty for
    an error without one. message (str): the error, empty when there is a value. transient, retry_after,
    waited: as of StepResult.
    """

    value: Any
    reason: str = ""
    message: str = ""
    transient: bool | None = None
    retry_after: float = 0.0
    waited: bool = False


def read_call(node: str, answer: Any) -> CallResult:
    """Read what rollout_call.run returned. Anything else is an error without a reason.

    node (str): minion id, for the message. answer: the return as it came.
    """
    if isinstance(answer, Mapping) and "value" in answer:
        return CallResult(answer["value"])
    if isinstance(answer, Mapping) and "message" in answer:
        said = str(answer["message"]) or "it failed without a word"
        return CallResult(None, _reason(answer), said, *_passing(answer))
    text = error_text(answer)
    if text.endswith("is not available."):
        text = f"{text[:-1]}: salt '{node}' saltutil.sync_all brings it."
    return CallResult(None, "", text)


def heard(ended: Ended, read: Callable[[str, Any], Told]) -> Told:
    """What a node that was asked by rollout_call.run has told.

    ended: its job. read (callable): checks the answer of a node (its id). Raises RolloutError with why
    nothing is known, and what `read` raises.
    """
    answer = read_call(ended.node, ended.answer)
    if ended.reason:
        raise RolloutError(ended.reason, ended.message, [ended.node])
    if answer.message:
        raise RolloutError(answer.reason or "NODE_ERROR", answer.message, [ended.node])
    return read(ended.node, answer.value)


def facts_result(node: str, jid: str, answer: Any) -> StepResult:
    """Read a call of openstack_node.facts. The facts themselves are not checked here.

    node, jid (str): whose step, and its job. answer: the return as it came. Fails under the node's reason,
    FACTS_INVALID or NODE_ERROR.
    """
    found = read_call(node, answer)
    if not found.message and not isinstance(found.value, Mapping):
        why = f"the facts are no mapping: {found.value!r:.200}"
        return StepResult(node, jid, False, "FACTS_INVALID", why)
    if found.message:
        return _failed(node, jid, found, "NODE_ERROR")
    return StepResult(node, jid, True, data=dict(found.value))


def hooks_result(node: str, jid: str, answer: Any) -> StepResult:
    """Read a call of rollout_hooks.run.

    node, jid (str): whose step, and its job. answer: the return as it came. Fails under the node's reason or
    HOOK_FAILED.
    """
    found = read_call(node, answer)
    if found.message:
        return _failed(node, jid, found, "HOOK_FAILED")
    hooks = found.value.get("hooks", {}) if isinstance(found.value, Mapping) else {}
    return StepResult(node, jid, True, message="; ".join(f"{name}: {how}" for name, how in hooks.items()))


def state_result(node: str, jid: str, answer: Any) -> StepResult:
    """Read a state run: every state must have succeeded.

    node, jid (str): whose step, and its job. answer: the return as it came. A list or a string in its place
    is an error that came before the first state. Fails under the failed state's reason or APPLY_FAILED.
    """
    states = sorted(answer.values(), key=_run_number) if isinstance(answer, Mapping) else []
    if not states or not all(isinstance(state, Mapping) and "result" in state for state in states):
        return StepResult(node, jid, False, "APPLY_FAILED", error_text(answer))
    failed = [state for state in states if state["result"] is False]
    if not failed:
        return StepResult(node, jid, True, message="; ".join(_said(states)))
    # A state that failed only because of another one does not tell the cause.
    first = next((state for state in failed if state.get("__state_ran__") is not False), failed[0])
    comment = first.get("comment")
    text = " ".join(comment) if isinstance(comment, list) else str(comment)
    if reason := _reason(first):
        found = CallResult(None, reason, text.removeprefix(f"{reason}: "), *_passing(first))
        return _failed(node, jid, found, reason)
    name = first.get("__id__") or first.get("name") or "a state"
    return StepResult(node, jid, False, "APPLY_FAILED", f"{name}: {text}")


def _said(states: Iterable[Mapping[str, Any]]) -> list[str]:
    """What guards say of how services came back, e.g. a database member that had to be copied; and warnings,
    e.g. of a package that could not go back.
    """
    states = list(states)
    changes = [change for state in states for change in (state.get("changes") or {}).values()]
    said = [str(change["said"]) for change in changes if isinstance(change, Mapping) and change.get("said")]
    return [*said, *(str(line) for state in states for line in state.get("warnings") or ())]


def changes_of(answer: Any) -> list[dict[str, Any]]:
    """What a state run with test=True would change: [{"state", "comment", "changes", "fails"}], in its order.

    answer: the return as it came. `fails` (bool): the state fails already in the dry run. A run that could
    not be rendered is one entry that fails, with its error as comment.
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
    """The answer's reason. Empty when it has none, or one that this master does not know."""
    reason = str(answer.get("reason"))
    return reason if reason in REASONS else ""


def _passing(answer: Mapping[str, Any]) -> tuple[bool | None, float, bool]:
    """What a failure says of itself: whether it passes, None for nothing; how long a server is left alone;
    whether it was waited for.
    """
    transient, seconds = answer.get("transient"), answer.get("retry_after")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        seconds = 0.0
    known = transient if isinstance(transient, bool) else None
    return known, float(seconds), answer.get("waited") is True


def _failed(node: str, jid: str, found: CallResult, reason: str) -> StepResult:
    """The step that failed so. reason (str): where it has none of its own."""
    return StepResult(
        *(node, jid, False, found.reason or reason, found.message),
        transient=found.transient,
        retry_after=found.retry_after,
        waited=found.waited,
    )


def _run_number(state: Any) -> int:
    return state.get("__run_num__", 0) if isinstance(state, Mapping) else 0


def _rendering_error(text: str) -> str:
    """The cause alone, never the template around it, which may hold secrets."""
    return text.partition(_TEMPLATE)[0].strip()


def error_text(answer: Any) -> str:
    """An error in the minion's words (str). Of a traceback, its last line alone.

    answer: a return that is not what was asked for: a text, a list of texts, anything.
    """
    if isinstance(answer, list):
        return " ".join(_rendering_error(str(part)) for part in answer)
    text = str(answer).strip() or "the minion returned nothing"
    if "Traceback (most recent call last)" in text:
        return text.splitlines()[-1].strip()
    return text
