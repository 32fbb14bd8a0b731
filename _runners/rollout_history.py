"""Earlier runs: one of them, all of them, two compared."""

import json
import time
from functools import partial

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import (
    console,
    output_file,
    watching,
    wiring,
)
from openstack_rollout.rollout import history as histories
from openstack_rollout.rollout.account import account
from openstack_rollout.screens import markdown, masking, tables

__virtualname__ = "rollout"

_MODE = 0o640  # of a report: names of nodes and of people are nobody else's affair

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(run_id=console.text, format=console.text, output=console.text)
def report(run_id=None, format="text", output=None):
    """What a run did, stage by stage and node by node: how long it took beside what was expected, versions
    before and after, pauses, failures with their remedy, who began it and what was accepted, what is left,
    and what guests felt where they were probed (openstack:audit).

    run_id
        A run's identifier; the last run by default.

    format
        text; markdown; json; or html, one file that needs nothing else, for a screen or for paper. It has a
        timeline of the nodes on top of the tables.

    output
        The file to write it into, whose folder is there; a file of that name is replaced. By default it is
        printed.

    What looks like a secret in a message is left out. Returns the report, or {written, run, format} where a
    file was written. Refuses with one line under NO_RUN or WRONG_ARGUMENT.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.report
        salt-run rollout.report 20261128-230054-c785 --out=json
        salt-run rollout.report format=html output=/srv/reports/update.html
    """
    if format not in _FORMATS:
        raise RolloutError("WRONG_ARGUMENT", f"format: {format!r} is none of {', '.join(_FORMATS)}")
    path = output_file.wanted(output) if output else None
    opts = _opts()
    found = partial(watching.as_found, lock=wiring.lock(opts))
    data = masking.masked(account(wiring.journal(opts), run_id, found))
    if path is None and format in ("text", "json"):
        return {"data": data, "outputter": "rollout" if format == "text" else "json"}
    text = _FORMATS[format](data, time.time())
    if path is None:
        return {"data": {"text": text}, "outputter": "rollout"}
    written = output_file.write(path, text, _MODE)
    told = {"text": f"written: {written}", "written": written, "run": data["run"]["id"], "format": format}
    return {"data": told, "outputter": "rollout"}


def _html(data, made):
    from openstack_rollout.screens import html  # noqa: PLC0415 - nothing else needs jinja2's templates

    return html.render(data, made)


@console.command(last=console.count)
def history(last=histories.SHOWN):
    """The latest runs, the newest first: what each was for, how it ended, who had it begin, from which
    terminal or job of Salt's scheduler, and what was accepted for it.

    last
        How many runs.

    Returns {history, kept: how many runs are kept}. A run that cannot be read is named with the reason.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.history
        salt-run rollout.history 5 --out=json
    """
    return {"data": histories.history(wiring.journal(_opts()), last), "outputter": "rollout"}


@console.command(first=console.text, second=console.text)
def compare(first, second):
    """Two runs side by side: stages with their times, nodes with another outcome, and those that took longest
    beyond what they took before.

    first
        A run's identifier (`rollout.history`).

    second
        That of the run to compare it with.

    Returns {compared, stages, nodes, slower}. Refuses under NO_RUN.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.compare 20261128-230054-c785 20261129-080112-5af0
    """
    return {"data": histories.compare(wiring.journal(_opts()), first, second), "outputter": "rollout"}


_FORMATS = {
    "text": lambda data, _made: tables.report(data) + "\n",
    "json": lambda data, _made: json.dumps(data, indent=2, ensure_ascii=False) + "\n",
    "markdown": markdown.render,
    "html": _html,
}


def _opts():
    return wiring.master_options(__opts__)
