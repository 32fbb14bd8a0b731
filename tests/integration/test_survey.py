"""A survey by a real master of real minions: who does not answer is named, what it writes is a pillar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration import daemons
from tests.unit.declared.found import answer, container, of

REPO = Path(__file__).resolve().parents[2]
PATIENCE = 180
NODES = {
    "ctl1": [of("kolla", "keystone"), of("kolla", "nova_api"), of("kolla", "fluentd")],
    "cmp1": [of("kolla", "nova_compute"), {"web": container("web")}],
    "cmp2": [of("kolla", "nova_compute")],
}


class Cloud:
    """A master with etc/master's configuration and the shipped pillar; minions tell what is written."""

    def __init__(self, factories, folder: Path):
        self.pillar = folder / "pillar"
        self.pillar.mkdir()
        own = yaml.safe_load((REPO / "etc/master").read_text().replace("/srv/openstack-rollout", str(REPO)))
        own["pillar_roots"]["base"].insert(0, str(self.pillar))
        own["file_roots"]["base"].insert(0, str(REPO / "tests/integration/roots"))
        self.master = daemons.salt_master(factories, "survey", **own)
        self.minions = {name: daemons.salt_minion(self.master, name) for name in NODES}

    def start(self):
        for name, containers in NODES.items():
            daemons.have_synced(self.minions[name], [REPO / "tests/integration/roots", REPO / "etc/roots"])
            self.node(name, answer(name, *containers))
        daemons.start(self.master, self.minions.values())

    def stop(self):
        daemons.stop(*self.minions.values(), self.master)

    def node(self, name, told):
        """Set what a node tells."""
        path = Path(self.minions[name].config["cachedir"]) / "simulated_deployed.json"
        path.write_text(json.dumps(told))

    def run(self, *arguments):
        """salt-run to its end."""
        salt_run = Path(sys.executable).with_name("salt-run")
        command = [str(salt_run), "-c", str(self.master.config_dir), "--log-level=quiet", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory):
    cloud = Cloud(salt_factories, tmp_path_factory.mktemp("survey"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


def test_every_node_is_told(cloud):
    done = cloud.run("rollout.survey")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compute: cmp1, cmp2" in done.stdout and "controller: ctl1" in done.stdout
    assert (
        "Maps to nothing:" in done.stdout and "web (other, registry.example/web:18.0) on cmp1" in done.stdout
    )
    found = json.loads(cloud.run("rollout.survey", "--out=json").stdout)
    assert found["survey"] == ["cmp1", "cmp2", "ctl1"] and found["silent"] == {}
    assert found["nodes"]["ctl1"]["containers"]["keystone"]["deployer"] == "kolla"


def test_what_is_written_is_a_pillar_and_is_written_once(cloud):
    first = cloud.run("rollout.survey", f"output={cloud.pillar}")
    assert first.returncode == 0, first.stdout + first.stderr
    before = {path: path.read_bytes() for path in cloud.pillar.rglob("*.sls")}
    assert len(before) == 2
    again = cloud.run("rollout.survey", f"output={cloud.pillar}")
    assert again.returncode == 2 and again.stdout.startswith("WRONG_ARGUMENT: output: ")
    assert len(again.stdout.splitlines()) == 1
    assert {path: path.read_bytes() for path in cloud.pillar.rglob("*.sls")} == before
    checked = cloud.run("release.check", "online=False", "--out=json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["target"] == "0.0.1"


def test_a_node_that_does_not_answer_as_it_should_is_named_and_the_others_are_told(cloud):
    cloud.node("cmp1", {"schema": 99})
    daemons.stop(cloud.minions["cmp2"])
    done = cloud.run("rollout.survey", "nodes=*", "silence=5", "--out=json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert {name: one["reason"] for name, one in found["silent"].items()} == {
        "cmp1": "FACTS_INVALID",
        "cmp2": "NODE_SILENT",
    }
    assert list(found["nodes"]) == ["ctl1"]
