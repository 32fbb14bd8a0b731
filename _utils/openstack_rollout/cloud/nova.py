"""Nova's compute services, servers and migrations, as drains need them, through openstacksdk.

Requests that openstacksdk lacks are made here directly: a live migration that returns at once, and a server
on a given host.

Reading functions raise RolloutError API_UNREACHABLE after the cloud's retry_timeout. Functions that request a
migration are not retried: they raise what the API or the connection raises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openstack_rollout.cloud.api import Cloud, match_host, status_of
from openstack_rollout.errors import RolloutError

ASYNC_LIVE_MIGRATION = "2.34"  # microversion
_BOOT_ON_HOST = "2.74"  # microversion
_TRAITS_VERSION, _DISABLED_TRAIT = "1.6", "COMPUTE_STATUS_DISABLED"
_LISTED_MIGRATIONS = 200
_ASKED_SINGLY = 32  # for the servers of more hosts, all servers of the cloud are listed at once
_PINNED_SINCE, _HINTS_SINCE = (2, 96), (2, 100)  # microversions
LIVE_MIGRATABLE = ("ACTIVE", "PAUSED")
AT_REST = ("SHUTOFF", "SUSPENDED", "SHELVED", "SOFT_DELETED", "DELETED", "SHELVED_OFFLOADED")


@dataclass(frozen=True)
class Service:
    """A nova-compute service.

    zone: its availability zone. reason: why it is disabled, "" if nobody said. heartbeat: time of the last
    one, as Nova writes it.
    """

    id: str
    host: str
    zone: str
    enabled: bool
    up: bool
    reason: str
    heartbeat: str


@dataclass(frozen=True)
class Server:
    """A server.

    host: the compute it is on. task: Nova's task state, "" for none. zone: the availability zone where it
    is. memory in MiB. disk in GiB: root and ephemeral. image: its id, "" for a server that boots from a
    volume. specs: extra specs of its flavor. pinned: the zone that it has to stay in, "" for none, None when
    Nova does not tell (before microversion 2.96, OpenStack 2024.1). ephemeral in GiB, swap in MiB: of its
    flavor. hints: what its owner told the scheduler beside the server group, as far as Nova tells (2.100).
    """

    id: str
    name: str
    host: str
    status: str
    task: str
    locked: bool = False
    zone: str = ""
    vcpus: int = 0
    memory: int = 0
    disk: int = 0
    image: str = ""
    specs: Mapping[str, str] = field(default_factory=dict)
    pinned: str | None = None
    project: str = ""
    flavor: str = ""
    ephemeral: int = 0
    swap: int = 0
    hints: tuple[str, ...] = ()

    @property
    def live_migratable(self) -> bool:
        """Whether its status allows a live migration."""
        return self.status in LIVE_MIGRATABLE

    @property
    def at_rest(self) -> bool:
        """Whether no process of it runs on its host, so that an update there does not disturb it."""
        return self.status in AT_REST

    @property
    def name_and_id(self) -> str:
        """`NAME (ID)`, for messages."""
        return f"{self.name} ({self.id})"


@dataclass(frozen=True)
class Migration:
    """Nova's record of a migration.

    id: newer ones have higher ids. type: `live-migration` or `migration`. source, target: hosts; target is ""
    until the scheduler has chosen one.
    """

    id: int
    server_id: str
    type: str
    status: str
    source: str
    target: str


class ServerGroup(NamedTuple):
    """A server group.

    policy: affinity, anti-affinity, soft-affinity or soft-anti-affinity. members: the ids of its servers.
    most: how many of them may be on one host where the policy is anti-affinity.
    """

    name: str
    policy: str
    members: Collection[str]
    most: int = 1
    id: str = ""


class Aggregate(NamedTuple):
    """A host aggregate. id: its UUID, "" where Nova has none. zone: its availability zone, "" for none."""

    id: str
    name: str
    zone: str
    hosts: Collection[str]
    metadata: Mapping[str, str]


def services(cloud: Cloud) -> dict[str, Service]:
    """Every nova-compute service of the cloud, by host."""
    found = cloud.retry("compute services", lambda: list(cloud.api.compute.services(binary="nova-compute")))
    return {one.host: _service(one) for one in found}


def service_of(cloud: Cloud, node: str) -> Service:
    """The nova-compute of a node (minion id). Raises RolloutError DRAIN_FAILED when there is none."""
    found = match_host(node, services(cloud))
    if found is None:
        raise RolloutError(
            "DRAIN_FAILED", f"{node}: cloud {cloud.name} has no nova-compute of that host name"
        )
    return found


def disable(cloud: Cloud, service: Service, reason: str) -> None:
    """Disable a compute service: the scheduler no longer places servers there.

    reason (str): shown by Nova as the reason for it.
    """
    cloud.retry(
        f"disable {service.host}",
        lambda: cloud.api.compute.disable_service(service.id, disabled_reason=reason),
    )


def enable(cloud: Cloud, service: Service) -> None:
    """Enable a compute service: the scheduler may place servers there."""
    cloud.retry(f"enable {service.host}", lambda: cloud.api.compute.enable_service(service.id))


def disabled_in_placement(cloud: Cloud, provider_id: str) -> bool:
    """Whether Placement still keeps the scheduler off a hypervisor with the trait COMPUTE_STATUS_DISABLED.

    provider_id (str): the resource provider, whose id is the hypervisor's. False for one that does not exist.

    Nova removes the trait when it enables a compute service. If nova-compute reports its resources at the
    same moment, that fails silently, and Nova corrects it with the next report, up to a minute later by
    default.
    """
    try:
        answer = cloud.get_json("placement", f"/resource_providers/{provider_id}/traits", _TRAITS_VERSION)
    except Exception as error:
        if status_of(error) != 404:
            raise
        return False
    return _DISABLED_TRAIT in answer["traits"]


def servers_on(cloud: Cloud, host: str | None) -> list[Server]:
    """The servers of all projects on a host, or in the whole cloud when host is None."""
    query = {"compute_host": host} if host else {}
    found = cloud.retry(
        f"servers on {host}", lambda: list(cloud.api.compute.servers(all_projects=True, **query))
    )
    return [_server(one) for one in found]


def servers_of(cloud: Cloud, hosts: Iterable[str]) -> dict[str, list[Server]]:
    """The servers of all projects on each of some hosts, in few requests whatever their number."""
    by_host: dict[str, list[Server]] = {host: [] for host in hosts}
    if len(by_host) <= _ASKED_SINGLY:
        return {host: servers_on(cloud, host) for host in by_host}
    for server in servers_on(cloud, None):
        by_host.get(server.host, []).append(server)
    return by_host


def find_server(cloud: Cloud, server_id: str) -> Server | None:
    """A server as it is now, None when it has been deleted."""
    try:
        found = cloud.retry(f"server {server_id}", lambda: cloud.api.compute.get_server(server_id))
    except Exception as error:
        if status_of(error) == 404:
            return None
        raise
    return _server(found)


def migrations_from(cloud: Cloud, host: str) -> list[Migration]:
    """The latest migrations that have a host as their source, newest first."""
    return _migrations(cloud, f"migrations from {host}", source_compute=host)


def migrations_of(cloud: Cloud, server_id: str) -> list[Migration]:
    """The latest migrations of a server, newest first."""
    return _migrations(cloud, f"migrations of server {server_id}", server_id=server_id)


def live_migrate(cloud: Cloud, server_id: str, host: str | None) -> None:
    """Request a live migration and return at once.

    host (str): the target; None lets the scheduler choose.

    openstacksdk's own call stops at microversion 2.30, where the API answers only after its checks of
    source and target, seconds later.
    """
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = cloud.api.compute.post(
        f"/servers/{server_id}/action",
        json={"os-migrateLive": {"host": host, "block_migration": "auto"}},
        microversion=ASYNC_LIVE_MIGRATION,
    )
    openstack.exceptions.raise_from_response(answer)


def cold_migrate(cloud: Cloud, server_id: str, host: str | None) -> None:
    """Request a cold migration: the server is shut off while it moves.

    host (str): the target; None lets the scheduler choose.
    """
    cloud.api.compute.migrate_server(server_id, **({"host": host} if host else {}))


def confirm_resize(cloud: Cloud, server_id: str) -> None:
    """Confirm a cold migration: Nova then removes the server from its source."""
    cloud.api.compute.confirm_server_resize(server_id)


def abort(cloud: Cloud, migration: Migration) -> None:
    """Request the abort of a live migration: the server stays on its source."""
    cloud.api.compute.abort_server_migration(migration.id, migration.server_id, ignore_missing=True)


def force_complete(cloud: Cloud, migration: Migration) -> None:
    """Request that a live migration finishes now, by post-copy or by pausing the server."""
    cloud.api.compute.force_complete_server_migration(migration.id, migration.server_id)


def boot_on(api: Any, host: str, **body: Any) -> str:
    """Create a server on one host, after the scheduler's checks; returns its id.

    api: an openstack.connection.Connection of the project that will own it. body: the other keys of the
    request, as in Nova's API. openstacksdk has no call for that.
    """
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = api.compute.post("/servers", json={"server": {**body, "host": host}}, microversion=_BOOT_ON_HOST)
    openstack.exceptions.raise_from_response(answer)
    return str(answer.json()["server"]["id"])


def hypervisors(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Nova's hypervisors as its API returns them, by host.

    Keys used here: id, hypervisor_type, hypervisor_version, cpu_info.

    Uses microversion 2.53, because 2.88 and later leave out the CPU.
    """
    answer = cloud.get_json("compute", "/os-hypervisors/detail", "2.53")
    return {one["service"]["host"]: one for one in answer["hypervisors"]}


def server_groups(cloud: Cloud) -> list[ServerGroup]:
    """Every server group of the cloud."""
    found = cloud.retry("server groups", lambda: list(cloud.api.compute.server_groups(all_projects=True)))
    return [
        ServerGroup(
            name=one.name,
            policy=one.policy or (one.policies or [""])[0],
            members=one.member_ids or [],
            most=int((one.rules or {}).get("max_server_per_host") or 1),
            id=one.id,
        )
        for one in found
    ]


def aggregates(cloud: Cloud) -> list[Aggregate]:
    """Every host aggregate of the cloud."""
    found = cloud.retry("host aggregates", lambda: list(cloud.api.compute.aggregates()))
    return [
        Aggregate(one.uuid or "", one.name, one.availability_zone or "", one.hosts or [], one.metadata or {})
        for one in found
    ]


def _service(one: Any) -> Service:
    return Service(
        id=one.id,
        host=one.host,
        zone=one.availability_zone or "",
        enabled=one.status == "enabled",
        up=one.state == "up" and not one.is_forced_down,
        reason=one.disabled_reason or "",
        heartbeat=str(one.updated_at),
    )


def _server(one: Any) -> Server:
    flavor = one.flavor
    return Server(
        id=one.id,
        name=one.name,
        host=one.compute_host or "",
        status=one.status,
        task=one.task_state or "",
        locked=bool(one.is_locked),
        zone=one.availability_zone or "",
        vcpus=int(flavor.vcpus or 0),
        memory=int(flavor.ram or 0),
        disk=int(flavor.disk or 0) + int(flavor.ephemeral or 0),
        image=(one.image and one.image.id) or "",
        specs=dict(flavor.extra_specs or {}),
        pinned=_pinned(one),
        project=one.project_id or "",
        flavor=flavor.original_name or "",
        ephemeral=int(flavor.ephemeral or 0),
        swap=int(flavor.swap or 0),
        hints=tuple(sorted(set(one.scheduler_hints or ()) - {"group"})) if _tells(one, _HINTS_SINCE) else (),
    )


def _pinned(one: Any) -> str | None:
    """The zone that a server (of the SDK) is pinned to, "" for none, None when the answer does not tell."""
    return (one.pinned_availability_zone or "") if _tells(one, _PINNED_SINCE) else None


def _tells(one: Any, since: tuple[int, int]) -> bool:
    """Whether an answer of the API (a resource of the SDK) is of a microversion or a later one."""
    major, _, minor = (one.microversion or "").partition(".")
    return bool(minor) and (int(major), int(minor)) >= since


def _migrations(cloud: Cloud, what: str, **query: Any) -> list[Migration]:
    def request() -> list[Any]:
        return list(cloud.api.compute.migrations(limit=_LISTED_MIGRATIONS, paginated=False, **query))

    return [
        Migration(
            id=int(one.id),
            server_id=one.server_id,
            type=one.migration_type or "",
            status=one.status or "",
            source=one.source_compute or "",
            target=one.dest_compute or "",
        )
        for one in cloud.retry(what, request)
    ]
