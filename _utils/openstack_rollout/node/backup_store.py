"""Backups on a node: folders that root alone can read, written and read as streams, encrypted on the way.

What a program prints goes to the file by way of openssl(1) where a key is given, so that nothing secret is
ever on the disk in the clear. The key is a file of the node: it is in no command line and no message.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

FOLDER = Path("/var/lib/openstack-rollout/backups")
_RECORD = "backup.json"
_FORM = {"name": str, "at": float, "parts": dict}
_CIPHER = ("openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "600000")
_LONGEST = 300  # characters of a complaint that a message repeats


class Part(NamedTuple):
    """A part of a backup: its file's name, its size in bytes and sum, how it was taken, what proved it, and
    whether it is encrypted.
    """

    file: str
    bytes: int
    sha256: str
    how: str
    proven: str
    encrypted: bool


def known() -> dict[str, dict[str, Part]]:
    """The backups of this node: name → part → what it is; the oldest first."""
    found = []
    for place in FOLDER.iterdir() if FOLDER.exists() else ():
        record = StateFile(place / _RECORD, _FORM).read_or_none()
        if record:
            parts = {name: Part(**one) for name, one in record["parts"].items()}
            found.append((record["at"], record["name"], parts))
    return {name: parts for _, name, parts in sorted(found)}


def record(name: str, at: float, parts: Mapping[str, Part]) -> None:
    """Write down what a backup has. at (float): when it was begun, seconds since the epoch."""
    plain = {part: one._asdict() for part, one in parts.items()}
    StateFile(place(name) / _RECORD).write({"name": name, "at": at, "parts": plain})


def place(name: str) -> Path:
    """The folder of a backup, made where it is missing. Raises NodeError BACKUP_FAILED."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
        (FOLDER / name).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise NodeError("BACKUP_FAILED", f"{FOLDER}: {error}") from error
    return FOLDER / name


def keep(count: int, of: str) -> list[str]:
    """Forget all backups but the last ones, and what was never written down, but never `of`; returns the
    names of those that went. One whose record is damaged stays: nobody knows what it is.
    """
    whole = known()
    old = [name for name in whole if name != of][: -(count - 1) or None]
    old += [one.name for one in FOLDER.iterdir() if one.name != of and not (one / _RECORD).exists()]
    for name in old:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    return old


def refuse_key(key: str) -> None:
    """Raise NodeError BACKUP_FAILED for a key file that is missing, empty, or not root's alone.

    key (str): its path, "" for none.
    """
    if not key:
        return
    try:
        found = os.stat(key)
    except OSError as error:
        raise NodeError("BACKUP_FAILED", f"openstack:backup:key_file: {error}") from error
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        raise NodeError("BACKUP_FAILED", f"openstack:backup:key_file: {key} has no key in it")
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise NodeError(
            "BACKUP_FAILED", f"openstack:backup:key_file: others than root may read {key}: chmod 600 {key}"
        )


def write(
    command: Sequence[str], target: Path, key: str, within: float, fine: Collection[int] = (0,)
) -> tuple[int, str, str]:
    """Have what a program prints in a file. A file that is there is replaced when all of it is written.

    command (list): the program and its arguments. key (str): the file of a passphrase, "" for none. within
    (float): seconds. fine: the program's exit statuses that are no failure.

    Returns the file's size, its sum, and what the program said beside. Raises NodeError BACKUP_FAILED.
    """
    aside = target.with_name(f".{target.name}.new")
    try:
        with open(aside, "wb", opener=_private) as output, tempfile.TemporaryFile() as said:
            filters = [[*_CIPHER, "-salt", "-pass", f"file:{key}"]] if key else []
            _through([list(command), *filters], None, output, said, within, fine)
            output.flush()
            os.fsync(output.fileno())
            told = _tail(said)
        found = aside.stat().st_size, sum_of(aside), told
        aside.replace(target)
    except OSError as error:
        raise NodeError("BACKUP_FAILED", f"{target}: {error}") from error
    finally:
        aside.unlink(missing_ok=True)
    return found


def read(path: Path, key: str, command: Sequence[str], within: float) -> str:
    """Have a program read a backup's file, decrypted; returns what it says. Raises NodeError BACKUP_FAILED.

    path: of the file. key, within: as for `write`; command (list): as there.
    """
    try:
        with open(path, "rb") as source, tempfile.TemporaryFile() as said:
            _through([*_decrypting(key), list(command)], source, said, said, within)
            return _tail(said)
    except OSError as error:
        raise NodeError("BACKUP_FAILED", f"{path}: {error}") from error


@contextlib.contextmanager
def opened(path: Path, key: str) -> Iterator[IO[bytes]]:
    """What a backup's file has in it, decrypted. key: as for `write`. Raises NodeError BACKUP_FAILED.

    Who does not read to its end learns nothing of a wrong key.
    """
    with open(path, "rb") as source:
        if not key:
            yield source
            return
        (command,) = _decrypting(key)
        with subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            yield process.stdout or source
        if process.returncode:
            raise NodeError("BACKUP_FAILED", f"{path}: it cannot be decrypted with openstack:backup:key_file")


def sum_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _decrypting(key: str) -> list[list[str]]:
    return [[*_CIPHER, "-d", "-pass", f"file:{key}"]] if key else []


def _through(  # noqa: PLR0917
    commands: Sequence[Sequence[str]],
    source: IO[bytes] | None,
    output: IO[bytes],
    said: IO[bytes],
    within: float,
    fine: Collection[int] = (0,),
) -> None:
    """Run programs, each of which reads what the one before it prints. Raises NodeError BACKUP_FAILED.

    fine: exit statuses of the first of them that are no failure.
    """
    running: list[subprocess.Popen[bytes]] = []
    before: Any = source or subprocess.DEVNULL
    try:
        for number, command in enumerate(commands):
            last = number == len(commands) - 1
            process = subprocess.Popen(
                list(command), stdin=before, stdout=output if last else subprocess.PIPE, stderr=said
            )
            running.append(process)
            if before not in (source, subprocess.DEVNULL):
                before.close()  # so that who writes into it learns when its reader died
            before = process.stdout
        for process in reversed(running):
            process.wait(within)
    except subprocess.TimeoutExpired as error:
        raise NodeError("BACKUP_FAILED", f"{commands[0][0]} took more than {within:.0f} s") from error
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
    for number, (command, process) in enumerate(zip(commands, running, strict=True)):
        if process.returncode not in (fine if number == 0 else (0,)):
            how = f"exit status {process.returncode}"
            raise NodeError("BACKUP_FAILED", f"{_named(command)}: {_tail(said) or how}")


def _named(command: Sequence[str]) -> str:
    """The program that a command runs, without its arguments: they name the key's place."""
    return " ".join([one for one in command if not one.startswith("-")][:4])


def _tail(said: IO[bytes]) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 4 * _LONGEST))
    return " ".join(said.read().decode(errors="replace").split())[-_LONGEST:]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
