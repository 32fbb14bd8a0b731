"""How code on a node says no: an error that carries its reason as a field, beside the words for people."""

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
    """The reason that an error carries (str), "" for none, or for one that carries none."""
    return error.reason if isinstance(error, NodeError | RolloutError) else ""


def text_of(error: BaseException) -> str:
    """What an error says (str), without its reason."""
    if isinstance(error, NodeError):
        return error.text
    return error.message if isinstance(error, RolloutError) else str(error)


def retold(error: CommandExecutionError, text: str) -> CommandExecutionError:
    """An error that says `text` (str) under the reason of another one, or under none as that."""
    return NodeError(error.reason, text) if isinstance(error, NodeError) else CommandExecutionError(text)
