"""Deploy with kolla-ansible's own code, its podman engine or its docker engine, on a machine of the lab.

Compared and created by its module kolla_container, in the way of its roles: the role service-check-containers
compares, and notifies a handler for each container that differs.
"""

from collections.abc import Callable, Mapping

import yaml

from tests.lab import settings
from tests.lab.cloud import Lab

from . import ansible, host, tools

#: container -> its definition as kolla-ansible's roles have it, and as image the image key of a release
SERVICES: dict[str, dict] = yaml.safe_load((tools.FILES / "kolla.yaml").read_text())
#: what an operator's globals.yml says, and what kolla-ansible's command line adds
_GLOBALS = {
    "kolla_container_engine": "podman",
    "config_strategy": "COPY_ALWAYS",
    "docker_registry": settings.REGISTRY,
    "docker_registry_username": "",
    "docker_registry_password": "",
    "docker_registry_insecure": True,
}
#: what real images read; those of the lab know what to start
_CONFIG = '{"command": "serve", "config_files": []}\n'
#: What it creates again at each run, whatever is the same: it compares a mount as `ro,rslave` that it made
#: otherwise, and capabilities that podman does not tell, since every container has them.
RESTLESS = frozenset({"neutron_ovn_vpn_agent", "prometheus_node_exporter"})
_MOST = 4096  # a limit that docker may set in a machine of the lab
#: arguments of kolla_container that a service's definition may give, as each role's handler passes them
_ARGUMENTS = (
    *("volumes", "dimensions", "privileged", "cap_add", "environment", "healthcheck", "ipc_mode", "pid_mode"),
    *("security_opt", "labels", "command", "cgroupns_mode", "tmpfs", "volumes_from"),
)


def unit(container: str) -> str:
    """The unit that runs a container."""
    return f"kolla-{container}-container.service"


def deploy(
    lab: Lab,
    node: str,
    services: Mapping[str, dict],
    image_of: Callable[[str], str],
    engine: str = "podman",
) -> str:
    """Have kolla-ansible create these services, or those of them that differ; what it printed.

    Run again with other images or definitions it is kolla-ansible's own next run. It removes nothing.

    Args:
        lab: A lab that is up.
        node: The machine.
        services: Some of `SERVICES`, or definitions like them.
        image_of: The reference for an image key.
        engine: podman or docker.

    Raises:
        LabError: Some task failed; the message has what Ansible printed.
    """
    complete = {}
    for container, definition in services.items():
        image = image_of(definition["image"])
        own = {"container_name": container, "group": "all", "enabled": True, "image": image}
        complete[container.replace("_", "-")] = _for_engine(definition, engine) | own
        host.provide(lab, node, definition["volumes"])
    lab.exec(node, ["tee", *(f"/etc/kolla/{name}/config.json" for name in complete)], stdin=_CONFIG)
    share = tools.share(tools.ensure("kolla")) / "kolla-ansible/ansible"
    paths = {
        "ROLES_PATH": share / "roles",
        "LIBRARY": share / "library",
        "MODULE_UTILS": share / "module_utils",
        "FILTER_PLUGINS": share / "filter_plugins",
    }
    common = str(share / "group_vars/all/common.yml")
    chosen = {**_GLOBALS, "kolla_container_engine": engine}
    return ansible.play(lab, node, "kolla", [_play(complete, common, engine)], paths, chosen)


def _for_engine(definition: dict, engine: str) -> dict:
    """A definition with its limits as the engine calls them: RLIMIT_NOFILE is docker's nofile.

    docker raises no limit above that of its machine, which podman does not even try.
    """
    limits = definition.get("dimensions", {}).get("ulimits")
    if engine != "docker" or not limits:
        return definition
    renamed = {
        name.removeprefix("RLIMIT_").lower(): {kind: min(value, _MOST) for kind, value in limit.items()}
        for name, limit in limits.items()
    }
    return {**definition, "dimensions": {**definition["dimensions"], "ulimits": renamed}}


def _play(services: Mapping[str, dict], common: str, engine: str) -> dict:
    """The play of a role of kolla's that has these services."""
    return {
        "name": "kolla-ansible deploys",
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [common],
        "vars": {"project_name": "lab", "lab_services": dict(services)},
        "tasks": [
            {
                "ansible.builtin.systemd_service": {
                    "name": f"{engine}.socket",
                    "state": "started",
                    "enabled": True,
                }
            },
            {"ansible.builtin.import_role": {"name": "service-check-containers"}},
        ],
        "handlers": [_restarted(name, service) for name, service in services.items()],
    }


def _restarted(name: str, service: Mapping[str, object]) -> dict:
    """The handler that such a role has for each of its services."""
    return {
        "name": f"Restart {name} container",
        "become": True,
        "kolla_container": {
            "action": "recreate_or_restart_container",
            "common_options": "{{ docker_common_options }}",
            "name": service["container_name"],
            "image": service["image"],
            **{key: service[key] for key in _ARGUMENTS if key in service},
        },
    }
