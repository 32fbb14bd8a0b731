"""A release that wants the newest of its packages: whoever begins a run asks the repositories first."""

from __future__ import annotations

import pytest

from tests.unit.simulated_fleet import Cloud, Master, SimulatedFleet

CACHE = {
    "deploy": "package",
    "packages": {"RedHat": ["cache"]},
    "units": {"RedHat": ["cache"]},
    "roles": ["compute"],
    "stage": "services",
    "enabled": True,
}


@pytest.mark.parametrize(("version", "refreshed"), [("newest", True), (">=1", False)])
def test_a_stage_asks_repositories_first_where_its_release_follows_them(
    tmp_path, monkeypatch, version, refreshed
):
    cloud = Cloud(compute=2, deployed="1.0.1")
    cloud.openstack["services"] = {"cache": CACHE}
    cloud.openstack["releases"]["1.0.1"].setdefault("packages", {})["cache"] = version
    asked, facts = [], SimulatedFleet.facts

    def measured(self, silences, refresh=False, halted=lambda: None):
        asked.append(refresh)
        return facts(self, silences, refresh, halted)

    monkeypatch.setattr(SimulatedFleet, "facts", measured)
    Master(cloud, tmp_path).rollout().stage("services")
    assert asked[0] is refreshed and not any(asked[1:])
