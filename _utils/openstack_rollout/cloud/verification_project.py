"""The project that a verification works in: created for it, and deleted with everything in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.errors import one_line

NAME = "openstack-rollout-verification"
DESCRIPTION = "Temporary: created and deleted by openstack-rollout"
_DELETION_TIMEOUT = 120.0  # seconds
_POLL_INTERVAL = 1.0  # seconds


def create(cloud: Cloud) -> Any:
    """Create the project, with the cloud's own user as its admin.

    Returns an openstack.connection.Connection that is scoped to it. Raises what the API refuses.
    """
    identity = cloud.api.identity
    domain = _domain(cloud)
    project = identity.create_project(name=NAME, domain_id=domain, description=DESCRIPTION)
    for name in ("admin", "member"):
        role = identity.find_role(name)
        if role:
            identity.assign_project_role_to_user(project, cloud.api.current_user_id, role)
    return cloud.api.connect_as_project({"id": project.id, "name": project.name, "domain_id": domain})


def delete(cloud: Cloud) -> list[str]:
    """Delete the project and everything in it; returns what could not be deleted, e.g. `router r (why)`.

    A project of the same name in another domain, or with another description, is not ours and stays. Raises
    RolloutError API_UNREACHABLE.
    """
    query = {"name": NAME, "domain_id": _domain(cloud)}
    found = cloud.retry("projects", lambda: list(cloud.api.identity.projects(**query)))
    undeleted: list[str] = []
    for project in (one for one in found if one.description == DESCRIPTION):
        undeleted += cloud.retry(f"project {NAME}", partial(_empty, cloud.api, project.id))
        if not undeleted:
            undeleted += _delete("project", [project], cloud.api.identity.delete_project)
    return undeleted


def delete_router(api: Any, router_id: str) -> None:
    """Delete a router with its interfaces.

    api: an openstack.connection.Connection of the router's project. Raises what the API refuses.
    """
    api.network.update_router(router_id, external_gateway_info=None)
    for port in api.network.ports(device_id=router_id):
        api.network.remove_interface_from_router(router_id, port_id=port.id)
    api.network.delete_router(router_id)


def _domain(cloud: Cloud) -> str:
    return str(cloud.api.identity.get_project(cloud.api.current_project_id).domain_id)


def _empty(api: Any, project_id: str) -> list[str]:
    """Delete what is in a project, in the order of dependencies; returns what could not be deleted."""
    compute, network = api.compute, api.network
    query = {"project_id": project_id}

    def servers() -> Iterable[Any]:
        return compute.servers(all_projects=True, **query)

    undeleted = _delete("server", servers(), lambda one: compute.delete_server(one.id, force=False))
    undeleted += [f"server {one.name}" for one in _wait_until_none(servers)]
    undeleted += _delete("router", network.routers(**query), lambda one: delete_router(api, one.id))
    ports = [port for port in network.ports(**query) if not port.device_owner.startswith("network:")]
    undeleted += _delete("port", ports, network.delete_port)
    undeleted += _delete("network", network.networks(**query), network.delete_network)
    undeleted += _delete("security group", network.security_groups(**query), network.delete_security_group)
    undeleted += _delete("image", api.image.images(owner=project_id), api.image.delete_image)
    flavors = [one for one in compute.flavors(is_public=False) if one.name == NAME]
    return undeleted + _delete("flavor", flavors, compute.delete_flavor)


def _delete(what: str, found: Iterable[Any], delete_one: Callable[[Any], Any]) -> list[str]:
    undeleted = []
    try:
        resources = list(found)
    except Exception as error:
        if status_of(error) != 404:  # an API extension that this cloud does not have
            raise
        resources = []
    for one in resources:
        try:
            delete_one(one)
        except Exception as error:
            if not status_of(error):
                raise
            if status_of(error) != 404:
                undeleted.append(f"{what} {one.name or one.id} ({one_line(str(error), limit=120)})")
    return undeleted


def _wait_until_none(list_resources: Callable[[], Iterable[Any]]) -> list[Any]:
    """Wait until a listing is empty; returns what it still has at the timeout."""
    deadline = time.monotonic() + _DELETION_TIMEOUT
    while True:
        found = list(list_resources())
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_INTERVAL)
