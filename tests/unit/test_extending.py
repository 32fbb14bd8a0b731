"""docs/development/extending.md says which files a new part needs: here each is added to a copy, and works.

What a recipe touches is counted: the lists have to stay short.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "development" / "extending.md"
COPIED = (
    *("_utils", "_modules", "_states", "pillar", "salt", "orch"),
    *("tests/unit", "tests/__init__.py", "tests/flights.py"),
)


class Copy:
    """A copy of the tree. touched: the files that were written since."""

    def __init__(self, place):
        self.place = place
        self.touched = set()
        for name in COPIED:
            source, target = CHECKOUT / name, place / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)
        (place / "tests" / "__init__.py").touch()

    def edit(self, name, *changes):
        path = self.place / name
        text = path.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text, f"{name} has no {before!r}"
            text = text.replace(before, after, 1)
        path.write_text(text, encoding="utf-8")
        self.touched.add(name)

    def add(self, name, text):
        (self.place / name).write_text(text, encoding="utf-8")
        self.touched.add(name)

    def run(self, program):
        """Run a program in the copy; returns what it printed."""
        head = "import sys; sys.path[:0] = ['_utils', '.']\n"
        done = subprocess.run(
            [sys.executable, "-P", "-c", head + program],
            cwd=self.place,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def listed(part):
    """The files that the page names for a part, and how many it may be."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(part)}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return set(re.findall(r"^\d+\. `([^`]+)`", section, re.M))


def as_on_the_page(touched, part, **names):
    """The files that were touched, with the page's placeholders."""
    found = set()
    for file in touched:
        shown = file
        for placeholder, name in names.items():
            shown = shown.replace(name, f"<{placeholder}>")
        found.add(shown)
    assert found == listed(part), part
    return True


STAGE = """
import json
from openstack_rollout import vocabulary
from openstack_rollout.rollout import dry_run
from tests.unit import simulated_fleet as simulated
import pathlib, tempfile
simulated.STAGES_OF["compute"] = (*simulated.STAGES_OF["compute"], "edge")
simulated.CONTAINERS = (*simulated.CONTAINERS, "edge")
cloud = simulated.Cloud(controller=1, compute=2)
master = simulated.Master(cloud, pathlib.Path(tempfile.mkdtemp()))
plan = dry_run.dry_run(cloud.model, master.ports(), lambda nodes, stage: {})
print([stage["stage"] for stage in plan["stages"] if stage["rounds"]])
rollout = master.rollout()
rollout.begin()
for stage in vocabulary.STAGES:
    master.rollout().stage(stage)
print(master.rollout().finish()["state"], [node for stage, node in cloud.applied if stage == "edge"])
"""


def test_a_stage(copy):
    copy.edit(
        "_utils/openstack_rollout/vocabulary.py",
        ('"services", "ovs", "system"]', '"services", "edge", "ovs", "system"]'),
        ('ServiceStage = Literal["ovn", "control_plane", "services"]',
         'ServiceStage = Literal["ovn", "control_plane", "services", "edge"]'),
    )  # fmt: skip
    copy.edit(
        "_utils/openstack_rollout/rollout/procedure.py",
        (
            '    "ovs": ("controller", "gateway"',
            '    "edge": ("compute",),\n    "ovs": ("controller", "gateway"',
        ),
        ('    "ovs": ("ovn", "control', '    "edge": ("services",),\n    "ovs": ("ovn", "control'),
    )
    services = (CHECKOUT / "salt/openstack/services.sls").read_text()
    copy.add("salt/openstack/edge.sls", services.replace('"services"', '"edge"'))
    copy.edit("salt/top.sls", ("    - openstack.ovs\n", "    - openstack.edge\n    - openstack.ovs\n"))
    copy.add("orch/edge.sls", (CHECKOUT / "orch/services.sls").read_text().replace("services", "edge"))
    copy.edit(
        "orch/update.sls",
        ("  - orch.ovs\n", "  - orch.edge\n  - orch.ovs\n"),
        ("  ovs:\n    salt:\n      - require:\n        - salt: services\n",
         "  edge:\n    salt:\n      - require:\n        - salt: services\n"
         "  ovs:\n    salt:\n      - require:\n        - salt: edge\n"),
    )  # fmt: skip
    planned, ran = copy.run(STAGE).splitlines()
    assert planned == "['ovn', 'control_plane', 'services', 'edge', 'ovs', 'system']"
    assert ran == "completed ['compute1', 'compute2']"
    assert len(copy.touched) <= 6 and as_on_the_page(copy.touched, "A stage", stage="edge")


def test_a_service_type(copy):
    line = "    horizon2: {image: horizon2_image, container: h2, roles: [controller], stage: control_plane}\n"
    copy.edit("pillar/openstack/services.sls", ("  service_types:\n", f"  service_types:\n{line}"))
    program = """
from tests.unit.cloud_pillar import model, shipped
pillar = shipped()
pillar["services"] = {"horizon2": {"enabled": True}}
print(model(pillar).catalogue.services()["horizon2"].image_key)
"""
    assert copy.run(program).strip() == "('horizon2_image', None)"
    assert len(copy.touched) == 1 and as_on_the_page(copy.touched, "A service type")


def test_a_drain_kind(copy):
    copy.add(
        "_utils/openstack_rollout/drains/wait_a_while.py",
        '''"""Waits."""


class WaitAWhile:
    """A drain that moves nothing."""

    stages = frozenset({"ovs"})

    def __init__(self, model, role, ask):
        self.role = role

    def refuse(self, nodes):
        """Never."""

    def capacity(self, nodes):
        """All."""
        return len(nodes)

    def drain(self, node, record):
        """Nothing."""
        return "waited"

    def restore(self, node, record):
        """Nothing."""
        return "waited"
''',
    )
    copy.edit(
        "_utils/openstack_rollout/declared/policies.py",
        ('Literal["none", "ceph"]', 'Literal["none", "ceph", "wait_a_while"]'),
    )
    program = """
from openstack_rollout.drains.kinds import Drains
from tests.unit.cloud_pillar import model
declared = model(policies={"storage": {"drain": "wait_a_while"}})
drain = Drains(declared, None).before("ovs", "storage")
print(type(drain).__name__, drain.drain("sto1", None))
"""
    assert copy.run(program).strip() == "WaitAWhile waited"
    assert len(copy.touched) <= 3 and as_on_the_page(copy.touched, "A drain kind", kind="wait_a_while")


def test_a_guard(copy):
    source = (CHECKOUT / "_modules/galera.py").read_text()
    copy.add("_modules/cassandra.py", source.replace("galera", "cassandra"))
    copy.edit(
        "_utils/openstack_rollout/node/guards.py",
        ("    Listed(PACEMAKER),\n", '    Listed("cassandra", is_member=True),\n    Listed(PACEMAKER),\n'),
    )
    copy.edit("pillar/openstack/services.sls", ("guard: galera", "guard: cassandra"))
    program = """
from openstack_rollout.node import guards
from tests.unit.cloud_pillar import model
from tests.unit.loading import load
module = load("modules", "cassandra")
contract = ("before_stop", "after_start", "undo", "pending", "may_stop")
print(all(callable(getattr(module, name)) for name in contract))
print("cassandra" in guards.MEMBERS, model().catalogue.services()["mariadb"].guard)
"""
    assert copy.run(program).split() == ["True", "True", "cassandra"]
    assert len(copy.touched) <= 3 and as_on_the_page(copy.touched, "A guard", guard="cassandra")


def test_a_carrier(copy):
    copy.add("_modules/by_hand.py", (CHECKOUT / "_modules/podman_command.py").read_text())
    copy.edit(
        "_utils/openstack_rollout/node/carriers.py",
        ('"foreign_quadlet", "podman_command"', '"by_hand", "foreign_quadlet", "podman_command"'),
    )
    program = """
from openstack_rollout.node import carriers
from tests.unit.loading import load
module = load("modules", "by_hand")
contract = [name for name in vars(carriers.Carrier) if not name.startswith("_")]
print(all(callable(getattr(module, name)) for name in contract), len(contract))
found = {"keystone": {"unit": "keystone.service"}}
salt = {f"{one}.carried": lambda: found for one in ("by_hand", "podman_api")}
print(carriers.carried(salt)["keystone"]["carrier"])
"""
    assert copy.run(program).split() == ["True", "6", "by_hand"]
    assert len(copy.touched) <= 2 and as_on_the_page(copy.touched, "A carrier", carrier="by_hand")


def test_a_reason(copy):
    copy.edit(
        "_utils/openstack_rollout/errors.py",
        ('    "NO_RUN":', '    "MOON_FULL": "Wait for a new moon, then run again.",\n    "NO_RUN":'),
    )
    program = """
from openstack_rollout.errors import RolloutError
print(RolloutError("MOON_FULL", "tonight").remedy)
"""
    assert copy.run(program).strip() == "Wait for a new moon, then run again."
    assert len(copy.touched) <= 2 and as_on_the_page(copy.touched, "A reason")


def test_a_policy_key(copy):
    copy.edit(
        "_utils/openstack_rollout/declared/policies.py",
        ("    silence: Seconds = 60\n",
         '    patience: Seconds = 60\n    """Seconds to wait for something."""\n    silence: Seconds = 60\n'),
    )  # fmt: skip
    program = """
from openstack_rollout.declared import schema
from tests.unit.cloud_pillar import model
print(model(policies={"compute": {"patience": 5}}).policies.compute.patience)
print("Seconds to wait for something." in schema.reference())
"""
    assert copy.run(program).split() == ["5", "True"]
    assert len(copy.touched) <= 3 and as_on_the_page(copy.touched, "A policy key")


def test_a_release(copy):
    images = "{ovn_controller_image: 'registry.example/ovn:1'}"
    text = f"openstack:\n  releases:\n    1.0.9:\n      images: {images}\n"
    copy.add("pillar/openstack/releases/1_0_9.sls", text)
    program = """
import yaml
from openstack_rollout.declared.model import Model
from openstack_rollout.declared import releases
page = yaml.safe_load(open("pillar/openstack/releases/1_0_9.sls"))
print(releases.available(Model.model_validate(page["openstack"])))
"""
    assert copy.run(program).strip() == "1.0.9"
    assert len(copy.touched) == 1
    assert as_on_the_page(copy.touched, "A release", version="1_0_9")
