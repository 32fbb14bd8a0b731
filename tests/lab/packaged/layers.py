"""What the machines of the profile `packages` have over their Debian: the packages of their role."""

from __future__ import annotations

from pathlib import Path

from tests.lab import layer

_SWITCH = ("openvswitch-switch", "neutron-openvswitch-agent", "iptables", "conntrack")
#: role: what is installed, from the archive
PACKAGES = {
    "controller": (
        *("mariadb-server", "galera-4", "rsync", "rabbitmq-server", "memcached"),
        *("keystone", "placement-api", "glance-api", "nova-api", "nova-conductor", "nova-scheduler"),
        *("neutron-server", "neutron-api", "neutron-rpc-server", "python3-memcache", "python3-pymemcache"),
        *("pacemaker", "pacemaker-cli-utils", "resource-agents", "corosync", "pcs", "haproxy"),
        *("python3-openstackclient", "curl"),
    ),
    "gateway": (*_SWITCH, "neutron-l3-agent", "neutron-dhcp-agent", "keepalived"),
    "compute": (*_SWITCH, "nova-compute"),
}
#: what the packages enable, and the lab starts when its turn has come, or nobody runs
_DISABLED = {
    "controller": (
        *("mariadb.service", "rabbitmq-server.service", "memcached.service", "haproxy.service"),
        *("keystone.service", "placement-api.service", "glance-api.service"),
        *("nova-api.service", "nova-api-metadata.service", "nova-conductor.service"),
        *("nova-scheduler.service", "neutron-api.service", "neutron-rpc-server.service"),
        *("pcsd.service", "pcsd-ruby.service", "corosync.service", "pacemaker.service", "logd.service"),
        # would start a member at the first connection, before its cluster is founded
        *("mariadb.socket", "iscsid.socket", "open-iscsi.service", "rsync.service"),
    ),
    "gateway": (
        *("neutron-l3-agent.service", "neutron-dhcp-agent.service", "neutron-openvswitch-agent.service"),
        *("keepalived.service", "openvswitch-switch.service", "haproxy.service", "radvd.service"),
    ),
    "compute": (
        *("nova-compute.service", "neutron-openvswitch-agent.service", "openvswitch-switch.service"),
        # of a hypervisor that no machine of the lab has
        *(
            "libvirtd.service",
            "libvirt-guests.service",
            "machines.target",
            "virtlogd.socket",
            "virtlockd.socket",
        ),
        *("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "virtlogd-admin.socket"),
        *("virtlockd-admin.socket", "iscsid.socket", "open-iscsi.service"),
    ),
}


def ensure(root: Path) -> dict[str, Path]:
    """Each role's layer, for an overlay over the Debian; made when the cache lacks it.

    Args:
        root: The Debian.

    Raises:
        RuntimeError: A step failed; the message has the end of its output.
    """
    return {
        role: layer.ensure(f"packaged-{role}", root, packages, _DISABLED[role])
        for role, packages in PACKAGES.items()
    }
