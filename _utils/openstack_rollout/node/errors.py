"""The error that code on a node raises: its reason is a field of its own, beside the words for people."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import REASONS, RolloutError


class NodeError(CommandExecutionError):
    """What execution modules raise under a named reason.

    reason (str): a word of errors.REASONS. message (str): what is wrong and where.

    As a string it is "REASON: message", which is what `salt` and `salt-call` show.
    """

    def __init__(self, reason: str, message: str):
        if reason not in REASONS:
            raise ValueError(f"{reason} is not one of the named reasons")
        self.reason = reason
        self.text = message
        super().__init__(f"{reason}: {message}")

    def __reduce__(self) -> tuple[type[NodeError], tuple[str, str]]:
        return type(self), (self.reason, self.text)


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
    return NodeError(error.reason, text) if isinstance(error, NodeError) else CommandExecutionError(text)
