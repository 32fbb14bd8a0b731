"""A node in memory, as the container state sees it: images, quadlets, units, containers."""

from __future__ import annotations

from openstack_rollout.node.errors import NodeError

LABEL = "openstack-rollout.fingerprint"
HEADER = "# ours"


class Guard:
    """Stands in for a guard's module: what it was told, in the machine's own record."""

    def __init__(self, machine, refuses=False, behind=()):
        self.machine, self.refuses, self.behind = machine, refuses, set(behind)
        self.token = self.copies = None

    def functions(self):
        """The execution functions of the guard `ovn_controller`."""
        names = ("before_stop", "after_start", "undo", "pending", "progress")
        return {f"ovn_controller.{name}": getattr(self, name) for name in names}

    def before_stop(self, container, hold):
        if self.refuses:
            raise NodeError("OVN_NOT_CAUGHT_UP", "nothing was touched")
        hold()
        self.machine.did.append(f"leave {container}, held {sorted(self.machine.held)}")
        self.machine.containers.pop(container)
        self.token = {"before": "stop"}
        return self.token

    def after_start(self, container, token, timeout):
        image = self.machine.containers[container]["image"]
        self.machine.did.append(f"prove {image} with {token}")
        if image in self.behind:
            raise NodeError("OVN_NOT_CAUGHT_UP", "waits for its flows")
        self.token = None
        return ""

    def undo(self, container, token):
        self.machine.did.append(f"undo {token}")
        self.token = None

    def pending(self, container):
        return self.token

    def progress(self, container):
        return self.copies


class Machine:
    """What podman, quadlet and legacy_unit do, without a machine; `did` is what was done, in order."""

    def __init__(self, local=(), missing=(), exits=(), sick=(), damaged=(), dropped=False):
        self.local, self.damaged, self.dropped = set(local), set(damaged), dropped
        self.missing, self.exits, self.sick = set(missing), set(exits), set(sick)
        self.quadlets, self.proven, self.containers, self.legacy = {}, {}, {}, set()
        self.held, self.carried = set(), {}
        self.mended_by_a_pull, self.units = set(), {}
        self.did = []

    def functions(self):
        """The execution functions that the state calls."""
        names = [
            name
            for name in dir(self)
            if name.startswith(("podman_", "quadlet_", "legacy_unit_", "unit_hold_"))
        ]
        rooms = ("podman", "quadlet", "legacy_unit", "unit_hold")
        return {
            f"{room}.{name.removeprefix(room + '_')}": getattr(self, name)
            for name in names
            for room in rooms
            if name.startswith(room + "_")
        } | {"podman_command.carried": lambda: dict(self.carried), "cmd.run_all": self.systemctl}

    def systemctl(self, command, **_):
        assert command[:2] == ["systemctl", "show"], command
        load, fragment = self.units.get(command[2], ("not-found", ""))
        return {"retcode": 0, "stdout": f"LoadState={load}\nFragmentPath={fragment}\n", "stderr": ""}

    def podman_containers(self, known=False):
        return {name: dict(entry) for name, entry in self.containers.items()}

    def podman_container(self, name, known=False):
        return self.podman_containers().get(name)

    def podman_image_ids(self, references, known=False):
        return {reference: f"id-of-{reference}" for reference in references if reference in self.local}

    def podman_pull(self, reference):
        if reference in self.missing:
            raise NodeError("IMAGE_MISSING", f"{reference}: manifest unknown")
        self.did.append(f"pull {reference}")
        self.local.add(reference)

    def podman_require_startable(self, image):
        if image in self.damaged:
            raise NodeError("IMAGE_DAMAGED", f"{image} cannot be read")

    def podman_remove_image(self, image):
        self.did.append(f"remove image {image}")
        self.local.discard(image)
        if image in self.mended_by_a_pull:
            self.damaged.discard(image)

    def podman_healthy(self, container):
        return self.containers[container]["image"] not in self.sick

    def podman_remove(self, container):
        if self.containers.pop(container, None):
            self.did.append(f"remove {container}")

    def podman_rename(self, container, name):
        self.did.append(f"rename {container} {name}")
        self.containers[name] = self.containers.pop(container)

    def quadlet_reload(self):
        self.reloaded = True

    def quadlet_label(self):
        return LABEL

    def quadlet_header(self):
        return HEADER

    def quadlet_path(self, container):
        return f"/etc/containers/systemd/{container}.container"

    def quadlet_prove(self, container, text):
        if self.dropped:
            raise NodeError("DEFINITION_REFUSED", f"{container}: unknown key")

    def quadlet_render(self, container, image, quadlet, health, config_files):
        fingerprint = f"{image} {quadlet} {health} {list(config_files)}"
        return {"text": f"{HEADER}|{image}|{fingerprint}", "fingerprint": fingerprint}

    def quadlet_read(self, container):
        return self.quadlets.get(container)

    def quadlet_write(self, container, text):
        self.did.append(f"write {container}")
        if self.quadlets.get(container, text) != text:
            self.proven.setdefault(container, self.quadlets[container])
        self.quadlets[container] = text

    def quadlet_accept(self, container):
        self.proven.pop(container, None)

    def quadlet_restore(self, container):
        self.quadlets.pop(container, None)
        if container in self.proven:
            self.quadlets[container] = self.proven.pop(container)
            return True
        return False

    def quadlet_has_previous(self, container):
        return container in self.proven

    def unit_hold_hold(self, units):
        self.held |= set(units)

    def unit_hold_release(self, units, reload=True):
        self.held -= set(units)

    def quadlet_remove(self, container):
        self.did.append(f"unwrite {container}")
        self.quadlets.pop(container)

    def quadlet_managed(self):
        return {container: f"{container}.service" for container in self.quadlets}

    def quadlet_restart(self, unit):
        container = unit.removesuffix(".service")
        _, image, fingerprint = self.quadlets[container].split("|")
        self.did.append(f"restart {container} {image}")
        self.containers[container] = {
            "running": image not in self.exits,
            "image": image,
            "image_id": f"id-of-{image}",
            "healthy": None,
            "labels": {LABEL: fingerprint},
        }

    def quadlet_stop(self, unit):
        self.did.append(f"stop {unit}")

    def quadlet_ended(self, unit):
        entry = self.containers.get(unit.removesuffix(".service"))
        return None if entry and entry["running"] else "failed, exit-code, status 1"

    def quadlet_log(self, unit, since):
        return "the last words"

    def legacy_unit_present(self, units):
        return [unit for unit in units if unit in self.legacy]

    def legacy_unit_stop(self, units):
        self.did.append(f"stop legacy {' '.join(units)}")

    def legacy_unit_start(self, units):
        self.did.append(f"start legacy {' '.join(units)}")

    def legacy_unit_remove(self, units):
        self.did.append(f"remove legacy {' '.join(units)}")
        self.legacy -= set(units)
