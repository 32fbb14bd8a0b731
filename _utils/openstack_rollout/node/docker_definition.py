"""The definition of a docker container: what its deployer asked for, read from what docker tells.

docker mixes what was asked for with what the image brings (environment, labels, command …). A definition is
without the latter, so that the same container with another image has the same definition. Pure: dictionaries
as docker's API gives them (GET /containers/NAME/json, GET /images/ID/json) in, dictionaries out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

#: Keys of a container's Config that an image gives where nobody asked for something else.
_ONE_VALUE = ("User", "WorkingDir", "StopSignal", "Shell", "OnBuild", "ArgsEscaped")
_ADDED_UP = ("Labels", "ExposedPorts", "Volumes")
_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority")
#: What a volume is called that nobody named.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_SHORT_ID = 12
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_NO_RESTART = {"Name": "no", "MaximumRetryCount": 0}


def of(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for of a container, to compare: nothing of its image, no ids and no times.

    container (dict): as docker inspects it. image (dict): its image, as docker inspects it.

    Returns {"Config", "HostConfig", "Networks", "Mounts"}. Its environment may hold secrets.
    """
    host, own = _host_config(container), _own_config(container, image)
    host["Binds"] = [bind for bind in host.get("Binds") or () if not _ANONYMOUS.match(bind)]
    asked = set(own["Volumes"])
    for mount in host.get("Mounts") or ():
        asked.add(mount["Target"])
        if _ANONYMOUS.fullmatch(mount.get("Source") or ""):
            del mount["Source"]
    # An anonymous volume that nobody asked for came with the image.
    mounts = [one for one in container["Mounts"] if one["Destination"] in asked or not _anonymous(one)]
    return {
        "Config": _filled(own),
        "HostConfig": _filled(host),
        "Networks": _endpoints(container),
        "Mounts": {one["Destination"]: _mount(one) for one in mounts},
    }


def creation(container: Mapping[str, Any], image: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """What docker has to be asked for (POST /containers/create) to make the same container of another image.

    container (dict): as docker inspects it. image (dict): its image now. reference (str): the other image.

    Volumes that nobody named stay with it. docker is not asked to restart it: see `restart_policy`.
    """
    host = _host_config(container)
    volumes = {one["Destination"]: one["Name"] for one in container["Mounts"] if _anonymous(one)}
    bound = {bind.split(":")[1] for bind in host.get("Binds") or () if ":" in bind}
    kept = [
        f"{name}:{place}"
        for place, name in volumes.items()
        if place in (container["Config"].get("Volumes") or {}) and place not in bound
    ]
    if kept:
        host["Binds"] = [*(host.get("Binds") or ()), *kept]
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and not mount.get("Source") and mount["Target"] in volumes:
            mount["Source"] = volumes[mount["Target"]]
    host["RestartPolicy"] = dict(_NO_RESTART)
    return {
        **_own_config(container, image),
        "Image": reference,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": _endpoints(container)},
    }


def restart_policy(container: Mapping[str, Any]) -> dict[str, Any] | None:
    """How docker itself restarts a container, as its API takes it; None when it does not.

    container (dict): as docker inspects it.
    """
    policy = container["HostConfig"].get("RestartPolicy") or {}
    return None if policy.get("Name") in ("", "no", None) else dict(policy)


def _own_config(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """A container's Config without what its image brought, which docker would bring again."""
    brought = image.get("Config") or {}
    own = {key: copy.deepcopy(value) for key, value in container["Config"].items() if key != "Image"}
    for key in _ONE_VALUE:
        if own.get(key) == brought.get(key):
            own.pop(key, None)
    for key in _ADDED_UP:
        given = brought.get(key) or {}
        own[key] = {
            name: value for name, value in (own.get(key) or {}).items() if given.get(name, ...) != value
        }
    own["Env"] = _own_environment(own.get("Env") or [], brought.get("Env") or [])
    own |= _own_command(own, brought)
    health, given = own.get("Healthcheck") or {}, brought.get("Healthcheck") or {}
    # docker fills a health check up field by field; one with a test of its own is taken as it is.
    if health.get("Test") == given.get("Test"):
        own["Healthcheck"] = {key: value for key, value in health.items() if value != given.get(key)} or None
    if _named_by_docker(container):
        own.pop("Hostname", None)
    return own


def _own_environment(all_of_it: list[str], brought: list[str]) -> list[str]:
    """The variables that were asked for.

    docker puts those of the image after them, in the image's order, but for the ones that were asked for: so
    one that was asked for with the image's own value is told from one that the image brought.
    """
    for count in range(len(all_of_it) + 1):
        names = {_name(one) for one in all_of_it[:count]}
        if all_of_it[count:] == [one for one in brought if _name(one) not in names]:
            return all_of_it[:count]
    return [one for one in all_of_it if one not in brought]


def _name(variable: str) -> str:
    return variable.partition("=")[0]


def _own_command(config: Mapping[str, Any], brought: Mapping[str, Any]) -> dict[str, Any]:
    """The entry point and the command that were asked for; an image's command counts only with its own entry
    point, and an empty entry point is asked for as [""].
    """
    entry, command = config.get("Entrypoint") or [], config.get("Cmd") or []
    images_entry, images_command = brought.get("Entrypoint") or [], brought.get("Cmd") or []
    inherited = entry == images_entry and (command or not images_command)
    if inherited:
        return {"Entrypoint": None, "Cmd": None if command == images_command else command}
    return {"Entrypoint": entry or [""], "Cmd": command or None}


def _named_by_docker(container: Mapping[str, Any]) -> bool:
    """Whether a container's host name is none that was asked for, or that docker would refuse."""
    host, name = container["HostConfig"], container["Config"].get("Hostname") or ""
    shared = (host.get("NetworkMode") or "").startswith("container:") or host.get("UTSMode") == "host"
    return shared or (len(name) == _SHORT_ID and container["Id"].startswith(name))


def _host_config(container: Mapping[str, Any]) -> dict[str, Any]:
    host = copy.deepcopy(dict(container["HostConfig"]))
    # docker tells "/other:/this/alias", and is asked for "other:alias".
    pairs = [link.split(":") for link in host.get("Links") or ()]
    if pairs:
        host["Links"] = [f"{other.lstrip('/')}:{alias.rpartition('/')[2]}" for other, alias in pairs]
    # docker takes the default away when it starts a container, where the kernel knows no such switch.
    host["OomKillDisable"] = host.get("OomKillDisable") or None
    return host


def _endpoints(container: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A container's own settings in its networks; the host's network and another container's have none."""
    mode = container["HostConfig"].get("NetworkMode") or ""
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}
    found = {}
    for name, told in (container["NetworkSettings"].get("Networks") or {}).items():
        one = {key: copy.deepcopy(told[key]) for key in _ENDPOINT if told.get(key)}
        aliases = [alias for alias in one.pop("Aliases", ()) if alias != container["Id"][:_SHORT_ID]]
        found[name] = {**one, "Aliases": aliases} if aliases else one
    return found


def _anonymous(mount: Mapping[str, Any]) -> bool:
    return bool(_ANONYMOUS.fullmatch(mount.get("Name") or ""))


def _mount(told: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("Type", "Name", "Source", "Destination", "Driver", "RW", "Propagation")
    return _filled({key: told.get(key) for key in keys})


def _filled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: docker tells nothing sometimes as null, sometimes as an empty list."""
    return {key: value for key, value in settings.items() if value not in _NOTHING}
