"""What an operator sees of salt-run: a result or a refusal, an exit status, none of Salt's own affairs.

salt-run ends with 0 when the work is done, 1 when it was refused or the run paused, 2 for wrong use.

Salt 3008 gives every exception of a runner the exit status 1. For 2, a runner function has to return a
dictionary with `retcode`. Such a return alone would count as success in an orchestration. Therefore `Error`
in it, and the `retcode` in `__context__`, tell Salt's state salt.runner that the step failed.
"""

from __future__ import annotations

import atexit
import difflib
import functools
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from salt.transport.base import TransportWarning

from openstack_rollout.errors import RolloutError, one_line
from openstack_rollout.on_salt import caller
from openstack_rollout.on_salt.refusal import WRONG_USE, Refusal, refusal_of

#: Our outputter (_output/rollout.py), which prints of such an answer only its text.
OUTPUTTER = "rollout"
_LOG = logging.getLogger(__name__)
#: They report a pillar that does not render, in dozens of lines; master_pillar names file and line.
_RENDERING = ("salt.pillar", "salt.utils.templates", "salt.template", "salt.renderers.yaml")


@contextmanager
def refusals_as_one_line() -> Iterator[None]:
    """Turn a RolloutError into a Refusal with reason, message and remedy in one line.

    Ctrl-C too: Salt makes a SystemExit of it, which an orchestration would show as a traceback. And any other
    exception: Salt takes a TypeError for wrong arguments, and answers with success. Its traceback is logged.
    """
    try:
        yield
    except Refusal:
        raise
    except RolloutError as error:
        raise refusal_of(error) from error
    except (KeyboardInterrupt, SystemExit) as error:
        raise Refusal(
            "INTERRUPTED: jobs that were started on nodes go on. Run again to go on from there."
        ) from error
    except Exception as error:
        _LOG.exception("%s", error)
        said = one_line(f"{type(error).__name__}: {error}")
        raise refusal_of(RolloutError("INTERNAL_ERROR", said)) from error


def command(**readers: Callable[[str, Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a runner function that operators call. Its refusals become lines and an exit status.

    readers: for some arguments, by name, a function of (name, value) that checks and converts a given value,
    e.g. `seconds`. It raises RolloutError WRONG_ARGUMENT.

    An argument that the function does not have, or one that it lacks, is wrong use. Salt itself would answer
    that with the function's documentation and exit status 0.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            context = function.__globals__.get("__context__")
            caller.note(globals().get("__user__"))  # Salt puts it where the outermost function is from
            try:
                with refusals_as_one_line():
                    arguments = _arguments(function, list(signature.parameters.values()), given, named)
                    for name in arguments.keys() & readers.keys():
                        arguments[name] = readers[name](name, arguments[name])
                    return function(**arguments)
            except Refusal as refusal:
                if refusal.status != WRONG_USE:
                    raise
                if context is not None:
                    context["retcode"] = WRONG_USE
                return {"Error": str(refusal), "outputter": OUTPUTTER, "retcode": WRONG_USE}

        # Salt refuses by itself what the signature does not allow. This one allows all, so that we answer.
        del called.__wrapped__  # type: ignore[attr-defined]
        called.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                *signature.parameters.values(),
                inspect.Parameter("unknown", inspect.Parameter.VAR_KEYWORD),
            ]
        )
        return called

    return decorate


def seconds(name: str, value: Any) -> float | None:
    """Read an argument that is a number of seconds. None stays None.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT when it is no number, or negative.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise RolloutError("WRONG_ARGUMENT", f"{name}: {value!r} is not a number of seconds")
    return float(value)


def text(name: str, value: Any) -> str | None:
    """Read an argument that is a word, e.g. a minion's id. None stays None.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT when it is a number, a list or a mapping.
    """
    if value is not None and not isinstance(value, str):
        raise RolloutError("WRONG_ARGUMENT", f"{name}: {value!r} is not a word: put one in quotes \"'…'\"")
    return value


def mapping(name: str, value: Any) -> dict[str, Any] | None:
    """Read an argument that is a mapping. None stays None.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT when it is anything else.
    """
    if value is not None and not isinstance(value, dict):
        raise RolloutError("WRONG_ARGUMENT", f"{name.rstrip('_')}: {value!r} is no mapping: '{{key: value}}'")
    return value


def count(name: str, value: Any) -> int | None:
    """Read an argument that is a whole number from 1. None stays None.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT for anything else.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise RolloutError("WRONG_ARGUMENT", f"{name}: {value!r} is not a whole number from 1")
    return value


def names(name: str, value: Any) -> list[str]:
    """Read an argument that is a list of words: NAME,NAME or a YAML list. None is no word.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT when there is anything else in it.
    """
    if value is None:
        return []
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise RolloutError("WRONG_ARGUMENT", f"{name}: {value!r} is no list of words: give NAME,NAME")
    words = [one.strip() if isinstance(one, str) else one for one in listed]
    for one in words:
        if not isinstance(one, str) or not one:
            raise RolloutError("WRONG_ARGUMENT", f"{name}: {one!r} is not a word: give NAME,NAME")
    return words


def flag(name: str, value: Any) -> bool:
    """Read an argument that is True or False.

    name (str): the argument's. value: as Salt read it off the command line. Raises RolloutError
    WRONG_ARGUMENT.
    """
    if not isinstance(value, bool):
        raise RolloutError("WRONG_ARGUMENT", f"{name}: {value!r} is neither True nor False")
    return value


def _arguments(
    function: Callable[..., Any],
    parameters: Sequence[inspect.Parameter],
    given: Sequence[Any],
    named: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments by name. Raises RolloutError WRONG_ARGUMENT for those that do not fit the function."""
    # "salt.loaded.ext.runners.rollout", and a function that may not be called like a builtin: list_
    called = f"{function.__module__.rpartition('.')[2]}.{function.__name__.rstrip('_')}"
    names = [parameter.name for parameter in parameters]
    takes = f"it takes {', '.join(name.rstrip('_') for name in names)}" if names else "it takes none"
    if len(given) > len(names):
        _refuse(f"{called}: {len(given)} arguments were given, {takes}")
    arguments = dict(zip(names, given, strict=False))
    # Salt adds keywords of its own, e.g. __pub_user: they are not the operator's.
    spelt = {name.rstrip("_"): name for name in names}  # break_ is what Python lets break be called
    for word, value in named.items():
        if word.startswith("__"):
            continue
        name = spelt.get(word, word)
        if name in arguments:
            _refuse(f"{called}: {name} was given twice")
        if name not in names:
            close = difflib.get_close_matches(name, list(spelt), 1)
            _refuse(f"{called}: no argument {name}: {f'did you mean {close[0]}?' if close else takes}")
        arguments[name] = value
    missing = [one.name for one in parameters if one.default is one.empty and one.name not in arguments]
    if missing:
        _refuse(f"{called}: argument {', '.join(missing)} is missing")
    return arguments


def _refuse(message: str) -> None:
    raise RolloutError("WRONG_ARGUMENT", message)


def hide_salts_own_messages() -> None:
    """Keep off the terminal what Salt 3008 says of itself, and what it says in many lines and we in one.

    These are its warnings of unclosed clients, several a step of an orchestration, also when the interpreter
    ends; what it logs of a pillar that does not render; and a failed step's changes, which it prints as well.
    """
    warnings.filterwarnings("ignore", category=TransportWarning)
    # Salt takes its handlers away before the last clients go: from then on, the last resort prints.
    for handler in filter(None, [*logging.root.handlers, logging.lastResort]):
        handler.addFilter(_is_no_warning_of_unclosed)
        # A log file keeps what Salt says of a pillar, ours or not.
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(_is_not_said_better)
    # An orchestration's minion ends with the interpreter, and loads modules when there is no sys.path
    # any more: nothing that is logged then is worth a traceback.
    atexit.unregister(_end_logging)
    atexit.register(_end_logging)


def _is_no_warning_of_unclosed(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("unclosed ")


def _is_not_said_better(record: logging.LogRecord) -> bool:
    if record.levelno < logging.ERROR:
        return True
    changes = record.name == "salt.state" and str(record.msg).startswith("{'return': ")
    return not changes and record.name not in (*_RENDERING, __name__)


def _end_logging() -> None:
    logging.disable(logging.CRITICAL)
