"""Shows what `rollout.status`, `.plan`, `.preflight`, `.report`, `.survey`, `.prune`, `release.import` and
`.diff`, and `workload.risks` return, as tables.

`--out=json` has the same facts. A wrong use of any runner function is shown as its line alone.

CLI Example:

.. code-block:: bash

    salt-run rollout.status
    salt-run rollout.status --out=json
"""

from openstack_rollout.screens import (
    history,
    preflight,
    pruning,
    release_diff,
    release_import,
    survey,
    tables,
)


def output(data, **kwargs):
    """The text of what such a function returned.

    data
        A dictionary: what a runner function returned as its `data`, or the answer to a wrong use, with the
        keys `Error`, `outputter` and `retcode`.

    kwargs
        What Salt gives to every outputter; not used.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.status --out=rollout
    """
    if "Error" in data:
        return data["Error"]
    if "text" in data:
        return data["text"]
    screen = next((text for key, text in _SCREENS.items() if key in data), tables.text)
    return screen(data)


#: What tells such an answer from others → what shows it.
_SCREENS = {
    "conditions": preflight.text,
    "history": history.text,
    "compared": history.text,
    "diff": release_diff.text,
    "imported": release_import.text,
    "pruned_nodes": pruning.text,
    "survey": survey.text,
}
