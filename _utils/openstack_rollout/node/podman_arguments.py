"""podman's arguments that create a container again which was created through podman's API.

Such a container has no command line that could be repeated, so its settings are read where podman tells
them (podman-inspect(1)) and said again in the options of podman-create(1). `podman container clone` would be
shorter; on 5.4 it fails with the host's IPC namespace, and loses network mode, user, health check, log
driver, stop timeout, hosts, security options and limits. Whoever uses these arguments compares what comes of
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from openstack_rollout.node.errors import NodeError

Told = Mapping[str, Any]

# Variables and annotations that podman sets itself.
_PODMANS_VARIABLES = ("container", "HOSTNAME")
_PODMANS_ANNOTATIONS = ("io.container.", "io.podman.", "org.opencontainers.image.", "org.systemd.property.")
_LISTS = {
    "CapAdd": "--cap-add",
    "CapDrop": "--cap-drop",
    "Dns": "--dns",
    "DnsOptions": "--dns-option",
    "DnsSearch": "--dns-search",
    "ExtraHosts": "--add-host",
    "GroupAdd": "--group-add",
    "SecurityOpt": "--security-opt",
    "Binds": "--volume",
}
_VALUES = {
    "PidMode": "--pid",
    "IpcMode": "--ipc",
    "UTSMode": "--uts",
    "UsernsMode": "--userns",
    "CgroupMode": "--cgroupns",
    "CgroupParent": "--cgroup-parent",
    "CpuShares": "--cpu-shares",
    "CpuPeriod": "--cpu-period",
    "CpuQuota": "--cpu-quota",
    "CpusetCpus": "--cpuset-cpus",
    "CpusetMems": "--cpuset-mems",
    "BlkioWeight": "--blkio-weight",
    "Memory": "--memory",
    "MemoryReservation": "--memory-reservation",
    "MemorySwap": "--memory-swap",
    "OomScoreAdj": "--oom-score-adj",
}
_OF_CONFIG = {
    "User": "--user",
    "WorkingDir": "--workdir",
    "StopSignal": "--stop-signal",
    "StopTimeout": "--stop-timeout",
    "Timeout": "--timeout",
    "Umask": "--umask",
    "sdNotifyMode": "--sdnotify",
    "Tty": "--tty",
    "OpenStdin": "--interactive",
}
_FLAGS = {"Privileged": "--privileged", "Init": "--init", "ReadonlyRootfs": "--read-only"}
# podman's words for "nothing special", which it does not take back as values.
_USUAL = {
    "PidMode": ("private",),
    "UTSMode": ("private",),
    "WorkingDir": ("/",),
    "Cgroups": ("", "default"),
    "sdNotifyMode": ("container",),
}


def of(container: Told, image: Told, name: str, reference: str) -> list[str]:
    """The arguments, from `create` on.

    container, image (dict): what `podman inspect` tells of the container and of its image. name (str): the
    new one's. reference (str): the image of the new one.

    Raises NodeError DEFINITION_REFUSED for what cannot be said again.
    """
    config, host, own = container["Config"], container["HostConfig"], image.get("Config") or {}
    if config.get("Secrets"):
        raise _refused(container, "it has podman's secrets")
    if host.get("AutoRemove"):
        raise _refused(container, "podman removes it when it stops")
    return [
        "create",
        f"--name={name}",
        *_of_process(config, own),
        *_of_health(config.get("Healthcheck"), image),
        *_of_host(host),
        *_of_network(host),
        *_of_logs(host.get("LogConfig") or {}, container["Id"]),
        reference,
        *(config.get("Cmd") or () if config.get("Cmd") != own.get("Cmd") else ()),
    ]


def _of_process(config: Told, own: Told) -> Iterator[str]:
    theirs = set(own.get("Env") or ())
    for variable in config.get("Env") or ():
        if variable not in theirs and variable.partition("=")[0] not in _PODMANS_VARIABLES:
            yield f"--env={variable}"
    labels = own.get("Labels") or {}
    for key, value in (config.get("Labels") or {}).items():
        if labels.get(key) != value:
            yield f"--label={key}={value}"
    for key, value in (config.get("Annotations") or {}).items():
        if not key.startswith(_PODMANS_ANNOTATIONS):
            yield f"--annotation={key}={value}"
    yield from _of_start(config, own)


def _of_start(config: Told, own: Told) -> Iterator[str]:
    if not config.get("sdNotifyMode"):
        yield "--sdnotify="  # empty is no mode at all, which podman's API leaves
    entry_point = config.get("Entrypoint")
    if entry_point and entry_point != own.get("Entrypoint"):
        yield f"--entrypoint={json.dumps(entry_point) if isinstance(entry_point, list) else entry_point}"
    for key, option in _OF_CONFIG.items():
        usual = (own.get(key), *_USUAL.get(key, ()))
        if config.get(key) not in (None, "", 0, False, *usual):
            yield option if config[key] is True else f"{option}={config[key]}"


def _of_health(check: Told | None, image: Told) -> Iterator[str]:
    if not check or check in (image.get("Healthcheck"), image.get("HealthCheck")):
        return
    kind, *words = check.get("Test") or ["NONE"]
    if kind == "NONE":
        yield "--no-healthcheck"
        return
    yield f"--health-cmd={words[0] if kind == 'CMD-SHELL' else json.dumps(['CMD', *words])}"
    for key, option in (
        ("Interval", "--health-interval"),
        ("Timeout", "--health-timeout"),
        ("StartPeriod", "--health-start-period"),
    ):
        if check.get(key):
            yield f"{option}={check[key]}ns"
    if check.get("Retries"):
        yield f"--health-retries={check['Retries']}"


def _of_host(host: Told) -> Iterator[str]:
    for key, option in _LISTS.items():
        yield from (f"{option}={value}" for value in host.get(key) or ())
    for key, option in _VALUES.items():
        if host.get(key) and host[key] not in _USUAL.get(key, ()):
            yield f"{option}={host[key]}"
    yield from (option for key, option in _FLAGS.items() if host.get(key))
    if host.get("Cgroups", "") not in _USUAL["Cgroups"]:
        yield f"--cgroups={host['Cgroups']}"
    if host.get("PidsLimit") is not None:
        yield f"--pids-limit={host['PidsLimit']}"
    if host.get("NanoCpus"):
        yield f"--cpus={host['NanoCpus'] / 1e9:g}"
    if host.get("ShmSize") and host.get("IpcMode") != "host":
        yield f"--shm-size={host['ShmSize']}b"
    for place, options in (host.get("Tmpfs") or {}).items():
        yield f"--tmpfs={place}:{options}"
    for limit in host.get("Ulimits") or ():
        yield f"--ulimit={limit['Name'].removeprefix('RLIMIT_').lower()}={limit['Soft']}:{limit['Hard']}"
    for device in host.get("Devices") or ():
        places = f"{device['PathOnHost']}:{device['PathInContainer']}"
        yield f"--device={places}:{device.get('CgroupPermissions') or 'rwm'}"
    policy = host.get("RestartPolicy") or {}
    if policy.get("Name") not in (None, "", "no"):
        most = f":{policy['MaximumRetryCount']}" if policy.get("MaximumRetryCount") else ""
        yield f"--restart={policy['Name']}{most}"


def _of_network(host: Told) -> Iterator[str]:
    if host.get("NetworkMode"):
        yield f"--network={host['NetworkMode']}"
    for inside, places in (host.get("PortBindings") or {}).items():
        for place in places or ():
            outside = ":".join(filter(None, (place.get("HostIp"), place.get("HostPort"))))
            yield f"--publish={outside}:{inside}"


def _of_logs(logs: Told, own_id: str) -> Iterator[str]:
    if logs.get("Type"):
        yield f"--log-driver={logs['Type']}"
    if logs.get("Tag"):
        yield f"--log-opt=tag={logs['Tag']}"
    if logs.get("Size") not in (None, "", "0B"):
        yield f"--log-opt=max-size={logs['Size'].lower()}"
    if logs.get("Path") and own_id not in logs["Path"]:
        yield f"--log-opt=path={logs['Path']}"


def _refused(container: Told, what: str) -> NodeError:
    return NodeError(
        "DEFINITION_REFUSED",
        f"{container['Name']}: {what}, which is not told in full of a container that podman's API created:"
        " have its deployer update it",
    )
