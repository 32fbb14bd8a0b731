"""What a node loads for its states: nothing of the master's side, and not Salt's client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MASTERS = ("declared", "cloud", "drains", "rollout", "on_salt", "screens", "records.journal", "records.lock")
FOREIGN = ("salt.client", "salt.runner", "pydantic", "openstack", "keystoneauth1", "rich")
PROGRAM = """
import sys
sys.path[:0] = ["_utils", "."]
from tests.unit.loading import load
from pathlib import Path
for kind in ("modules", "states"):
    for file in sorted(Path(f"_{kind}").glob("*.py")):
        load(kind, file.stem)
print(*sorted(sys.modules), sep="\\n")
"""


def test_a_node_loads_nothing_of_the_masters_side():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"openstack_rollout.node.share", "openstack_rollout.node.errors"} <= loaded
    unwanted = [f"openstack_rollout.{name}" for name in MASTERS] + list(FOREIGN)
    found = {
        module for module in loaded for name in unwanted if module == name or module.startswith(f"{name}.")
    }
    assert found == set()
