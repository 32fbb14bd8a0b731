"""Shows what `rollout.status`, `.plan`, `.preflight`, `.report`, `.survey`, `release.import` and
`workload.risks` return, as tables.

`--out=json` has the same facts. A wrong use of any runner function is shown as its line alone.

CLI Example:

.. code-block:: bash

    salt-run rollout.status
    salt-run rollout.status --out=json
"""

from openstack_rollout.screens import history, preflight, release_import, survey, tables


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
    if "conditions" in data:
        return preflight.text(data)
    if "history" in data or "compared" in data:
        return history.text(data)
    if "imported" in data:
        return release_import.text(data)
    return survey.text(data) if "survey" in data else tables.text(data)
