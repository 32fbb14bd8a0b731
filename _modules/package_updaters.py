"""Those who change packages of this node by themselves (apt-daily, dnf-automatic, PackageKit, …)."""

from __future__ import annotations

from openstack_rollout.node import updaters


def found() -> dict[str, str]:
    """Those of this node that begin nothing while packages move: {service: its state}. Masked ones are not
    among them.

    Raises NodeError NODE_ERROR when systemd does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_updaters.found
    """
    return updaters.found(__salt__)
