"""nova's fake hypervisor, with what a real one has and an update depends on.

Servers survive a restart of nova-compute, a live migration takes its time, can be aborted and completed by
force, and tests plant facts in /var/lib/nova/lab.json of a node, read anew each time:

    {"hypervisor": {"hypervisor_version": 8002000, "cpu_info": {...}}, "migration_seconds": 1, "hang": false,
     "refuses": false}
"""

import json
import socket
import time
from pathlib import Path

from nova import exception
from nova.virt import fake

_PLANTED = Path("/var/lib/nova/lab.json")
_CPU = {"arch": "x86_64", "vendor": "Intel", "model": "Nehalem", "features": ["pge", "clflush", "sse4.2"]}
_FACTS = {"hypervisor_type": "QEMU", "hypervisor_version": 8002000, "cpu_info": _CPU}
_SECONDS = 1.0
_GIB = 1024
_Fake = getattr(fake, "FakeDriverWithoutFakeNodes", fake.FakeDriver)  # the former exists since 2023.1


def _planted():
    try:
        return json.loads(_PLANTED.read_text())
    except (OSError, ValueError):
        return {}


def _runs(host):
    """Whether a machine is there: it refuses a connection that nobody waits for."""
    try:
        socket.create_connection((host, 1), timeout=3).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


class Driver(_Fake):
    """A hypervisor of modest size, so that a test can fill it."""

    vcpus = 32
    memory_mb = 64 * _GIB
    local_gb = 1000

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self._ended = {}  # uuid: how a migration in flight was ended by hand

    def get_available_resource(self, nodename):
        """What this hypervisor reports, with what a test planted over it."""
        found = super().get_available_resource(nodename)
        if not found:
            return found
        facts = _FACTS | _planted().get("hypervisor", {})
        topology = {"sockets": self.vcpus, "cores": 1, "threads": 1}
        return found | facts | {"cpu_info": json.dumps({"topology": topology} | facts["cpu_info"])}

    def resume_state_on_host_boot(self, context, instance, network_info, *args, **kwargs):
        """Have a server that ran before nova-compute started again, as a hypervisor's own process would."""
        if instance.uuid not in self.instances:
            self.spawn(context, instance, None, [], None, {}, network_info=network_info)

    def pre_live_migration(self, *arguments, **keywords):
        """On the target, before memory is copied: fails where a test wants that, when Nova has chosen it."""
        if _planted().get("refuses"):
            raise exception.MigrationError(reason="this host refuses servers")
        return super().pre_live_migration(*arguments, **keywords)

    def live_migration(
        self,
        context,
        instance,
        dest,
        post_method,
        recover_method,
        block_migration=False,
        migrate_data=None,
    ):
        """Take the planted time; forever while it hangs, until it is ended by hand."""
        began = time.monotonic()
        self._ended.pop(instance.uuid, None)
        while instance.uuid not in self._ended:
            if not _runs(dest):
                recover_method(context, instance, dest, migrate_data)
                return
            planted = _planted()
            over = time.monotonic() - began >= planted.get("migration_seconds", _SECONDS)
            if over and not planted.get("hang"):
                break
            time.sleep(0.2)
        if self._ended.pop(instance.uuid, "completed") == "completed":
            post_method(context, instance, dest, block_migration, migrate_data)
        else:
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")

    def live_migration_force_complete(self, instance):
        """End a migration by moving the server at once."""
        self._ended[instance.uuid] = "completed"

    def live_migration_abort(self, instance):
        """End a migration and leave the server where it is."""
        self._ended[instance.uuid] = "cancelled"

    def post_live_migration(self, context, instance, block_device_info, migrate_data=None):
        """On the source, once the server runs elsewhere."""
        self.destroy(context, instance, network_info=None, block_device_info=block_device_info)
