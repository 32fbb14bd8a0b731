"""What each node gets of what is declared, on a real master that adopted etc/master, and real minions."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest
import salt.config
import salt.pillar
import yaml

from tests.integration import daemons
from tests.unit import cloud_pillar

REPO = Path(__file__).resolve().parents[2]
NODES = {"ctl1": "controller", "gtw1": "gateway", "cmp1": "compute"}
# A service of each role alone, with a password that nobody else may see.
SECRETS = {
    "ctl1": ("keystone", "password-of-keystone"),
    "gtw1": ("neutron-l3", "password-of-l3"),
    "cmp1": ("nova", "password-of-nova"),
}
LARGEST = 64 * 1024  # bytes of a compute's pillar
COMPILED = 15  # times, of which the middle counts


class Cloud:
    """A master with etc/master's configuration and a pillar of its own, and a minion of each role."""

    def __init__(self, factories, folder: Path):
        self.pillar = folder / "pillar"
        (self.pillar / "openstack" / "releases").mkdir(parents=True)
        own = yaml.safe_load((REPO / "etc/master").read_text().replace("/srv/openstack-rollout", str(REPO)))
        own["pillar_roots"]["base"].insert(0, str(self.pillar))
        self.page()
        self.releases(2)
        self.master = daemons.salt_master(factories, "shares", **own)
        has_all = {"autoload_dynamic_modules": False}
        self.minions = {name: daemons.salt_minion(self.master, name, **has_all) for name in NODES}

    def start(self):
        for minion in self.minions.values():
            daemons.have_synced(minion, [REPO / "etc/roots"])
        daemons.start(self.master, self.minions.values())

    def stop(self):
        daemons.stop(*self.minions.values(), self.master)

    def page(self, **keys):
        """Write the operator's page."""
        services = {
            name: {"enabled": True, "options": {"DEFAULT": {"password": secret}}}
            for name, secret in SECRETS.values()
        }
        page = {
            "target_version": cloud_pillar.NEW,
            "roles": {role: f"{name[:3]}*" for name, role in NODES.items()},
            "services": services,
            **keys,
        }
        (self.pillar / "openstack" / "init.sls").write_text(yaml.safe_dump({"openstack": page}))

    def releases(self, count):
        """Write that many releases, the target among them."""
        images = cloud_pillar.images(cloud_pillar.shipped(), cloud_pillar.NEW)
        for number in range(count):
            version = f"1.0.{number}"
            content = {"images": images, "packages": {"openstack-selinux": f"0.8-{number}", "curl": ">=7.1"}}
            path = self.pillar / "openstack" / "releases" / f"{version.replace('.', '_')}.sls"
            path.write_text(yaml.safe_dump({"openstack": {"releases": {version: content}}}))

    def share(self, name) -> dict:
        """What a node gets."""
        return self.minions[name].salt_call_cli().run("pillar.items", "unmask=True").data

    def check(self) -> list[str]:
        """What salt-run release.check warns of."""
        answer = self.master.salt_run_cli().run("release.check", "online=False", _timeout=120)
        assert answer.returncode == 0, answer
        return answer.data["warnings"]

    def apply(self, name, *arguments):
        """salt-call state.apply on a node: its states."""
        return self.minions[name].salt_call_cli().run("state.apply", *arguments, _timeout=180).data


@pytest.fixture(scope="module")
def cloud(salt_factories, tmp_path_factory):
    cloud = Cloud(salt_factories, tmp_path_factory.mktemp("shares"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture(autouse=True)
def valid_page(cloud):
    cloud.page()


def test_no_node_gets_what_belongs_to_another_role(cloud):
    cloud.releases(100)
    pillars = {name: json.dumps(cloud.share(name)) for name in NODES}
    declared = cloud_pillar.model().catalogue.services()
    for name, text in pillars.items():
        share = json.loads(text)["openstack_node"]
        assert share["roles"] == [NODES[name]] and share["target"] == cloud_pillar.NEW
        assert "openstack" not in json.loads(text)
        for other, (service, secret) in SECRETS.items():
            assert (secret in text) == (name == other), f"{name} and {secret}"
            image = declared[service].image.removesuffix("_image").replace("_", "-")
            assert (f"/{image}@" in text) == (name == other), f"{name} and {image}"
        allowed = {one.container for one in declared.values() if NODES[name] in one.roles}
        assert set(share["containers"]) <= allowed
    assert len(pillars["cmp1"]) < LARGEST


def test_an_edit_counts_at_once_and_a_refused_page_fails_every_state_untouched(cloud):
    assert cloud.share("cmp1")["openstack_node"]["ovs"]["reload"] is False
    cloud.page(ovs={"reload": True})
    assert cloud.share("cmp1")["openstack_node"]["ovs"]["reload"] is True
    cloud.page(polices={})
    for arguments in ((), ("test=True",), ("openstack.services",)):
        states = cloud.apply("cmp1", *arguments)
        assert all(state["result"] is False for state in states.values()), states
        assert all(state["changes"] == {} for state in states.values())
        first = next(iter(states.values()))
        assert first["reason"] == "INVALID_PILLAR"
        assert "openstack:polices" in first["comment"] and "did you mean policies?" in first["comment"]


def test_an_override_of_a_run_reaches_the_node(cloud):
    told = "pillar={openstack_rollout: {target: '9.9', stages: [services]}}"
    states = cloud.apply("cmp1", "openstack.services", told)
    assert [state["reason"] for state in states.values()] == ["TARGET_CHANGED"]


def test_the_check_names_nodes_of_two_roles_and_a_top_file_that_gives_too_much(cloud):
    cloud.page(roles={"controller": "ctl*", "compute": "ctl1 or cmp*"})
    warnings = cloud.check()
    assert any("openstack:roles: compute, controller all mean ctl1: " in line for line in warnings), warnings
    assert not any("top.sls" in line for line in warnings)
    top = cloud.pillar / "top.sls"
    names = ["openstack.services", "openstack.releases*", "openstack"]
    top.write_text(yaml.safe_dump({"base": {"*": names}}))
    try:
        assert any("top.sls" in line and "'*_master'" in line for line in cloud.check())
    finally:
        top.unlink()


@pytest.mark.parametrize("releases", [2, 100])
def test_a_share_costs_little_more_than_an_empty_pillar(cloud, releases, tmp_path):
    cloud.releases(releases)
    (tmp_path / "top.sls").write_text("base: {}\n")
    opts = salt.config.master_config(str(Path(cloud.master.config_dir) / "master"))
    empty = {**opts, "ext_pillar": [], "pillar_roots": {"base": [str(tmp_path)]}}
    assert _compiled(opts)[0].keys() >= {"openstack_node"}
    share, nothing = (statistics.median(_compiled(one)[1] for _ in range(COMPILED)) for one in (opts, empty))
    # 50 ms more would be about as much again; a compile of all of 100 releases is 20 times that.
    assert share < 2.5 * nothing, f"{share:.3f} s of CPU, {nothing:.3f} s for an empty pillar"


def _compiled(opts):
    begun = time.process_time()
    compiler = salt.pillar.Pillar(dict(opts), {"id": "cmp1", "os_family": "RedHat"}, "cmp1", "base")
    try:
        return compiler.compile_pillar(), time.process_time() - begun
    finally:
        compiler.destroy()
