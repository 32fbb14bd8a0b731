"""Backups of what an update cannot give back: take one by hand, see what there is, restore a part."""

from openstack_rollout.declared.backup import OF_CLUSTERS
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import console, wiring
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.rollout import backup as _backup
from openstack_rollout.rollout.membership import Membership

__virtualname__ = "rollout"
_KINDS = (*OF_CLUSTERS, _backup.FILES)

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(of=console.names)
def backup(of=None):
    """Take a backup now, and prove it: what openstack:backup declares, whether or not runs take one.

    of
        galera, ovn, rabbitmq, files: those parts alone.

    One controller keeps what is of a cluster; each node keeps its own /etc. Nothing is stopped.

    Returns {name, nodes: {node: {part: {file, bytes, sha256, how, proven, encrypted}}}}. Refuses under
    BACKUP_FAILED with every node that could not, RUN_IN_PROGRESS while a run is under way.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.backup
        salt-run rollout.backup of=galera,rabbitmq
    """
    if unknown := [kind for kind in of or () if kind not in _KINDS]:
        raise RolloutError("WRONG_ARGUMENT", f"of: {unknown[0]} is none of {', '.join(_KINDS)}")
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        return _backup.by_hand(wiring.ports(opts, fleet), of)


@console.command()
def backups():
    """The backups that nodes keep.

    Returns {nodes: {node: {name: {part: {file, bytes, sha256, how, proven, encrypted}}}}, silent: {node: why
    it does not tell}}. The name is that of the run before which it was taken, or by-hand-….

    CLI Example:

    .. code-block:: bash

        salt-run rollout.backups
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        ports = wiring.ports(opts, fleet)
        nodes, silent = _backup.kept(ports, Membership.of(ports.pillar(), fleet))
    return {"nodes": nodes, "silent": silent}


@console.command(
    name=console.text, part=console.text, node=console.text, paths=console.names, force=console.flag
)
def restore_backup(name, part, node=None, paths=None, force=False):
    """Restore a part of a backup, after it was proven again. What was written since is lost.

    name
        Of the backup, as `rollout.backups` has it.

    part
        galera, galera_accounts, rabbitmq, OVN_Northbound, OVN_Southbound, or files.

    node
        The node that keeps it, where several do: always for files.

    paths
        Of the files that come back (/etc/nova/nova.conf,/etc/nova/api-paste.ini), for files.

    force
        True: galera comes back although clients are connected to its cluster, and what they write is mixed
        with it.

    Databases are what they were then, with their cluster running; a copy by mariabackup is not restored by
    this. Services are not stopped: stop those that write to it first. For galera it is refused, by the hosts
    of the clients, while some are connected to a member from another machine than that member's.

    Returns {node, said, clients: from where some were connected all the same}. Refuses under
    BACKUP_NOT_RESTORED, which says whether anything was touched; WRONG_ARGUMENT, RUN_IN_PROGRESS.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.restore_backup 20261130-010203-abcd galera
        salt-run rollout.restore_backup by-hand-20261130-010203 files node=cmp1 paths=/etc/nova/nova.conf
    """
    opts = wiring.master_options(__opts__)
    with SaltFleet(opts) as fleet:
        return _backup.restore(wiring.ports(opts, fleet), name, part, node, paths or (), force=force)
