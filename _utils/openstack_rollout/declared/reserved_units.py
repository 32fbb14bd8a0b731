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
    salt openstack-rollout* openvswitch* ovsdb-server ovs ovn-controller* ovn-northd* ovn-host
    ovn-central ovn-ovsdb-* systemd-* systemd init dbus* sshd* ssh ssh-* polkit* udev* user user@*
    getty* serial-getty* container-getty* console-getty* autovt* login logind NetworkManager* network
    networking nm-* wpa_supplicant* ifup* ifdown* resolvconf resolved dhclient* dhcpcd* nmstate* podman
    podman-* docker containerd* crio cri-o buildah* conmon* kubelet k3s* libvirt* virt*d virtlogd
    virtlockd qemu* firewalld iptables* ip6tables* nftables ebtables arptables ufw apparmor* selinux*
    auditd audit-* rsyslog* syslog* journald logrotate ntp ntpd ntp-* ntpdate ntpsec* timesyncd crond
    cron anacron atd at rpcbind rpc-* nfs nfs-* nfsdcld gssproxy sssd* oddjobd realmd pcsd* pacemaker*
    corosync* sbd* booth* dlm lvm2-* lvmlocking dm-event* mdadm* mdmonitor* mdcheck* blk-availability
    fstrim e2scrub* fsck* quotaon quota* dracut* initrd* initramfs* plymouth* kdump* kexec* kpatch*
    tuned* irqbalance* ksm ksmtuned numad rngd* haveged smartd* mcelog rasdaemon ipmievd watchdog*
    lldpad fcoe* dnf* yum* packagekit* apt-* apt rpm-ostree* ostree* bootc* bootupd* unattended-upgrades
    snapd* flatpak* fwupd* subscription-manager rhsm* rhsmcertd rhcd insights-* cloud-final cloud-config
    qemu-guest-agent vmtoolsd* hv_* waagent google-* amazon-* ec2* basic default emergency rescue exit
    final graphical halt poweroff reboot shutdown suspend hibernate sleep multi-user local-fs*
    remote-fs* swap sysinit sockets timers paths slices system sysroot* runlevel* umount time-set
    time-sync nss-* rc-local modprobe* kmod* module-* tmp home root -* debug-shell import-state
    loadmodules microcode cpupower* power-profiles-daemon upower udisks2 accounts-daemon colord
    bluetooth* avahi* cups* gdm* lightdm* ModemManager* usbguard* fapolicyd* clevis* stratis* ceph-*
    ceph rbdmap opensm rdma* openibd mlnx* openl2tp strongswan ipsec* wg-quick* openvpn* postfix
    sendmail exim4 salt-minion* salt-master* salt-api salt-syndic salt-proxy* ovs-vswitchd* ovs-ctl
    ovs-delete-transient-ports ovs-configuration ovs-record-hostname ovs-monitor-ipsec user-runtime-dir*
    user-[0-9]* network-pre network-online networkd-dispatcher docker-storage* dockerd lvm lvmlockd*
    lvmpolld* lvmetad* lvmdbusd chrony chronyd* chrony-wait ipmi ipmidetectd ipmiseld tangd* vdo vdo-*
    zfs zfs-* drbd drbd-* cloud-init* boot boot-efi boot-complete system-update* system-getty*
    system-systemd* session-[0-9c]* proc-sys-* sys-fs-* sys-kernel-* sys-devices-* dev-hugepages
    dev-mqueue dev-disk-* var var-lib* var-log* var-tmp var-run* run-u[0-9]* run-user-* run-lock snmpd
    snmptrapd target tgtd ldconfig ptp4l phc2sys lldpd teamd teamd@* autofs iscsi sanlock wdmd
    certmonger blkmapd netavark-dhcp-proxy netavark-* os-net-config driverctl zincati afterburn*
    raid-check sysstat sysstat-* wickedd* wicked edpm-container-shutdown nvmf-autoconnect nvmefc-*
    targetclid targetd
"""
_RESERVED = re.compile("|".join(translate(glob) for glob in _GLOBS.split()), re.IGNORECASE)


def is_of_the_switch(name: str) -> bool:
    """Whether a container of that name is a part of Open vSwitch, as kolla-ansible runs it."""
    return name.lower().startswith(("openvswitch", "ovsdpdk", "ovs-vswitchd", "ovsdb-server"))


def is_reserved(name: str) -> bool:
    """Whether a name, with or without systemd's suffix, is that of a unit that is not ours to replace."""
    name = name.lower()
    for suffix in UNIT_SUFFIXES:
        name = name.removesuffix(suffix)
    return _RESERVED.match(name) is not None
