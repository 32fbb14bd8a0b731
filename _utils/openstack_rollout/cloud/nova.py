"""Nova as drains see it: compute services, servers, migrations; openstacksdk's calls in our words.

The one thing openstacksdk lacks is shipped here: a live migration that is asked for and not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openstack_rollout.cloud.api import Cloud, match_host, status_of
from openstack_rollout.errors import RolloutError

ASYNCHRONOUS = "2.34"
_ON_HOST = "2.74"
_TRAITS, _DISABLED = "1.6", "COMPUTE_STATUS_DISABLED"
_LISTED_MIGRATIONS = 200
RUNNING = ("ACTIVE", "PAUSED")
AT_REST = ("SHUTOFF", "SUSPENDED", "SHELVED", "SOFT_DELETED", "DELETED", "SHELVED_OFFLOADED")


@dataclass(frozen=True)
class Service:
    """A nova-compute: id, host, zone, enabled, up, reason (why it is disabled), heartbeat (as Nova says)."""

    id: str
    host: str
    zone: str
    enabled: bool
    up: bool
    reason: str
    heartbeat: str


@dataclass(frozen=True)
class Guest:
    """A server. memory in MiB, disk in GiB; task: what Nova is doing with it, "" for nothing."""

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
    specs: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it can be live-migrated, as far as its state goes."""
        return self.status in RUNNING

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it runs on its host, so that an update there does not disturb it."""
        return self.status in AT_REST

    @property
    def called(self) -> str:
        """Name and id, for messages."""
        return f"{self.name} ({self.id})"


@dataclass(frozen=True)
class Migration:
    """A migration record. number: it grows; kind: `live-migration` or `migration`; to: "" until chosen."""

    number: int
    server: str
    kind: str
    status: str
    source: str
    to: str


def services(cloud: Cloud) -> dict[str, Service]:
    """Every nova-compute, by host."""
    found = cloud.patiently(
        "compute services", lambda: list(cloud.api.compute.services(binary="nova-compute"))
    )
    return {one.host: _service(one) for one in found}


def service_of(cloud: Cloud, node: str) -> Service:
    """The nova-compute of a node. Raises RolloutError DRAIN_FAILED when the cloud knows none."""
    found = match_host(node, services(cloud))
    if found is None:
        raise RolloutError(
            "DRAIN_FAILED", f"{node}: cloud {cloud.name} has no nova-compute of that host name"
        )
    return found


def disable(cloud: Cloud, service: Service, reason: str) -> None:
    """Let the scheduler place nothing there any more."""
    cloud.patiently(
        f"disable {service.host}",
        lambda: cloud.api.compute.disable_service(service.id, disabled_reason=reason),
    )


def enable(cloud: Cloud, service: Service) -> None:
    """Let the scheduler use the host again."""
    cloud.patiently(f"enable {service.host}", lambda: cloud.api.compute.enable_service(service.id))


def kept_off(cloud: Cloud, provider: str) -> bool:
    """Whether Placement keeps the scheduler off a hypervisor (its id is its provider's).

    Nova takes this mark away as it enables a compute. When the host's resources are told at that very moment
    it fails to, without a word to who asked, and mends it when they are told next: within a minute, as Nova
    comes.
    """
    try:
        answer = cloud.ask("placement", f"/resource_providers/{provider}/traits", _TRAITS)
    except Exception as error:
        if status_of(error) != 404:
            raise
        return False
    return _DISABLED in answer["traits"]


def servers_on(cloud: Cloud, host: str | None) -> list[Guest]:
    """The servers of all projects on a host; of the whole cloud for None."""
    query = {"compute_host": host} if host else {}
    found = cloud.patiently(
        f"servers on {host}", lambda: list(cloud.api.compute.servers(all_projects=True, **query))
    )
    return [_guest(one) for one in found]


def server(cloud: Cloud, server_id: str) -> Guest | None:
    """A server as it is now, None when it is gone."""
    try:
        found = cloud.patiently(f"server {server_id}", lambda: cloud.api.compute.get_server(server_id))
    except Exception as error:
        if status_of(error) == 404:
            return None
        raise
    return _guest(found)


def migrations_from(cloud: Cloud, host: str) -> list[Migration]:
    """The newest migrations away from a host, newest first."""
    return _migrations(cloud, f"migrations from {host}", source_compute=host)


def migrations_of(cloud: Cloud, server_id: str) -> list[Migration]:
    """The newest migrations of a server, newest first."""
    return _migrations(cloud, f"migrations of server {server_id}", server_id=server_id)


def live_migrate(cloud: Cloud, server_id: str, host: str | None) -> None:
    """Ask for a live migration and return at once; host None leaves the choice to the scheduler.

    openstacksdk's own call stops at microversion 2.30, where the API answers only after its checks of
    source and target, seconds later.
    """
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = cloud.api.compute.post(
        f"/servers/{server_id}/action",
        json={"os-migrateLive": {"host": host, "block_migration": "auto"}},
        microversion=ASYNCHRONOUS,
    )
    openstack.exceptions.raise_from_response(answer)


def cold_migrate(cloud: Cloud, server_id: str, host: str | None) -> None:
    """Ask for a cold migration: the server is shut off while it moves."""
    cloud.api.compute.migrate_server(server_id, **({"host": host} if host else {}))


def confirm(cloud: Cloud, server_id: str) -> None:
    """Let go of what a cold migration left on its source."""
    cloud.api.compute.confirm_server_resize(server_id)


def abort(cloud: Cloud, migration: Migration) -> None:
    """Ask for the end of a live migration; the server stays on its source."""
    cloud.api.compute.abort_server_migration(migration.number, migration.server, ignore_missing=True)


def force_complete(cloud: Cloud, migration: Migration) -> None:
    """Ask to finish a live migration now, by post-copy or by pausing the server."""
    cloud.api.compute.force_complete_server_migration(migration.number, migration.server)


def boot_on(api: Any, host: str, **body: Any) -> str:
    """Ask the scheduler for a server on one host (openstacksdk has no word for that); returns its id.

    api: an openstack.connection.Connection, of the project that is to own it. body: as Nova's API has it.
    """
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = api.compute.post("/servers", json={"server": {**body, "host": host}}, microversion=_ON_HOST)
    openstack.exceptions.raise_from_response(answer)
    return str(answer.json()["server"]["id"])


def hypervisors(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Nova's facts on each host, by host: id, hypervisor_type, hypervisor_version, cpu_info.

    Asked for at 2.53 since 2.88 and later no longer tell of the CPU.
    """
    answer = cloud.ask("compute", "/os-hypervisors/detail", "2.53")
    return {one["service"]["host"]: one for one in answer["hypervisors"]}


def groups(cloud: Cloud) -> list[tuple[str, str, Sequence[str]]]:
    """(name, policy, server ids) of every server group."""
    found = cloud.patiently("server groups", lambda: list(cloud.api.compute.server_groups(all_projects=True)))
    return [(one.name, one.policy or (one.policies or [""])[0], one.member_ids or []) for one in found]


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


def _guest(one: Any) -> Guest:
    flavor = one.flavor
    return Guest(
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
    )


def _migrations(cloud: Cloud, what: str, **query: Any) -> list[Migration]:
    def ask() -> list[Any]:
        return list(cloud.api.compute.migrations(limit=_LISTED_MIGRATIONS, paginated=False, **query))

    return [
        Migration(
            number=int(one.id),
            server=one.server_id,
            kind=one.migration_type or "",
            status=one.status or "",
            source=one.source_compute or "",
            to=one.dest_compute or "",
        )
        for one in cloud.patiently(what, ask)
    ]
