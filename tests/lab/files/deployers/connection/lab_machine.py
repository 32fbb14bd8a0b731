"""How Ansible reaches a machine of the lab: by the command that enters it, with no daemon in between."""

from __future__ import annotations

import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: lab_machine
short_description: run commands in a machine of the lab
description: The inventory says for each machine how it is entered; every command and file goes that way.
options:
  enter:
    description: The command that a machine's own command is appended to.
    type: list
    elements: str
    required: true
    vars:
      - name: lab_enter
"""


class Connection(ConnectionBase):
    """A machine that is entered by a command of this host."""

    transport = "lab_machine"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Run what Ansible composed, as a login shell would be given it."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._run(["/bin/sh", "-c", cmd], in_data or b"")

    def put_file(self, in_path, out_path):
        """Copy a file into the machine."""
        super().put_file(in_path, out_path)
        with open(in_path, "rb") as file:
            self._must(["dd", "status=none", f"of={out_path}"], file.read())

    def fetch_file(self, in_path, out_path):
        """Copy a file out of the machine."""
        super().fetch_file(in_path, out_path)
        content = self._must(["cat", in_path], b"")
        with open(out_path, "wb") as file:
            file.write(content)

    def close(self):
        """Nothing stays open."""
        self._connected = False

    def _run(self, argv, data):
        done = subprocess.run(
            [*self.get_option("enter"), *argv], input=data, capture_output=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def _must(self, argv, data):
        status, output, errors = self._run(argv, data)
        if status:
            raise AnsibleConnectionFailure(f"{argv[0]} in the machine: {errors.decode(errors='replace')}")
        return output
