"""How a runner function says no: lines for the operator, an exit status, a failed orchestration step."""

from __future__ import annotations

from collections.abc import Iterable

import salt.exceptions

from openstack_rollout.errors import REASONS, RolloutError

#: Exit status of salt-run: what was asked was refused, or the run paused.
REFUSED = 1
#: Exit status of salt-run: the command itself is wrong, e.g. an argument that the function does not have.
WRONG_USE = 2
_WRONG = "WRONG_ARGUMENT"


class Refusal(salt.exceptions.NotImplemented):
    """What a runner function raises when it refuses. Its text is what the operator reads.

    text (str): lines of the form `REASON: what is wrong and where. What to do about it.`
    status (int): the exit status that salt-run shall have, REFUSED or WRONG_USE.

    Salt prints any other exception of a runner as a traceback. It prints this one as its text, and a step of
    an orchestration that raises it counts as failed.
    """

    def __init__(self, text: str, status: int = REFUSED):
        super().__init__(text)
        self.status = status


def refusal_of(error: RolloutError) -> Refusal:
    """The refusal that tells of one RolloutError: reason, message and remedy in one line."""
    return refusal_of_all([(error.reason, error.message)])


def refusal_of_all(problems: Iterable[tuple[str, str]]) -> Refusal:
    """The refusal that tells of several problems, one line each.

    problems: pairs of a reason (a word of errors.REASONS) and a message. A remedy is given once for each
    reason, at the end of the last line under it.
    """
    found = list(problems)
    last = {reason: number for number, (reason, _) in enumerate(found)}
    lines = [
        _line(reason, message, with_remedy=last[reason] == number)
        for number, (reason, message) in enumerate(found)
    ]
    return Refusal("\n".join(lines), WRONG_USE if {reason for reason, _ in found} == {_WRONG} else REFUSED)


def _line(reason: str, message: str, *, with_remedy: bool) -> str:
    if not with_remedy:
        return f"{reason}: {message}"
    stop = "" if message.endswith((".", "?", "!")) else "."
    return f"{reason}: {message}{stop} {REASONS[reason]}"
