"""Instance HA (Masakari's API) beside the profile's services, for as long as a test wants it.

It is the real one, over its own database, and asks keystone and nova. Its engine, which would act on hosts
that fail, is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.lab.enclosure import LabError, wait_for

from . import configuration
from .api import UNREACHABLE, Api

_NODE, _NAME = "ctl1", "masakari_api"
_URL = f"http://{configuration.CONTROLLER}:{configuration.INSTANCE_HA_PORT}/v1/$(project_id)s"


class InstanceHa:
    """Runs while it is entered, with hosts in its one segment.

    Args:
        api: The cloud.
        hosts: Computes, as nova calls them.
    """

    def __init__(self, api: Api, hosts: Iterable[str]) -> None:
        self._api = api
        self._hosts = list(hosts)

    def __enter__(self) -> InstanceHa:
        lab, identity = self._api.lab, self._api.sdk.identity
        image = lab.releases["1.0.0"]["images"]["nova_api_image"]  # they are all of one layer
        options = ["--detach", "--rm", "--replace", f"--name={_NAME}", "--network=host"]
        lab.exec(_NODE, ["podman", "run", *options, f"--env=SERVICE={_NAME}", image])
        self._service = identity.create_service(name="masakari", type="instance-ha")
        identity.create_endpoint(
            service_id=self._service.id, interface="public", url=_URL, region_id=configuration.REGION
        )
        self._ha = Api(lab).sdk.instance_ha  # a token has the catalogue of its time
        if not wait_for(self._answers, 120, 1):
            raise LabError("Masakari's API does not answer")
        self._segment = self._ha.create_segment(
            name="computes", recovery_method="auto", service_type="COMPUTE"
        )
        for host in self._hosts:
            self._ha.create_host(self._segment.uuid, name=host, type="COMPUTE", control_attributes="none")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._api.sdk.identity.delete_service(self._service)
        self._api.lab.exec(_NODE, ["podman", "stop", "--time=5", _NAME])

    def standing_still(self) -> set[str]:
        """The hosts that are under maintenance, and so are left alone."""
        return {host.name for host in self._found() if host.on_maintenance}

    def set_maintenance(self, name: str, on: bool) -> None:
        """What an operator does who works on a host."""
        host = next(host for host in self._found() if host.name == name)
        self._ha.update_host(host.uuid, self._segment.uuid, on_maintenance=on)

    def _found(self) -> list[Any]:
        return list(self._ha.hosts(self._segment.uuid))

    def _answers(self) -> bool:
        try:
            return list(self._ha.segments()) == []
        except UNREACHABLE:
            return False
