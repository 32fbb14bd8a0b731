"""The latest run in numbers, for Prometheus."""

import time
from functools import partial

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import (
    console,
    output_file,
    watching,
    wiring,
)
from openstack_rollout.rollout.figures import figures

__virtualname__ = "rollout"

_MODE = 0o644  # node exporter is another user, and no node or person is named

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(output=console.text, every=console.seconds)
def metrics(output=None, every=None):
    """The latest run as metrics: its state and reason, stages, nodes by role and state, what steps took,
    failures by reason, releases by role, drained nodes, when anything was written last.

    output
        The file to write them into, as node exporter's textfile collector reads it: its name has to end in
        .prom, and its folder is there. By default they are printed.

    every
        Seconds after which the file is written anew, again and again until the command is ended. By default
        it is written once.

    Reads the journal alone: neither nodes nor the run notice it. Returns the text, or {written}. Refuses with
    one line under WRONG_ARGUMENT, or LIBRARY_MISSING when the master's Python lacks prometheus-client, which
    no other function needs.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.metrics
        salt-run rollout.metrics output=/var/lib/prometheus/node-exporter/openstack_rollout.prom every=15
    """
    screens = _screens()
    if every is not None and not (output and every >= 1):
        raise RolloutError("WRONG_ARGUMENT", "every: is for an output, and at least 1 second")
    if output and not output.endswith(".prom"):
        raise RolloutError("WRONG_ARGUMENT", f"output: {output}: node exporter reads files that end in .prom")
    path = output_file.wanted(output) if output else None
    opts = wiring.master_options(__opts__)
    journal, found = wiring.journal(opts), partial(watching.as_found, lock=wiring.lock(opts))
    while True:
        now = time.time()
        text = screens.render(figures(journal, found, now), now)
        if path is None:
            return {"data": {"text": text.rstrip()}, "outputter": "rollout"}
        written = output_file.write(path, text, _MODE)
        if every is None or _is_ended_within(every):
            return {"data": {"text": f"written: {written}", "written": written}, "outputter": "rollout"}


def _is_ended_within(seconds):
    """Whether somebody ends the command meanwhile, as it ends: that is no failure."""
    try:
        time.sleep(seconds)
    except (KeyboardInterrupt, SystemExit):  # Salt makes the second of both signals
        return True
    return False


def _screens():
    """screens.metrics, which alone needs prometheus-client. Raises RolloutError LIBRARY_MISSING."""
    try:
        from openstack_rollout.screens import metrics as screens  # noqa: PLC0415 - nothing else may need it
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "prometheus_client":
            raise
        text = "rollout.metrics needs prometheus-client (salt-pip install prometheus-client)"
        raise RolloutError("LIBRARY_MISSING", text) from error
    return screens
