"""What an operator sees of salt-run beside our own lines: a refusal is one line, and Salt's housekeeping is
none.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.refusal import Refusal

_CHATTY = ("salt.runner", "salt.minion", "salt.utils.event")
# They tell of a pillar that does not render, in dozens of lines; master_pillar tells file and line.
_RENDERING = ("salt.pillar", "salt.utils.templates", "salt.template", "salt.renderers.yaml")


@contextmanager
def told() -> Iterator[None]:
    """Turn a RolloutError into a Refusal with reason, message and remedy in one line.

    Ctrl-C as well: Salt makes a SystemExit of it, which an orchestration would show as a traceback.
    """
    try:
        yield
    except RolloutError as error:
        end = "" if error.message.endswith((".", "?", "!")) else "."
        raise Refusal(f"{error.reason}: {error.message}{end} {error.remedy}") from error
    except (KeyboardInterrupt, SystemExit) as error:
        raise Refusal(
            "INTERRUPTED: jobs that were started on nodes go on. Run again to go on from there."
        ) from error


def without_housekeeping() -> None:
    """Keep Salt 3008's warnings of its own unclosed clients, several a step of an orchestration, and what it
    logs of a pillar that does not render, off the terminal.
    """
    for name in _CHATTY:
        logger = logging.getLogger(name)
        if _unrelated not in logger.filters:
            logger.addFilter(_unrelated)
    # The terminal alone: a log file keeps what Salt says of a pillar, ours or not.
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(_told_better)
    # An orchestration's minion ends with the interpreter, and loads modules when there is no sys.path
    # any more: nothing that is logged then is worth a traceback.
    atexit.unregister(_say_no_more)
    atexit.register(_say_no_more)


def _unrelated(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("unclosed ")


def _say_no_more() -> None:
    logging.disable(logging.CRITICAL)


def _told_better(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or record.name not in _RENDERING
