"""What the next boot of this node starts, asked before somebody reboots it.

GRUB is known, with a menu of its own (Debian) and with entries of the Boot Loader Specification (RHEL). Of
any other loader, and where none decides (a container's machine, an image of bootc, a kernel that is loaded
for kexec), nothing is known: that is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from openstack_rollout.node import boot_entries, commands
from openstack_rollout.node.boot_entries import Entry

_ROOT = Path("/")
_BOOT = "boot"
_MENUS = ("boot/grub2/grub.cfg", "boot/grub/grub.cfg", "boot/efi/EFI/*/grub.cfg")
_ENTRIES = "boot/loader/entries"
_KEXEC = "sys/kernel/kexec_loaded"
_EDITORS = ("grub2-editenv", "grub-editenv")
_NOT_KNOWN = {
    "loader": "",
    "entry": "",
    "release": "",
    "missing": {"kernel": [], "initramfs": []},
    "room": None,
}


def next_boot() -> dict:
    """What the next boot starts, and whether that is there. No judgement: declared/facts.py describes it.

    Returns {"loader": "grub", "bls", or "" where no known loader is found, "unknown": why it cannot be told,
    else "", "entry": the name of the default entry, "release": its kernel as `uname -r` would print it,
    "wanted": the newest installed kernel, "" where it is not known or an earlier reboot did not start it,
    "missing": {"kernel", "initramfs": files that the entry names and that are not there, or empty},
    "room": {"free", "need"}: bytes of the file system of /boot, and of the entry's files, or None}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' boot_loader.next_boot
    """
    wanted = __salt__["reboot_needed.wanted_kernel"]()
    try:
        return {**_NOT_KNOWN, **_default(), "unknown": "", "wanted": wanted}
    except (OSError, ValueError, LookupError) as error:
        return {**_NOT_KNOWN, "unknown": str(error) or type(error).__name__, "wanted": wanted}


def _default() -> dict:
    """Raises LookupError, OSError or ValueError, where it cannot be told."""
    if __salt__["bootc.status"]():
        raise LookupError("an image of bootc, which sees to its kernel itself")
    if _loaded_for_kexec():
        raise LookupError("a kernel is loaded for kexec, which systemd takes instead of the boot loader")
    path = next((found for glob in _MENUS for found in sorted(_ROOT.glob(glob))), None)
    if path is None:
        raise LookupError(
            f"no boot loader that is known here: no {_ROOT / _MENUS[0]}, no {_ROOT / _MENUS[1]}"
        )
    menu = path.read_text(encoding="utf-8", errors="replace")
    own = boot_entries.has_own_entries(menu)
    entries = _own_entries() if own else boot_entries.of_menu(menu)
    environment = _environment() if boot_entries.needs_environment(menu) else {}
    entry = boot_entries.default(entries, boot_entries.default_key(menu, environment))
    if entry is None or not entry.kernel:
        raise LookupError(f"{path}: its default entry starts no kernel that is known here")
    return {
        "loader": "bls" if own else "grub",
        "entry": entry.id or entry.title,
        "release": entry.release,
        "missing": {
            "kernel": _not_there([entry.kernel]),
            "initramfs": _without_initramfs(entry, entries) or _not_there(entry.initial),
        },
        "room": _room(entry),
    }


def _loaded_for_kexec() -> bool:
    try:
        return (_ROOT / _KEXEC).read_text(encoding="utf-8").strip() == "1"
    except OSError:
        return False  # this kernel cannot do it


def _own_entries() -> list[Entry]:
    files = {
        path.stem: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((_ROOT / _ENTRIES).glob("*.conf"))
    }
    return boot_entries.of_files(files, __salt__["pkg.version_cmp"])


def _environment() -> dict[str, str]:
    editor = next((found for name in _EDITORS if (found := __salt__["cmd.which"](name))), None)
    if editor is None:
        raise LookupError(f"no {_EDITORS[0]}, no {_EDITORS[1]}: the saved entry cannot be read")
    result = commands.run(__salt__, [editor, "-", "list"])
    if result.retcode:
        raise LookupError(f"{editor}: {result.complaint()}")
    return boot_entries.variables(result.stdout)


def _without_initramfs(entry: Entry, entries: Iterable[Entry]) -> list[str]:
    """What an entry would have to name as others do, when it names none: its generation failed."""
    others = [one for one in boot_entries.all_of(entries) if one.initial]
    if entry.initial or not others or not entry.release:
        return []
    return [others[0].initial[-1].replace(others[0].release or "*", entry.release)]


def _not_there(names: Iterable[str]) -> list[str]:
    return [name for name in names if not _size(name)]


def _size(name: str) -> int:
    """The bytes of a file that can be read; 0 where it is not there, cannot be read or is empty."""
    for path in _places(name):
        try:
            with path.open("rb") as file:
                return os.fstat(file.fileno()).st_size if file.read(1) else 0
        except OSError:
            continue
    return 0


def _places(name: str) -> list[Path]:
    """Where a file of GRUB's is: it counts from the root of the file system, or subvolume, of /boot."""
    inside = name.lstrip("/")
    return [_ROOT / inside, _ROOT / _BOOT / inside, _ROOT / _BOOT / Path(inside).name]


def _room(entry: Entry) -> dict[str, int] | None:
    """What is free for another kernel, and what one needs by the entry's own files."""
    need = sum(map(_size, (entry.kernel, *entry.initial)))
    if not need:
        return None
    status = os.statvfs(_ROOT / _BOOT)
    return {"free": status.f_bavail * status.f_frsize, "need": need}
