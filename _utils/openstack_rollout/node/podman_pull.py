"""One pull by podman: looked after while it is under way, since podman itself waits for ever and fills a file
system to its last byte.

What podman unpacks is its own to keep in order (containers-storage drops layers that are not whole). What it
downloads goes to a folder of ours: podman that is ended leaves that behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, images, moving, registries, signatures, storage
from openstack_rollout.node.errors import NodeError

_WHY = 3  # lines at the end of podman's output that say why it failed
_LONGEST = 2000
# Bytes. With more than that left nobody asks the registry beforehand how large an image is: each question
# counts against a limit of pulls.
_PLENTY = 16 * 2**30
_SCRATCH = "/var/tmp"  # noqa: S108 - where podman downloads to unless it is told otherwise
_PREFIX = "openstack-rollout-pull-"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def pull(
    reference: str, stall: float, place: tuple[str, str], declared: registries.Declared | None = None
) -> str:
    """Pull an image by its digest, for as long as it gets on.

    reference (str): registry/repository@sha256:… stall (float): seconds without progress after which the pull
    is ended. place: of `places`. declared (dict): of registries, as registries.of tells.

    Returns the id of the image. Raises NodeError as podman.pull does.
    """
    try:
        with registries.given(reference, declared or {}) as reached:
            done = _pulled(reference, stall, place, reached, declared or {})
    except registries.Unreadable as error:
        raise NodeError("REGISTRY_LOGIN", f"{reference}: {error}") from error
    if done.retcode:
        complaint = done.complaint(_LONGEST, lines=_WHY).removeprefix("Error: ")
        complaint = complaint.removeprefix(f"initializing source docker://{images.without_tag(reference)}: ")
        reason = images.pull_failure(complaint)
        if reason == "DISK_FULL":
            free = [f"{now.system} has {now.free} bytes free" for now in map(storage.room, set(place))]
            complaint = f"{'; '.join(sorted(free))}: {complaint}"
        raise NodeError(reason, f"{reference}: {complaint}", retry_after=images.retry_after(complaint))
    return done.stdout.split()[-1].removeprefix("sha256:")


def _pulled(
    reference: str,
    stall: float,
    place: tuple[str, str],
    reached: registries.Given,
    declared: registries.Declared,
) -> commands.Result:
    plain = images.without_tag(reference)
    _require_room(plain, reference, place, stall, reached)
    with _own_folder(place[1]) as folder, signatures.enforced(reference, declared, folder) as signed:
        own = [*(["--authfile", reached.auth] if reached.auth else []), *signed.arguments]
        command = ["podman", "pull", "--quiet", "--retry", "1", "--retry-delay", "1s", *own, plain]
        env = {**({"TMPDIR": folder} if folder else {}), **signed.env}
        return _run(command, reference, stall, reached, places=place, env=env)


def places(salt: Mapping[str, Any]) -> tuple[str, str]:
    """Where podman keeps images, and where it downloads them to: its configuration, which it is slow to tell.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError.
    """
    told = commands.checked(salt, ["podman", "info", "--format", "json"], lines=_WHY)
    try:
        store = json.loads(told)["store"]
        return store["graphRoot"], store.get("imageCopyTmpDir") or _SCRATCH
    except (ValueError, KeyError, TypeError) as error:
        raise CommandExecutionError(f"podman info: it does not tell its storage ({error})") from error


def _run(
    command: list[str],
    reference: str,
    stall: float,
    reached: registries.Given,
    *,
    places: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> commands.Result:
    """Run podman under our limits. Raises NodeError REGISTRY_UNREACHABLE, DISK_FULL or IMAGE_PULL_FAILED."""

    def full() -> str:
        return next((said for place in places if (said := storage.lacking(place, "what runs here"))), "")

    env = {**registries.environment(reached), **(env or {})}
    try:
        return moving.run(command, moving.Limits(stall, full), env, reached.descriptors)
    except moving.Stopped as ended:
        if ended.why:
            raise NodeError("DISK_FULL", f"{reference}: the pull was ended: {ended.why}") from ended
        waited = f"nothing came for {stall:g} s, {ended.moved} bytes before that, and the pull was ended"
        if ended.peers:
            text = f"{reference}: {waited}; it waited for {', '.join(ended.peers)}"
            raise NodeError("REGISTRY_UNREACHABLE", text, waited=True) from ended
        # Without a connection it is not the registry that podman waits for.
        text = f"{reference}: {waited}; it waited for the node's storage, or another podman"
        raise NodeError("IMAGE_PULL_FAILED", text) from ended


def _require_room(
    plain: str, reference: str, places: tuple[str, str], stall: float, reached: registries.Given
) -> None:
    """Make sure that the image will fit, as far as that is known. Raises NodeError DISK_FULL."""
    store, scratch = places
    for place in places:
        storage.require_room(place, reference)
    rooms = {place: storage.room(place) for place in places}
    if all(one.free >= _PLENTY for one in rooms.values()):
        return
    size = _size(plain, reference, stall, reached)
    # What is downloaded stays until all of it is unpacked, to more than its size.
    shared = rooms[store].system == rooms[scratch].system
    for place in rooms:
        storage.require_room(place, reference, size * (2 if shared else 1) + storage.ROOM)


def _size(plain: str, reference: str, stall: float, reached: registries.Given) -> int:
    """The bytes of an image's layers as the registry has them, 0 where podman does not tell."""
    found = _manifest(plain, reference, stall, reached)
    if "manifests" in found:
        machine = platform.machine()
        wanted = _ARCHITECTURES.get(machine, machine)
        fitting = [
            one["digest"]
            for one in found["manifests"]
            if (one.get("platform") or {}).get("architecture") == wanted and "digest" in one
        ]
        if not fitting:
            return 0
        found = _manifest(f"{plain.partition('@')[0]}@{fitting[0]}", reference, stall, reached)
    return sum(int(layer.get("size") or 0) for layer in found.get("layers") or ())


def _manifest(plain: str, reference: str, stall: float, reached: registries.Given) -> dict[str, Any]:
    done = _run(["podman", "manifest", "inspect", f"docker://{plain}"], reference, stall, reached)
    try:
        found = json.loads(done.stdout) if not done.retcode else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _own_folder(parent: str) -> Iterator[str]:
    """A folder for what podman downloads, and nothing left of those of pulls that died; "" without any."""
    if not Path(parent).is_dir():
        yield ""
        return
    for left in Path(parent).glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    try:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{parent}: {error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
