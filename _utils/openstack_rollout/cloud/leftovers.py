"""The project that a verification works in: made, and emptied, whoever left something there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.errors import one_line

NAME = "openstack-rollout-verification"
_DESCRIPTION = "openstack-rollout, for a moment"
_TIMEOUT = 120.0
_LOOK = 1.0


def project(cloud: Cloud) -> Any:
    """Make the project, with the cloud's own user as its admin; returns a connection to it."""
    identity = cloud.api.identity
    domain = _domain(cloud)
    made = identity.create_project(name=NAME, domain_id=domain, description=_DESCRIPTION)
    for role in ("admin", "member"):
        found = identity.find_role(role)
        if found:
            identity.assign_project_role_to_user(made, cloud.api.current_user_id, found)
    return cloud.api.connect_as_project({"id": made.id, "name": made.name, "domain_id": domain})


def sweep(cloud: Cloud) -> list[str]:
    """Delete the project and everything in it; returns what could not be deleted.

    A project of that name that is of another domain, or that we have not described, is somebody else's.
    """
    here = {"name": NAME, "domain_id": _domain(cloud)}
    found = cloud.patiently("projects", lambda: list(cloud.api.identity.projects(**here)))
    left: list[str] = []
    for one in (one for one in found if one.description == _DESCRIPTION):
        left += cloud.patiently(f"project {NAME}", partial(_empty, cloud.api, one.id))
        if not left:
            left += _delete("project", [one], cloud.api.identity.delete_project)
    return left


def _domain(cloud: Cloud) -> str:
    return str(cloud.api.identity.get_project(cloud.api.current_project_id).domain_id)


def delete_router(api: Any, router: str) -> None:
    """Delete a router with its interfaces."""
    api.network.update_router(router, external_gateway_info=None)
    for port in api.network.ports(device_id=router):
        api.network.remove_interface_from_router(router, port_id=port.id)
    api.network.delete_router(router)


def _empty(api: Any, project_id: str) -> list[str]:
    compute, network = api.compute, api.network
    ask = {"project_id": project_id}

    def servers() -> Iterable[Any]:
        return compute.servers(all_projects=True, **ask)

    left = _delete("server", servers(), lambda one: compute.delete_server(one.id, force=False))
    left += [f"server {one.name}" for one in _until_gone(servers)]
    left += _delete("router", network.routers(**ask), lambda one: delete_router(api, one.id))
    ports = [port for port in network.ports(**ask) if not port.device_owner.startswith("network:")]
    left += _delete("port", ports, network.delete_port)
    left += _delete("network", network.networks(**ask), network.delete_network)
    left += _delete("security group", network.security_groups(**ask), network.delete_security_group)
    left += _delete("image", api.image.images(owner=project_id), api.image.delete_image)
    flavors = [one for one in compute.flavors(is_public=False) if one.name == NAME]
    return left + _delete("flavor", flavors, compute.delete_flavor)


def _delete(what: str, found: Iterable[Any], delete: Callable[[Any], Any]) -> list[str]:
    left = []
    try:
        there = list(found)
    except Exception as error:
        if status_of(error) != 404:  # an extension that this cloud does not have
            raise
        there = []
    for one in there:
        try:
            delete(one)
        except Exception as error:
            if not status_of(error):
                raise
            if status_of(error) != 404:
                left.append(f"{what} {one.name or one.id} ({one_line(str(error), limit=120)})")
    return left


def _until_gone(look: Callable[[], Iterable[Any]]) -> list[Any]:
    until = time.monotonic() + _TIMEOUT
    while True:
        found = list(look())
        if not found or time.monotonic() > until:
            return found
        time.sleep(_LOOK)
