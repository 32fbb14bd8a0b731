"""The error that code on a node raises: its reason is a field of its own, beside the words for people."""

from __future__ import annotations

from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import REASONS, TRANSIENT, RolloutError


class NodeError(CommandExecutionError):
    """What execution modules raise under a named reason.

    reason (str): a word of errors.REASONS. message (str): what is wrong and where. transient (bool): whether
    it passes by itself; by default as its reason says. retry_after (float): seconds for which a server wants
    to be left alone. waited (bool): whether it was waited for as long as a setting allows.

    As a string it is "REASON: message", which is what `salt` and `salt-call` show.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        transient: bool | None = None,
        retry_after: float = 0.0,
        waited: bool = False,
    ):
        if reason not in REASONS:
            raise ValueError(f"{reason} is not one of the named reasons")
        self.reason = reason
        self.text = message
        self.transient = reason in TRANSIENT if transient is None else transient
        self.retry_after = retry_after
        self.waited = waited
        super().__init__(f"{reason}: {message}")

    def __reduce__(self) -> tuple[type[NodeError], tuple[str, str, bool, float, bool]]:
        return type(self), (self.reason, self.text, self.transient, self.retry_after, self.waited)


def record_of(error: BaseException | None) -> dict[str, Any]:
    """What programs are told of an error beside its message: {} where it has no reason.

    error: any exception, or None. Returns {"reason"}; with "transient", where it is otherwise with this error
    than as a rule with its reason, "retry_after" where a server said so, "waited" where it was waited for.
    """
    reason = reason_of(error)
    found: dict[str, Any] = {"reason": reason} if reason else {}
    if isinstance(error, NodeError):
        found |= {"transient": error.transient} if error.transient != (reason in TRANSIENT) else {}
        found |= {"retry_after": error.retry_after} if error.retry_after else {}
        found |= {"waited": True} if error.waited else {}
    return found


def reason_of(error: BaseException | None) -> str:
    """The reason of an error (str), "" where it carries none.

    error: any exception, or None.
    """
    return error.reason if isinstance(error, NodeError | RolloutError) else ""


def text_of(error: BaseException) -> str:
    """The message of an error (str), without its reason.

    error: any exception.
    """
    if isinstance(error, NodeError):
        return error.text
    return error.message if isinstance(error, RolloutError) else str(error)


def reworded(error: CommandExecutionError, text: str) -> CommandExecutionError:
    """A new error with another message, and the same reason where there is one.

    error: the one whose reason counts. text (str): the new message.
    """
    if not isinstance(error, NodeError):
        return CommandExecutionError(text)
    return NodeError(error.reason, text, error.transient, error.retry_after, error.waited)
