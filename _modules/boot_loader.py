"""What the next boot of this node starts, asked before somebody reboots it.

GRUB is known, with a menu of its own (Debian) and with entries of the Boot Loader Specification (RHEL), and
what else grubby knows (zipl). Of any other loader, and where none decides (a container's machine, an image of
bootc, a kernel that is loaded for kexec), nothing is known: that is said.
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
_ENVIRONMENTS = ("boot/grub2/grubenv", "boot/grub/grubenv")
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

    Returns {"loader": "grub", "bls", "grubby", or "" where no known one is found, "unknown": why it cannot be
    told, else "", "entry": the name of the default entry, "release": its kernel as `uname -r` would print it,
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
    menu = _menu()
    if menu is None:
        loader, entries, entry = "grubby", [], _of_grubby()
    else:
        own = boot_entries.has_own_entries(menu)
        loader, entries = ("bls", _own_entries()) if own else ("grub", boot_entries.of_menu(menu))
        environment = _environment() if boot_entries.needs_environment(menu) else {}
        entry = boot_entries.default(entries, boot_entries.default_key(menu, environment))
    if entry is None or not entry.kernel:
        raise LookupError("the default entry starts no kernel that is known here")
    return {
        "loader": loader,
        "entry": entry.id or entry.title,
        "release": entry.release,
        "missing": {
            "kernel": _not_there([entry.kernel]),
            "initramfs": _without_initramfs(entry, entries) or _not_there(entry.initial),
        },
        "room": _room(entry),
    }


def _menu() -> str | None:
    """The text of GRUB's menu, None where there is none."""
    path = next((found for glob in _MENUS for found in sorted(_ROOT.glob(glob))), None)
    if path is not None:
        return path.read_text(encoding="utf-8", errors="replace")
    here = any((_ROOT / _ENTRIES).glob("*.conf")) and _environment_file() is not None
    return boot_entries.MENU_OF_ENTRIES if here else None


def _of_grubby() -> Entry:
    grubby = __salt__["cmd.which"]("grubby")
    if not grubby:
        raise LookupError(f"no boot loader that is known here: no {', no '.join(_MENUS[:2])}, no grubby")
    result = commands.run(__salt__, [grubby, "--info=DEFAULT"])
    if result.retcode:
        raise LookupError(f"{grubby}: {result.complaint()}")
    return boot_entries.of_grubby(result.stdout)


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
    """GRUB's environment, by its own tool; where that is not installed, of the file: it is lines of text."""
    editor = next((found for name in _EDITORS if (found := __salt__["cmd.which"](name))), None)
    if editor is None:
        path = _environment_file()
        return boot_entries.variables(path.read_text(encoding="utf-8", errors="replace")) if path else {}
    result = commands.run(__salt__, [editor, "-", "list"])
    if result.retcode:
        raise LookupError(f"{editor}: {result.complaint()}")
    return boot_entries.variables(result.stdout)


def _environment_file() -> Path | None:
    return next((path for name in _ENVIRONMENTS if (path := _ROOT / name).exists()), None)


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
