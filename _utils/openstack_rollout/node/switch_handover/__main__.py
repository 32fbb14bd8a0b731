"""The program: hands over, and writes its report."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from openstack_rollout.node.switch_handover import DONE, Failed
from openstack_rollout.node.switch_handover.handover import Handover

_NICE = -20  # so that the flows are sent before anything else is done


def main(report: str, change: str, schema: str = "") -> int:
    """Hand over, and write the report. A second try without a head start follows one that missed it.

    Args:
        report: The file for the report.
        change: The unit's drop-in, which is removed.
        schema: The file of the installed schema, "" to leave the database server alone.

    Returns:
        0 when the new switch is the one that runs, else 1.
    """
    Path(change).unlink(missing_ok=True)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    for early in (True, False):
        signal.signal(signal.SIGTERM, _give_up)
        handover = Handover(schema, early)
        handover.run()
        if not handover.missed:
            break
    Path(report).write_text(json.dumps(handover.report), encoding="utf-8")
    print(json.dumps(handover.report), flush=True)
    return 0 if handover.report["outcome"] == DONE else 1


def _give_up(*_signal: object) -> None:
    raise Failed("the handover was ended by SIGTERM")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
