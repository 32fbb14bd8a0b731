"""Units of a node that are somebody else's: a container of that name would take their place.

The host's own services, but not those that installers run in containers (iscsid, multipathd, mariadb).
"""

from __future__ import annotations

import re
from fnmatch import translate

#: What systemd appends to a unit's name.
UNIT_SUFFIXES = (
    ".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope",
    ".device", ".container", ".volume", ".network", ".pod", ".kube", ".image", ".build",
)  # fmt: skip

_GLOBS = """
    salt salt-* openstack-rollout* openvswitch* ovs-* ovsdb-server ovs ovn-controller* ovn-northd*
    ovn-host ovn-central ovn-ovsdb-* systemd-* systemd init dbus* sshd* ssh ssh-* polkit* udev* user
    user-* user@* getty* serial-getty* container-getty* console-getty* autovt* login logind
    NetworkManager* network network-* networking nm-* wpa_supplicant* ifup* ifdown* resolvconf resolved
    dhclient* dhcpcd* nmstate* podman podman-* docker docker-* containerd* crio cri-o buildah* conmon*
    kubelet k3s* libvirt* virt*d virtlogd virtlockd qemu* firewalld iptables* ip6tables* nftables
    ebtables arptables ufw apparmor* selinux* auditd audit-* rsyslog* syslog* journald logrotate chrony*
    ntp ntpd ntp-* ntpdate ntpsec* timesyncd crond cron anacron atd at rpcbind rpc-* nfs nfs-* nfsdcld
    gssproxy sssd* oddjobd realmd pcsd* pacemaker* corosync* sbd* booth* dlm lvm2-* lvmlocking lvm*
    dm-event* mdadm* mdmonitor* mdcheck* blk-availability fstrim e2scrub* fsck* quotaon quota* dracut*
    initrd* initramfs* plymouth* kdump* kexec* kpatch* tuned* irqbalance* ksm ksmtuned numad rngd*
    haveged smartd* mcelog rasdaemon ipmi* ipmievd watchdog* lldpad fcoe* dnf* yum* packagekit* apt-* apt
    rpm-ostree* ostree* bootc* bootupd* unattended-upgrades snapd* flatpak* fwupd* subscription-manager
    rhsm* rhsmcertd rhcd insights-* cloud-* cloud-init* cloud-final cloud-config qemu-guest-agent
    vmtoolsd* hv_* waagent google-* amazon-* ec2* basic boot* default emergency rescue exit final
    graphical halt poweroff reboot shutdown suspend hibernate sleep multi-user local-fs* remote-fs* swap
    swap* sysinit sockets timers paths slices system system-* session-* sysroot* runlevel* umount
    time-set time-sync nss-* rc-local modprobe* kmod* module-* proc-* sys-* dev-* tmp var* home run-*
    root -* debug-shell import-state loadmodules microcode cpupower* power-profiles-daemon upower udisks2
    accounts-daemon colord bluetooth* avahi* cups* gdm* lightdm* ModemManager* usbguard* fapolicyd* tang*
    clevis* stratis* vdo* zfs* ceph-* ceph rbdmap drbd* opensm rdma* openibd mlnx* openl2tp strongswan
    ipsec* wg-quick* openvpn* postfix sendmail exim4 snmpd*
"""
_RESERVED = re.compile("|".join(translate(glob) for glob in _GLOBS.split()))


def is_reserved(name: str) -> bool:
    """Whether a name, with or without systemd's suffix, is that of a unit that is not ours to replace."""
    for suffix in UNIT_SUFFIXES:
        name = name.removesuffix(suffix)
    return _RESERVED.match(name) is not None
