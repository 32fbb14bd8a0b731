"""A simulated GRUB on a machine of the lab, which is started by nspawn and has no boot loader.

Debian's menu is made by GRUB's own grub-mkconfig, which a stand-in of grub-probe tells of a disk; entries
have the form that kernel-install gives them on RHEL; the environment is written and read by grub-editenv.
Kernels and initial RAM disks are a few bytes. Nothing of it is ever started: which kernel a machine says it
runs is /etc/lab/starts, else its newest (lab-kernel).
"""

from __future__ import annotations

from collections.abc import Sequence

from . import extra_debs
from .cloud import Lab

MACHINE = "a98618aa1631441dbb52c75a50834a0a"
STARTS = "/etc/lab/starts"
#: of RHEL's grub.cfg, what decides the default
_BLS_MENU = """if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
insmod blscfg
blscfg
"""
_BLS = """title CentOS Stream ({0}) 9
version {0}
linux /vmlinuz-{0}
initrd /initramfs-{0}.img $tuned_initrd
options root=/dev/vda1 ro
grub_users $grub_users
grub_arg --unrestricted
grub_class centos
"""
_DISK = "0a0a0a0a-1111-2222-3333-444444444444"
#: what grub-mkconfig asks of the machine's disk
_GRUB_PROBE = f"""#!/bin/sh
case "$*" in
*target=device*) echo /dev/vda1 ;;
*uuid*) echo {_DISK} ;;
*target=fs*) echo ext2 ;;
*target=partmap*) echo gpt ;;
*hint*) echo hd0,gpt1 ;;
esac
"""
#: RHEL's grub2-editenv, by Debian's program
_GRUB2_EDITENV = """#!/bin/sh
[ "$1" = - ] && shift && set -- /boot/grub2/grubenv "$@"
exec grub-editenv "$@"
"""


class SimulatedGrub:
    """GRUB's files on a machine, of RHEL's form or of Debian's.

    releases: the kernels, as `uname -r` prints them, the newest first.
    """

    def __init__(self, lab: Lab, node: str, releases: Sequence[str]):
        self._lab, self._node = lab, node
        self._debian = lab.nodes[node].debian
        extra_debs.install(lab, node, ["grub-common"])
        self._environment = "/boot/grub/grubenv" if self._debian else "/boot/grub2/grubenv"
        self._run("mkdir", "-p", "/boot/grub", "/boot/grub2", "/boot/loader/entries")
        if self._debian:
            self._write("/usr/sbin/grub-probe", _GRUB_PROBE)
            self._write("/etc/default/grub", "GRUB_DEFAULT=saved\nGRUB_DISTRIBUTOR=Debian\n")
        else:
            self._write("/usr/local/bin/grub2-editenv", _GRUB2_EDITENV)
            self._run("chmod", "755", "/usr/local/bin/grub2-editenv")
        self._run("grub-editenv", self._environment, "create")
        self.write_menu(releases)

    def write_menu(self, releases: Sequence[str]) -> None:
        """Have the menu show these kernels, and each of them there."""
        for release in releases:
            self._write(f"/boot/vmlinuz-{release}", "a kernel\n")
            self._write(self.initramfs(release), "an initial RAM disk\n")
        if self._debian:
            self._run("grub-mkconfig", "--output=/boot/grub/grub.cfg")
            return
        self._write("/boot/grub2/grub.cfg", _BLS_MENU)
        for one in releases:
            self._write(f"/boot/loader/entries/{MACHINE}-{one}.conf", _BLS.format(one))

    def start_by_default(self, release: str) -> None:
        """Save a kernel's entry as the default one."""
        entry = self.entry(release)
        saved = f"gnulinux-advanced-{_DISK}>{entry}" if self._debian else entry
        self._run("grub-editenv", self._environment, "set", f"saved_entry={saved}")

    def entry(self, release: str) -> str:
        """The id of a kernel's entry."""
        return f"gnulinux-{release}-advanced-{_DISK}" if self._debian else f"{MACHINE}-{release}"

    def initramfs(self, release: str) -> str:
        """Where a kernel's initial RAM disk is on the machine."""
        return f"/boot/initrd.img-{release}" if self._debian else f"/boot/initramfs-{release}.img"

    def start_whatever_is_saved(self, release: str) -> None:
        """Have the machine's next boots say that they run this kernel; "" for its newest again."""
        self._write(STARTS, release and f"{release}\n")

    def _write(self, path: str, text: str) -> None:
        self._lab.exec(self._node, ["tee", path], stdin=text)

    def _run(self, *argv: str) -> None:
        self._lab.exec(self._node, list(argv))
