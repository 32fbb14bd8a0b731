"""Shows what `rollout.status`, `rollout.plan` and `rollout.report` return as tables; `--out=json` has the
same facts.

CLI Example:

.. code-block:: bash

    salt-run rollout.status
    salt-run rollout.status --out=json
"""

from openstack_rollout.screens import tables


def output(data, **kwargs):
    """The data of those functions as text."""
    return tables.text(data)
