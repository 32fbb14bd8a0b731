"""A simulated GRUB on a machine of the lab, which is started by nspawn and has no boot loader.

Its files have the forms that grub-mkconfig, kernel-install and grub-editenv give them, the environment is
written and read by GRUB's own grub-editenv; kernels and initial RAM disks are a few bytes. Nothing of it is
ever started: which kernel a machine says it runs is /etc/lab/starts, else its newest (lab-kernel).
"""

from __future__ import annotations

from collections.abc import Sequence

from . import extra_debs
from .cloud import Lab

MACHINE = "a98618aa1631441dbb52c75a50834a0a"
STARTS = "/etc/lab/starts"
_OPENING = """if [ -s $prefix/grubenv ]; then
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
"""
_BLS_MENU = f"{_OPENING}insmod blscfg\nblscfg\n"
_BLS = """title CentOS Stream ({0}) 9
version {0}
linux /vmlinuz-{0}
initrd /initramfs-{0}.img $tuned_initrd
options root=/dev/vda1 ro
grub_users $grub_users
grub_arg --unrestricted
grub_class centos
"""
_ENTRY = """{indent}menuentry '{title}' --class debian --class os $menuentry_id_option '{id}' {{
{indent}\tlinux\t/boot/vmlinuz-{release} root=/dev/vda1 ro  quiet
{indent}\tinitrd\t/boot/initrd.img-{release}
{indent}}}
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
        if not self._debian:
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
            titled = [("Debian GNU/Linux", "gnulinux-simple-0a", releases[0], "")]
            titled += [
                (f"Debian GNU/Linux, with Linux {one}", self.entry(one), one, "\t") for one in releases
            ]
            first, *rest = [
                _ENTRY.format(title=title, id=name, release=one, indent=indent)
                for title, name, one, indent in titled
            ]
            submenu = "submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-0a' {\n"
            self._write("/boot/grub/grub.cfg", f"{_OPENING}{first}{submenu}{''.join(rest)}}}\n")
            return
        self._write("/boot/grub2/grub.cfg", _BLS_MENU)
        for one in releases:
            self._write(f"/boot/loader/entries/{MACHINE}-{one}.conf", _BLS.format(one))

    def start_by_default(self, release: str) -> None:
        """Save a kernel's entry as the default one."""
        entry = self.entry(release)
        saved = f"gnulinux-advanced-0a>{entry}" if self._debian else entry
        self._run("grub-editenv", self._environment, "set", f"saved_entry={saved}")

    def entry(self, release: str) -> str:
        """The id of a kernel's entry."""
        return f"gnulinux-{release}-advanced-0a" if self._debian else f"{MACHINE}-{release}"

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
