"""Run a deployer's Ansible against a machine of the lab, as its own command-line tool would."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError

from . import tools


def play(
    lab: Lab,
    node: str,
    tool: str,
    playbook: list[dict],
    paths: dict[str, Path],
    variables: dict[str, object] | None = None,
) -> str:
    """Run a playbook; what Ansible printed.

    Args:
        lab: A lab that is up.
        node: The machine.
        tool: The deployer whose environment is used, as `tools.ensure` knows it.
        playbook: Its plays.
        paths: Where the deployer keeps its own parts: Ansible's setting -> path, e.g.
            `{"ROLES_PATH": .../roles, "LIBRARY": .../plugins/modules}`.
        variables: What the command line says, over all that the deployer's files say.

    Raises:
        LabError: Some task failed; the message has what Ansible printed.
    """
    place = tools.ensure(tool)
    entered = lab.exec_command(node, [])
    host = {
        "ansible_connection": "lab_machine",
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "lab_enter": entered,
    }
    with tempfile.TemporaryDirectory(prefix="openstack-rollout-deployer-") as scratch:
        inventory, file = Path(scratch) / "inventory.json", Path(scratch) / "play.json"
        inventory.write_text(json.dumps({"all": {"hosts": {node: host}}}))
        file.write_text(json.dumps(playbook))
        (Path(scratch) / "ansible.cfg").touch()  # instead of the host's
        program = [str(place / "venv/bin/python"), "-m", "ansible", "playbook"]
        said = json.dumps(variables or {})
        done = subprocess.run(
            [*program, f"--inventory={inventory}", f"--extra-vars={said}", str(file)],
            cwd=scratch,
            env=_environment(place, Path(scratch), paths),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
    if done.returncode:
        raise LabError(
            f"{tool}'s playbook on {node} exited with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _environment(place: Path, scratch: Path, paths: dict[str, Path]) -> dict[str, str]:
    settings = {
        "HOME": scratch,
        "LOCAL_TEMP": scratch / "local",
        "CONFIG": scratch / "ansible.cfg",
        "COLLECTIONS_PATH": place,
        "CONNECTION_PLUGINS": tools.FILES / "connection",
        "PIPELINING": True,
        "NOCOLOR": True,
        "DEPRECATION_WARNINGS": False,
        **paths,
    }
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
        **{f"ANSIBLE_{name}": str(value) for name, value in settings.items()},
    }
