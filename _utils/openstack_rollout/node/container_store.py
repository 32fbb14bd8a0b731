"""Where container engines keep images on this node, and whether that place is sound.

The files of containers-storage are read as they are: a list of layers that podman cannot read keeps every
container from being made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands

#: The execution module of an engine → its program.
ENGINES = {"podman": "podman", "docker_engine": "docker"}
_PATIENCE = 20.0  # seconds in which an engine has to answer
_SHORT = 12  # characters of a digest that tell layers apart on one node
_MOST = 5000  # layers that are told
_FEW_LOCKS = 16  # podman needs one for each container
_COPIES = "/var/tmp"  # noqa: S108 - where podman puts what it copies, unless it says otherwise


def found(salt: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stores of this node, one for each engine that is installed.

    salt (dict): the caller's `__salt__`.

    Returns [{"engine", "root": its folder, "copies": where it keeps what it fetches meanwhile, "layers":
    beginnings of the digests of layers that are here, as a registry knows them, "grows": bytes on the disk
    for each byte that was fetched (0.0: not known), "broken": what keeps containers from being made, a line
    each, "doubts": what may}].
    """
    return [
        _podman(salt, program) if program == "podman" else _docker(salt, program)
        for module, program in ENGINES.items()
        if f"{module}.containers" in salt
    ]


def layers_of_images(salt: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The layers of podman's images, with their bytes on the disk: {image id: {layer id: bytes}}.

    salt (dict): the caller's `__salt__`. {} where the lists cannot be read.
    """
    said = _info(salt, ["podman", "info", "--format", "json"])
    store = said.get("store") or {} if isinstance(said, dict) else {}
    root, driver = Path(str(store.get("graphRoot") or "")), str(store.get("graphDriverName") or "overlay")
    try:
        images = _listed(root / f"{driver}-images" / "images.json")
        every = {one["id"]: one for one in _listed(root / f"{driver}-layers" / "layers.json")}
        return {one["id"]: _chain(str(one.get("layer") or ""), every) for one in images}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _listed(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    return list(json.loads(text)) if text.strip() else []


def _chain(top: str, every: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """A layer and all below it, with their bytes."""
    found: dict[str, int] = {}
    while top in every and top not in found:
        found[top] = int(every[top].get("diff-size") or 0)
        top = str(every[top].get("parent") or "")
    return found


def _podman(salt: Mapping[str, Any], program: str) -> dict[str, Any]:
    said = _info(salt, [program, "info", "--format", "json"])
    if isinstance(said, str):
        return _store(program, broken=[said])
    store, host = said.get("store") or {}, said.get("host") or {}
    root = str(store.get("graphRoot") or "")
    one = _store(program, root, str(store.get("imageCopyTmpDir") or _COPIES))
    if str((store.get("graphStatus") or {}).get("Supports d_type", "true")).lower() == "false":
        one["broken"].append(f"{root}: its file system does not tell the types of files (ftype=0)")
    locks = host.get("freeLocks")
    if isinstance(locks, int) and locks < _FEW_LOCKS:
        kind = "doubts" if locks else "broken"
        one[kind].append(f"{locks} locks are free, and each container needs one (podman system renumber)")
    if root:
        _look_at(Path(root), str(store.get("graphDriverName") or "overlay"), one)
    return one


def _docker(salt: Mapping[str, Any], program: str) -> dict[str, Any]:
    said = _info(salt, [program, "info", "--format", "{{json .}}"])
    if isinstance(said, str):
        return _store(program, broken=[said])
    root = str(said.get("DockerRootDir") or "")
    one = _store(program, root, root, doubts=[str(line) for line in said.get("ServerErrors") or ()])
    _writable(Path(root), one)
    known = Path(root) / "image" / str(said.get("Driver")) / "distribution" / "diffid-by-digest" / "sha256"
    try:
        one["layers"] = sorted(path.name[:_SHORT] for path in known.iterdir())[:_MOST]
    except OSError:
        one["layers"] = []  # another kind of store: all of an image counts as to be fetched
    return one


def _store(
    engine: str,
    root: str = "",
    copies: str = "",
    broken: list[str] | None = None,
    doubts: list[str] | None = None,
) -> dict[str, Any]:
    told = {"broken": list(broken or ()), "doubts": list(doubts or ())}
    return {"engine": engine, "root": root, "copies": copies, "layers": [], "grows": 0.0, **told}


def _info(salt: Mapping[str, Any], command: list[str]) -> dict[str, Any] | str:
    """What an engine tells of itself; a line where it does not."""
    try:
        result = commands.run(salt, command, timeout=_PATIENCE)
    except CommandExecutionError as error:
        return str(error)
    try:
        said = json.loads(result.stdout)
    except ValueError:
        said = None
    if result.retcode or not isinstance(said, dict):
        return f"{command[0]} does not tell of its store: {result.complaint()}"
    return said


def _look_at(root: Path, driver: str, one: dict[str, Any]) -> None:
    """Read containers-storage's lists of images and layers."""
    _writable(root, one)
    fetched = unpacked = 0
    for part in ("images", "layers", "containers"):
        listed = root / f"{driver}-{part}" / f"{part}.json"
        try:
            entries = _listed(listed)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            one["broken"].append(f"{listed} cannot be read: {error}")
            continue
        if part != "layers":
            continue
        for layer in entries:
            if (layer.get("flags") or {}).get("incomplete"):
                one["doubts"].append(
                    f"layer {str(layer.get('id'))[:_SHORT]} is not whole (podman system check)"
                )
            digest = str(layer.get("compressed-diff-digest") or "").rpartition(":")[2]
            if digest:
                one["layers"].append(digest[:_SHORT])
            if layer.get("compressed-size") and layer.get("diff-size"):
                fetched += int(layer["compressed-size"])
                unpacked += int(layer["diff-size"])
    one["layers"] = sorted(set(one["layers"]))[:_MOST]
    one["grows"] = round(unpacked / fetched, 2) if fetched else 0.0


def _writable(root: Path, one: dict[str, Any]) -> None:
    try:
        if os.statvfs(root).f_flag & os.ST_RDONLY:
            one["broken"].append(f"{root}: its file system is mounted read-only")
    except FileNotFoundError:
        return  # nothing was ever pulled
    except OSError as error:
        one["broken"].append(f"{root}: {error.strerror or error}")
