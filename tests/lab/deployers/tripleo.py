"""Deploy with TripleO's own code, the role tripleo_container_manage, on a machine of the lab."""

from collections.abc import Callable, Mapping

import yaml

from tests.lab.cloud import Lab

from . import ansible, host, tools

#: container -> its definition as tripleo-heat-templates have it, with the step that starts it, and as image
#: the image key of a release
SERVICES: dict[str, dict] = yaml.safe_load((tools.FILES / "tripleo.yaml").read_text())
_STARTUP = "/var/lib/tripleo-config/container-startup-config"


def unit(container: str) -> str:
    """The unit that runs a container."""
    return f"tripleo_{container}.service"


def deploy(lab: Lab, node: str, services: Mapping[str, dict], image_of: Callable[[str], str]) -> str:
    """Have TripleO's role create these services, and no others, in the order of their steps.

    Run again with other images or definitions it is TripleO's own next run: containers that differ are
    created again. A container that a step created earlier and that it no longer names is removed; a step that
    names none does not run.

    Args:
        lab: A lab that is up.
        node: The machine.
        services: Some of `SERVICES`, or definitions like them.
        image_of: The reference for an image key.

    Raises:
        LabError: Some task failed; the message has what Ansible printed.
    """
    steps: dict[str, dict] = {}
    for container, definition in services.items():
        config = {key: value for key, value in definition.items() if key != "step"}
        config["image"] = image_of(definition["image"])
        steps.setdefault(f"step_{definition['step']}", {})[container] = config
        host.provide(lab, node, definition["volumes"])
    share = tools.share(tools.ensure("tripleo")) / "ansible"
    plugins = share / "plugins"
    paths = {
        "ROLES_PATH": share / "roles",
        "LIBRARY": plugins / "modules",
        "MODULE_UTILS": plugins / "module_utils",
        "ACTION_PLUGINS": plugins / "action",
        "FILTER_PLUGINS": plugins / "filter",
    }
    return ansible.play(lab, node, "tripleo", [_prepared(steps), *map(_step, sorted(steps))], paths)


def _prepared(steps: Mapping[str, dict]) -> dict:
    """What a deployment does on each node before its first step."""
    folders = ["/var/lib/tripleo-config", "/var/lib/kolla/config_files"]
    configs = {
        f"/var/lib/kolla/config_files/{container}.json": {
            "command": "/usr/local/bin/serve",
            "config_files": [],
        }
        for containers in steps.values()
        for container in containers
    }
    return {
        "name": "TripleO prepares the node",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.file": {"path": folder, "state": "directory"}} for folder in folders]
        + [
            {"tripleo_container_configs": {"config_data": configs}},
            {"container_startup_config": {"config_base_dir": _STARTUP, "config_data": dict(steps)}},
            {
                "ansible.builtin.include_role": {
                    "name": "tripleo_container_manage",
                    "tasks_from": "shutdown.yml",
                }
            },
        ],
    }


def _step(step: str) -> dict:
    """One step as TripleO's deploy_steps_playbook has it."""
    return {
        "name": f"TripleO's {step}",
        "hosts": "all",
        "gather_facts": True,
        "gather_subset": ["min"],
        "tasks": [
            {
                "ansible.builtin.include_role": {"name": "tripleo_container_manage"},
                "vars": {
                    "tripleo_container_manage_config": f"{_STARTUP}/{step}",
                    "tripleo_container_manage_config_id": "tripleo_" + step.replace("_", ""),
                    "tripleo_container_manage_config_patterns": "*.json",
                    "tripleo_container_manage_concurrency": 5,
                    "tripleo_container_manage_cli": "podman",
                },
            }
        ],
    }
