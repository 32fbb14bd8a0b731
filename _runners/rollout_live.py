"""The live page: the file that Salt's API serves, and what the page asks for."""

import time
from functools import partial

import salt.payload

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import console, output_file, watching, wiring
from openstack_rollout.rollout import live as standing
from openstack_rollout.screens import live as screens
from openstack_rollout.screens import masking

__virtualname__ = "rollout"

_MODE = 0o644  # nothing of a cloud is in it, and salt-api may be another user
_BESIDE = 1_000  # bytes of an event that are Salt's own

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(parts=console.names)
def live(parts=None):
    """Where the latest run is at this moment, as the live page asks for it. It reads the journal alone, and
    writes nothing: it may be given to whoever may look.

    parts
        NAME,NAME of what is told beside the summary: nodes (each with its stages, and the failures), timeline
        (its geometry; not from 2,000 nodes on, nor where the answer would be larger than max_event_size of
        the master's configuration).

    What looks like a secret in a message is left out. Returns {form, now, run (None before the first),
    verdict, facts, stages, planned, pauses, questions, newest, counts, felt (rows of what guests felt)}, and
    what was asked for. Refuses with one line under WRONG_ARGUMENT, or LIMIT_REACHED where Salt would not
    carry the nodes whole.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.live
        salt-run rollout.live parts=nodes,timeline --out=json
    """
    for part in parts or ():
        if part not in screens.PARTS:
            told = f"parts: {part!r} is none of {', '.join(screens.PARTS)}"
            raise RolloutError("WRONG_ARGUMENT", told)
    opts = wiring.master_options(__opts__)
    found = partial(watching.as_found, lock=wiring.lock(opts))
    data = standing.now_of(wiring.journal(opts), found)
    told = masking.masked(screens.state(data, time.time(), parts or ()))
    # What is larger loses values on its way through the bus, without a word.
    most = opts["max_event_size"] - _BESIDE if opts["max_event_size"] else float("inf")
    if len(salt.payload.dumps(told)) > most:
        told.pop("timeline", None)
        if (size := len(salt.payload.dumps(told))) > most:
            text = f"max_event_size: {opts['max_event_size']} is less than {size}: see etc/master.large"
            raise RolloutError("LIMIT_REACHED", text)
    return told


@console.command(output=console.text, eauth=console.names)
def page(output, eauth=None):
    """Write the live page: one HTML file for Salt's API to serve. It holds nothing of the cloud, and has to
    be written anew after an upgrade of this program.

    output
        The file to write it into, whose folder is there; a file of that name is replaced. It is what
        `rollout_api:app` of the master's configuration names.

    eauth
        NAME,NAME of external authentications that people may log in by: pam, ldap. By default those of
        `external_auth` in the master's configuration.

    Returns {written}. Refuses with one line under WRONG_ARGUMENT, also where nobody could log in.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.page output=/srv/openstack-rollout-live.html
    """
    path = output_file.wanted(output)
    backends = eauth or sorted(wiring.master_options(__opts__).get("external_auth") or ())
    if not backends:
        why = "external_auth: the master's configuration has none, so that nobody could log in"
        raise RolloutError("WRONG_ARGUMENT", why)
    written = output_file.write(path, screens.page(backends), _MODE)
    return {"data": {"text": f"written: {written}", "written": written}, "outputter": "rollout"}
