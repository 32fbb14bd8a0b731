"""Run the clients of a cloud beside what happens to its controllers, and read what became of their
requests."""

from __future__ import annotations

import json
import signal
import subprocess

from tests.lab import settings
from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError
from tests.lab.openstack import configuration as single
from tests.lab.openstack import material

from . import configuration

#: a second, through the VIP: what leaves the machine room for the clusters that they are to try
CALLS = {settings.CONTROLLERS: 8, settings.PACKAGES: 4, settings.BOTH: 4}
_APIS = {"memcached": 11211, "keystone": 5000, "placement": 8778, "glance": 9292}
#: what listens on each controller beside its database and its broker
_LISTENERS = {
    settings.CONTROLLERS: {**_APIS, "northbound": 6641, "southbound": 6642},
    **{one: {**_APIS, "nova": 8774, "neutron": 9696} for one in settings.PACKAGED},
}
#: API → what is asked of it, but for keystone's tokens
_PATHS = {
    "keystone": "/v3/regions",
    "placement": "/resource_providers",
    "glance": "/v2/images",
    "nova": "/v2.1/servers",
    "neutron": "/v2.0/networks",
}
_PROGRAM = settings.HERE / "files" / "clusters" / "probe"


class Probe:
    """Clients that work while it is entered.

    Attributes:
        result: What they saw, once it was left: see files/clusters/probe.
    """

    def __init__(self, lab: Lab) -> None:
        self.result: dict = {}
        vip, ports = configuration.VIP, configuration.PORTS
        listeners = _LISTENERS[lab.profile]
        facts = {
            "vip": vip,
            "database": ports["mariadb"],
            "keystone": f"http://{vip}:{ports['keystone']}",
            "paths": [
                f"http://{vip}:{ports[name]}{path}" for name, path in _PATHS.items() if name in listeners
            ],
            "members": [node.address for node in lab.nodes.values() if node.role == "controller"],
            "listeners": listeners,
            "password": single.PASSWORD,
            "calls": CALLS[lab.profile],
        }
        # The clients' libraries are the services' own, so the program runs in their root.
        root = [
            "chroot",
            str(material.heavy().root),
            "/usr/bin/env",
            "-i",
            "LC_ALL=C.UTF-8",
            "/usr/bin/python3",
        ]
        self._process = lab.popen_master(
            [*root, "-c", _PROGRAM.read_text(), json.dumps(facts)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Probe:
        assert self._process.stdout
        if self._process.stdout.readline().strip() != "ready":
            raise LabError(f"the clients did not begin: {self._process.communicate()[1][-2000:]}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            output, errors = self._process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, errors = self._process.communicate()
        if not output.strip():
            raise LabError(f"the clients died: {errors[-2000:]}")
        self.result = json.loads(output.splitlines()[-1])
