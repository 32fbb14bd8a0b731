"""A real Ironic on this machine, API and conductor in one process, without Keystone; its hardware is none.

The hardware is simulated by Ironic's own driver for tests, each of whose deploy steps takes some seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from . import cache, settings
from .enclosure import wait_for

REQUIREMENTS = settings.HERE / "files" / "ironic.txt"
CLOUD = "bare_metal"  # its entry of clouds.yaml
_UNUSED = ("inspect", "console", "raid", "bios", "rescue", "vendor", "firmware")
_FAKE = ("boot", "deploy", "management", "power")


def ensure() -> Path:
    """The Python that has Ironic, installed when the cache lacks it."""

    def build(work: Path) -> None:
        with cache.log("ironic").open("w") as log:
            for command in (
                [sys.executable, "-m", "venv", str(work / "venv")],
                [str(work / "venv/bin/python"), "-m", "pip", "install", "--requirement", str(REQUIREMENTS)],
            ):
                subprocess.run(command, check=True, stdout=log, stderr=log)

    key = cache.digest_of(Path(__file__), REQUIREMENTS, sys.version_info[:2], sys.base_prefix)
    return cache.ensure("ironic", key, build) / "venv/bin/python"


class Ironic:
    """Ironic of one conductor.

    place (Path): its files. host (str): the conductor's. port (int): of the API. step (int): seconds that a
    deploy step takes.
    """

    def __init__(self, place: Path, host: str, port: int, step: int):
        self._python = ensure()
        self._place = place
        self._address = f"http://127.0.0.1:{port}"
        self._configuration = place / "ironic.conf"
        self._configuration.write_text(
            "\n".join(
                [
                    "[DEFAULT]",
                    *("auth_strategy = noauth", "rpc_transport = none", f"host = {host}"),
                    *(f"state_path = {place}", "enabled_hardware_types = fake-hardware"),
                    *("default_deploy_interface = fake", "enabled_network_interfaces = noop"),
                    *("enabled_storage_interfaces = noop",),
                    *(f"enabled_{kind}_interfaces = fake" for kind in _FAKE),
                    *(f"enabled_{kind}_interfaces = no-{kind}" for kind in _UNUSED),
                    *("[database]", f"connection = sqlite:///{place}/ironic.sqlite"),
                    *("[api]", "host_ip = 127.0.0.1", f"port = {port}"),
                    *("[fake]", f"deploy_delay = {step}"),
                    *("[conductor]", "automated_clean = false"),
                    *("[oslo_messaging_notifications]", "driver = noop"),
                ]
            )
        )
        self._process: subprocess.Popen[bytes] | None = None
        with (place / "dbsync.log").open("w") as log:
            subprocess.run(self._command("dbsync", "create_schema"), check=True, stdout=log, stderr=log)

    @property
    def clouds(self) -> str:
        """A clouds.yaml with its entry."""
        auth = f"{{auth_type: none, auth: {{endpoint: '{self._address}'}}"
        return f"clouds: {{{CLOUD}: {auth}, baremetal_endpoint_override: '{self._address}'}}}}"

    def start(self) -> None:
        """Start it, and wait until its API answers."""
        with (self._place / "ironic.log").open("a") as log:
            self._process = subprocess.Popen(
                self._command("singleprocess"), stdout=log, stderr=log, start_new_session=True
            )
        assert wait_for(self._answers, 60), (self._place / "ironic.log").read_text()[-2000:]

    def kill(self) -> None:
        """Kill it, as a restart of its container would that gives it no time."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers too
            self._process.wait(30)
            assert wait_for(lambda: not self._answers(), 30), "it answers on"
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._address, timeout=5):
                return True
        except OSError:
            return False

    def _command(self, program: str, *arguments: str) -> list[str]:
        # The programs beside it name the place where they were built, not the one where they are kept.
        call = f"from ironic.command.{program} import main; main()"
        return [str(self._python), "-c", call, "--config-file", str(self._configuration), *arguments]
