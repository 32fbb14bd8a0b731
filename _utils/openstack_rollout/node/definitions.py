"""A container's definition: all that its deployer said of it, without what its image and the engine add.

Two containers of one definition differ in their image, their ids and their times alone. An engine tells a
container and its image in one (podman-inspect(1)); here they are taken apart again. Values may be secrets, so
definitions are compared by keyed digests of them, and differences are told by the names of their keys.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from openstack_rollout.node.errors import NodeError

# What podman gives each container anew, what it is at the moment, and what it works out of the rest.
_OF_ITSELF = frozenset(
    {
        *("Id", "Created", "State", "Name", "Image", "ImageDigest", "ImageName", "Rootfs", "GraphDriver"),
        *("ResolvConfPath", "HostnamePath", "HostsPath", "StaticDir", "OCIConfigPath", "PidFile", "Pod"),
        *("NetworkSettings", "ExecIDs", "RestartCount", "lockNumber", "EffectiveCaps", "BoundingCaps"),
        *("Driver", "MountLabel", "ProcessLabel", "SizeRw", "SizeRootFs", "Path", "Args", "OCIRuntime"),
        *("Config", "Mounts"),
    }
)
_OF_ITSELF_IN_CONFIG = frozenset({"Image", "CreateCommand"})
# What an image says too, under the engine's names of it in a container's Config.
_OF_IMAGE = (
    *("User", "WorkingDir", "Cmd", "Entrypoint", "StopSignal", "Healthcheck", "Volumes", "ExposedPorts"),
)
_SHORT_ID = 12
_MADE_UP = re.compile(r"[0-9a-f]{64}")
_INHERITED = "inherited"
# Annotations and variables that podman adds, some of them only when a container is started.
_ANNOTATIONS = ("org.opencontainers.image.stopSignal", "io.container.manager", "org.systemd.property.")
_PODMANS_VARIABLES = ("container", "HOSTNAME", "HOME", "TERM")
_RELABEL = ("z", "Z", "")
_UNSET: tuple[Any, ...] = (None, "", [], {})


def of(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of a container, as plain data that can be compared.

    container (dict): what `podman container inspect` tells of it. image (dict): what `podman image inspect`
    tells of its image.
    """
    own_id = str(container.get("Id", ""))
    # Places that have the container's id in them are the engine's.
    container = json.loads(json.dumps(container).replace(own_id, "ID")) if own_id else container
    found = {key: value for key, value in container.items() if key not in _OF_ITSELF}
    found["Config"] = _config(container.get("Config") or {}, image.get("Config") or {}, own_id)
    host = dict(container.get("HostConfig") or {})
    binds = [one for one in host.get("Binds") or () if not _MADE_UP.fullmatch(one.partition(":")[0])]
    host["Binds"] = [_bind(one) for one in binds]
    # podman tells binds, limits, … in any order.
    found["HostConfig"] = {
        key: sorted(value, key=repr) if isinstance(value, list) else value for key, value in host.items()
    }
    for one in (found["Config"], found["HostConfig"]):
        if isinstance(one.get("Annotations"), Mapping):
            kept = {k: v for k, v in one["Annotations"].items() if not k.startswith(_ANNOTATIONS)}
            one["Annotations"] = kept
    # An anonymous volume has a name of its own each time; carriers mount it again where it was.
    mounts = [one for one in container.get("Mounts") or () if not is_anonymous(one)]
    found["Mounts"] = sorted(map(_mount, mounts), key=repr)
    found["networks"] = sorted((container.get("NetworkSettings") or {}).get("Networks") or ())
    own = image.get("Config") or {}
    found[_INHERITED] = {"Config": {"Env": _variables(own), "Labels": dict(own.get("Labels") or {})}}
    return found


def is_anonymous(mount: Mapping[str, Any]) -> bool:
    """Whether a container's mount is a volume that nobody gave a name.

    mount (dict): as podman or docker tells it.
    """
    return bool(_MADE_UP.fullmatch(str(mount.get("Name") or "")))


def snapshot(definition: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """A definition as keyed digests: {"key": hexadecimal, "values": {name of a key: digest}, "inherited": the
    same of variables and labels that the image gives}.

    definition (dict): as `of` gives it. key (str): of the snapshot that it is going to be compared with; ""
    for a new one.
    """
    key = key or secrets.token_hex(16)
    own = {name: value for name, value in definition.items() if name != _INHERITED}
    values = {name: _digest(value, key) for name, value in _leaves(own)}
    given = {name: _digest(value, key) for name, value in _leaves(definition.get(_INHERITED) or {})}
    return {"key": key, "values": values, _INHERITED: given}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of the keys in which two snapshots of one key differ.

    before, after (dict): as `snapshot` gives them. What was said of one container and comes with the image of
    the other one is no difference.
    """
    names = before["values"].keys() | after["values"].keys()
    return sorted(name for name in names if _value(before, name) != _value(after, name))


def require_same(container: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise NodeError DEFINITION_CHANGED with the names of what differs between two definitions.

    container (str): its name. before (dict): a snapshot. after (dict): one of the same key.
    """
    if found := differences(before, after):
        raise NodeError(
            "DEFINITION_CHANGED",
            f"{container}: with the new image more than the image would differ: {', '.join(found)}",
        )


def _config(config: Mapping[str, Any], image: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    found = {key: value for key, value in config.items() if key not in _OF_ITSELF_IN_CONFIG}
    for key in _OF_IMAGE:
        if _plain(found.get(key)) == _plain(image.get(key)):
            found.pop(key, None)
    variables, given = _variables(config), _variables(image)
    found["Env"] = {
        name: value
        for name, value in variables.items()
        if name not in _PODMANS_VARIABLES and given.get(name) != value
    }
    labels = image.get("Labels") or {}
    found["Labels"] = {k: v for k, v in (config.get("Labels") or {}).items() if labels.get(k) != v}
    if own_id and found.get("Hostname") == own_id[:_SHORT_ID]:
        found.pop("Hostname")
    return found


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    pairs = (one.partition("=") for one in config.get("Env") or ())
    return {name: value for name, _, value in pairs}


def _value(snapshot: Mapping[str, Any], name: str) -> str | None:
    return snapshot["values"].get(name) or (snapshot.get(_INHERITED) or {}).get(name)


def _plain(value: Any) -> Any:
    """A value for a comparison: podman 4 tells an entry point as one line."""
    return " ".join(map(str, value)) if isinstance(value, list) else value or None


def _bind(bind: str) -> str:
    """A bind without its options to relabel, which podman forgets once it has followed them."""
    place, _, options = bind.rpartition(":")
    kept = sorted(one for one in options.split(",") if one not in _RELABEL)
    return f"{place}:{','.join(kept)}"


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in mount.items() if not (k == "Mode" and v in _RELABEL)}


def _leaves(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield from _leaves(one, f"{place}{key}.")
        elif one not in _UNSET:
            yield f"{place}{key}", one


def _digest(value: Any, key: str) -> str:
    text = json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.blake2b(text, key=bytes.fromhex(key), digest_size=16).hexdigest()
