"""boot_loader: what the next boot starts, read of a /boot in a folder."""

from __future__ import annotations

import os

import pytest

from tests.unit.loading import Commands, load
from tests.unit.node.test_boot_entries import BLS, EL9_MENU, MACHINE, MENU, NEW, OLD, compare

FIRST, SECOND = "5.14.0-1.el9.x86_64", "5.14.0-2.el9.x86_64"


GRUBBY = f"""index=0
kernel="/boot/vmlinuz-{FIRST}"
args="ro crashkernel=1G-4G:192M,4G-64G:256M rd.lvm.lv=rl/root"
root="/dev/mapper/rl-root"
initrd="/boot/initramfs-{FIRST}.img $tuned_initrd"
title="Rocky Linux ({FIRST}) 9.1 (Blue Onyx)"
id="{MACHINE}-{FIRST}"
"""


class Node:
    """A /boot in a folder, and GRUB's environment."""

    def __init__(self, folder):
        self.folder, self.environment, self.editor = folder, {}, "/usr/bin/grub2-editenv"
        self.image = None
        self.module = load(
            "modules",
            "boot_loader",
            salt={
                "bootc.status": lambda: self.image,
                "reboot_needed.wanted_kernel": lambda: SECOND,
                "pkg.version_cmp": compare,
                "cmd.which": lambda name: self.editor if name in self.editor else None,
                "cmd.run_all": self._list,
            },
        )
        self.module._ROOT = folder

    def _list(self, command, **options):
        listed = "".join(f"{name}={value}\n" for name, value in self.environment.items())
        told = {f"{self.editor} - list": listed, "/usr/bin/grubby --info=DEFAULT": GRUBBY}
        return Commands(told)(command, **options)

    def write(self, path, text="x" * 10):
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def next_boot(self):
        return self.module.next_boot()


@pytest.fixture
def rhel(tmp_path):
    node = Node(tmp_path)
    node.write("boot/grub2/grub.cfg", EL9_MENU)
    for release in (FIRST, SECOND):
        node.write(f"boot/loader/entries/{MACHINE}-{release}.conf", BLS.format(release))
        node.write(f"boot/vmlinuz-{release}")
        node.write(f"boot/initramfs-{release}.img", "y" * 30)
    node.environment = {"saved_entry": f"{MACHINE}-{SECOND}"}
    return node


@pytest.fixture
def debian(tmp_path):
    node = Node(tmp_path)
    node.write("boot/grub/grub.cfg", MENU.replace("DEFAULT", "0"))
    for release in (OLD, NEW):
        node.write(f"boot/vmlinuz-{release}")
        node.write(f"boot/initrd.img-{release}")
    return node


def test_a_boot_that_is_ready(rhel, debian):
    assert rhel.module is not debian.module
    found = rhel.next_boot()
    assert found.pop("room")["need"] == 40
    assert found == {
        "loader": "bls",
        "unknown": "",
        "entry": f"{MACHINE}-{SECOND}",
        "release": SECOND,
        "wanted": SECOND,
        "missing": {"kernel": [], "initramfs": []},
    }


def test_of_debian(debian):
    found = debian.next_boot()
    assert (found["loader"], found["entry"], found["release"]) == ("grub", "gnulinux-simple-0a", NEW)
    assert found["missing"] == {"kernel": [], "initramfs": []} and found["room"]["need"] == 20


def test_the_saved_entry_is_the_old_kernel(rhel):
    rhel.environment = {"saved_entry": f"{MACHINE}-{FIRST}"}
    assert (rhel.next_boot()["release"], rhel.next_boot()["wanted"]) == (FIRST, SECOND)


def test_the_environment_is_read_where_its_tool_is_not_installed(rhel):
    block = f"# GRUB Environment Block\nsaved_entry={MACHINE}-{FIRST}\nboot_success=0\n"
    rhel.write("boot/grub2/grubenv", block.ljust(1024, "#"))
    assert rhel.next_boot()["release"] == SECOND  # the tool's word counts
    rhel.editor = ""
    assert rhel.next_boot()["release"] == FIRST
    (rhel.folder / "boot/grub2/grub.cfg").unlink()
    assert (rhel.next_boot()["loader"], rhel.next_boot()["release"]) == ("bls", FIRST)


def test_what_only_grubby_knows(rhel):
    (rhel.folder / "boot/grub2/grub.cfg").unlink()
    assert rhel.next_boot()["unknown"]  # entries of another loader, by all that is known
    rhel.editor = "/usr/bin/grubby"
    found = rhel.next_boot()
    assert (found["loader"], found["entry"], found["release"]) == ("grubby", f"{MACHINE}-{FIRST}", FIRST)
    assert found["missing"] == {"kernel": [], "initramfs": []}


@pytest.mark.parametrize("broken", ["absent", "empty", "a folder"])
def test_files_that_cannot_be_started(rhel, broken):
    for name in (f"vmlinuz-{SECOND}", f"initramfs-{SECOND}.img"):
        path = rhel.folder / "boot" / name
        path.unlink()
        if broken == "empty":
            path.touch()
        elif broken == "a folder":
            path.mkdir()
    assert rhel.next_boot()["missing"] == {
        "kernel": [f"/vmlinuz-{SECOND}"],
        "initramfs": [f"/initramfs-{SECOND}.img"],
    }


def test_an_entry_without_an_initial_ram_disk_that_others_have(debian):
    text = MENU.replace("DEFAULT", "0").replace(f"initrd\t/boot/initrd.img-{NEW}\n", "\n")
    debian.write("boot/grub/grub.cfg", text)
    assert debian.next_boot()["missing"]["initramfs"] == [f"/boot/initrd.img-{NEW}"]


def test_a_kernel_without_any_is_a_choice(debian):
    lines = [line for line in MENU.replace("DEFAULT", "0").splitlines() if "initrd\t" not in line]
    debian.write("boot/grub/grub.cfg", "\n".join(lines))
    assert debian.next_boot()["missing"]["initramfs"] == []


def test_boot_is_a_subvolume(rhel):
    entry = rhel.folder / f"boot/loader/entries/{MACHINE}-{SECOND}.conf"
    entry.write_text(BLS.format(SECOND).replace(" /vmlinuz", " /@root/boot/vmlinuz"))
    assert rhel.next_boot()["missing"]["kernel"] == []


def test_the_room_is_that_of_the_file_system_of_boot(rhel, monkeypatch):
    free = os.statvfs(rhel.folder)
    assert rhel.next_boot()["room"]["free"] == pytest.approx(free.f_bavail * free.f_frsize, rel=0.1)


def test_where_the_loader_does_not_decide_nothing_is_known(rhel):
    rhel.write("sys/kernel/kexec_loaded", "1\n")
    assert rhel.next_boot()["unknown"]
    rhel.write("sys/kernel/kexec_loaded", "0\n")
    assert not rhel.next_boot()["unknown"]
    rhel.image = {"booted": "os:1", "staged": None}
    assert rhel.next_boot()["unknown"]


def test_what_cannot_be_told_is_not_ready_and_not_refused(tmp_path, rhel):
    nothing = Node(tmp_path / "container")
    assert nothing.next_boot()["unknown"] and nothing.next_boot()["loader"] == ""
    rhel.write("boot/grub2/grub.cfg", "menuentry 'x' {\n")
    assert rhel.next_boot()["unknown"]
    rhel.write("boot/grub2/grub.cfg", "menuentry 'x' {\nchainloader +1\n}\n")
    assert rhel.next_boot()["unknown"]
