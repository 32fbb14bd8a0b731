"""What a master can do that lacks rich, prometheus-client, openstacksdk or all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openstack_rollout.on_salt.refusal import Refusal
from tests.unit.loading import load

CHECKOUT = Path(__file__).resolve().parents[3]
RUNNERS = sorted(path.stem for path in (CHECKOUT / "_runners").glob("*.py"))
PROGRAM = """
import importlib.abc, sys
sys.path[:0] = ["_utils", "."]

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        libraries = {"rich", "prometheus_client", "openstack", "keystoneauth1", "os_service_types"}
        if name.partition(".")[0] in libraries:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from tests.unit.loading import load
for name in sys.argv[1:]:
    load("runners", name)
load("output", "rollout")
load("pillar", "openstack_rollout")
"""


def test_every_runner_loads_without_libraries_that_few_functions_need():
    assert "rollout" in RUNNERS
    subprocess.run([sys.executable, "-c", PROGRAM, *RUNNERS], cwd=CHECKOUT, check=True)


def take_away(monkeypatch, library, screen):
    """Have a library not be there, and the screen that needs it be imported anew."""
    import openstack_rollout.screens

    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, f"openstack_rollout.screens.{screen}", raising=False)
    monkeypatch.delattr(openstack_rollout.screens, screen, raising=False)
    monkeypatch.setitem(sys.modules, library, None)


@pytest.fixture
def runner(monkeypatch):
    """The runner that watches, where rich cannot be imported."""
    take_away(monkeypatch, "rich", "watch")
    return load("runners", "rollout_status")


def test_without_rich_watch_says_in_one_line_what_to_install(runner):
    with pytest.raises(Refusal, match=r"^LIBRARY_MISSING: .* \(salt-pip install rich\)\. [^\n]*$"):
        runner.watch()


def test_a_failing_import_of_another_library_is_not_taken_for_rich(runner, monkeypatch):
    monkeypatch.delitem(sys.modules, "rich")
    monkeypatch.setitem(sys.modules, "openstack_rollout.screens.tables", None)
    with pytest.raises(Refusal, match=r"^INTERNAL_ERROR: ModuleNotFoundError: .*tables"):
        runner.watch()


def test_without_prometheus_client_metrics_says_in_one_line_what_to_install(monkeypatch):
    take_away(monkeypatch, "prometheus_client", "metrics")
    said = r"^LIBRARY_MISSING: .* \(salt-pip install prometheus-client\)\. [^\n]*$"
    with pytest.raises(Refusal, match=said):
        load("runners", "rollout_metrics").metrics()
