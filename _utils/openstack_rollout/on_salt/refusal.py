"""How a runner says no: one line for the operator, failure for salt-run and for an orchestration."""

from __future__ import annotations

import salt.exceptions


class Refusal(salt.exceptions.NotImplemented):
    """What a runner raises when it refuses: `REASON: what is wrong and where`.

    Salt prints any other exception of a runner as a traceback; this one as its message, with exit status 1,
    and a step of an orchestration that raises it counts as failed.
    """
