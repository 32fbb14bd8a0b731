"""A cloud that three deployers' own code made: surveyed, and then updated as a whole.

The tests follow one another. TripleO's, kolla-ansible's and EDPM's containers run on a machine each, and on
the fourth one those of a tool that nobody knows. Every fact is asked of the machines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest
import yaml

from tests.lab import operator, proof
from tests.lab.cloud import Lab
from tests.lab.deployers import edpm_stand_in, kolla, release, tripleo, unknown
from tests.lab.deployers.inspection import downtime, most_at_once_and_longest_without, told, units

BY = {
    "ctl1": (tripleo, ("memcached", "keystone", "cinder_volume")),
    "cmp1": (edpm_stand_in, ("nova_compute_init", "nova_compute", "node_exporter", "frr")),
    "cmp2": (kolla, ("nova_compute", "neutron_ovn_metadata_agent", "prometheus_node_exporter", "cron")),
}
ONE_SHOT = "nova_compute_init"
STRANGER = ("gtw1", "memcached")  # with the name of a service of the catalogue
#: node → container, service, image key; one for each way in which containers are run
WAYS = {
    "ctl1": ("keystone", "keystone", "keystone_api_image"),
    "cmp1": ("node_exporter", "node-exporter", "edpm_node_exporter_image"),
    "cmp2": ("neutron_ovn_metadata_agent", "neutron-metadata", "edpm_neutron_metadata_agent_image"),
}
ROUNDS = 7
MOST = 1.2  # of a bare restart
LIMIT = 60  # seconds, in which a container has to be healthy where its type does not say


@pytest.fixture(scope="module")
def taken() -> Iterator[Lab]:
    """The machines, nothing of ours on them."""
    lab = Lab(profile="small")
    lab.down()
    try:
        lab.up()
        for node, (deployer, names) in BY.items():
            services = {name: deployer.SERVICES[name] for name in names}
            deployer.deploy(lab, node, services, release("1.0.0"))
        node, container = STRANGER
        unknown.deploy(lab, node, container, release("1.0.0")("infra_memcached_image"))
        lab.master(["salt", "*", "saltutil.sync_all", "--out=quiet", "-t", "120"])
        yield lab
    finally:
        lab.down()


def output(lab: Lab, node: str) -> Callable[[list[str]], str]:
    return lambda argv: lab.exec(node, argv).stdout.strip()


def running() -> Iterator[tuple[str, str]]:
    """(node, container) of all that deployers keep running."""
    for node, (_, names) in BY.items():
        yield from ((node, name) for name in names if name != ONE_SHOT)


def edit(lab: Lab, **keys: object) -> None:
    """The page that the survey wrote, with these keys instead."""
    page = lab.pillar.place / "openstack" / "init.sls"
    written = yaml.safe_load((page.parent / "surveyed.yaml").read_text())["openstack"]
    services = written["services"]
    for name, entry in dict(keys.pop("services", {})).items():
        services[name] = services.get(name, {}) | entry
    lab.pillar.write_page(written | keys | {"services": services, "ovs": {"userspace": "accept"}})


def test_the_survey_writes_a_pillar_in_which_every_service_is_mapped_or_named(taken):
    place = taken.pillar.place
    page = place / "openstack" / "init.sls"
    page.unlink()
    done = taken.master(["salt-run", "rollout.survey", "nodes=*", f"output={place}", "--out=json"])
    found = json.loads(done.stdout)
    (place / "openstack" / "surveyed.yaml").write_text(page.read_text())
    for node, (_, names) in BY.items():
        containers = found["nodes"][node]["containers"]
        assert {name for name in names if name != ONE_SHOT} <= set(containers)
        assert all(one["type"] for one in containers.values()), containers
    node, container = STRANGER
    assert found["nodes"][node]["containers"][container]["kind"] == "foreign"
    said = yaml.safe_load(page.read_text())["openstack"]
    print(yaml.safe_dump({key: said[key] for key in ("target_version", "roles", "services")}))


def test_the_release_as_found_restarts_nothing(taken):
    before = proof.fingerprint(taken)
    timestamps = ["systemctl", "show", "--property=ActiveEnterTimestampMonotonic"]
    since = {
        node: taken.exec(node, [*timestamps, *(by.unit(name) for name in names)]).stdout
        for node, (by, names) in BY.items()
    }
    edit(taken)
    operator.update(taken)
    assert operator.status(taken)["deployed"] == "0.0.1"
    assert proof.fingerprint(taken) == before
    for node, (by, names) in BY.items():
        units_of = [by.unit(name) for name in names]
        assert taken.exec(node, [*timestamps, *units_of]).stdout == since[node]


def test_an_update_moves_every_image_and_nothing_else(taken):
    before = {(node, name): told(output(taken, node), name) for node, name in running()}
    files = {node: units(output(taken, node)) for node in BY}
    stranger = proof.fingerprint(taken)[STRANGER[0]][0]
    edit(taken, target_version="1.0.1")
    operator.update(taken)
    assert operator.status(taken)["deployed"] == "1.0.1"
    wanted = taken.releases["1.0.1"]["images"]
    for node, name in running():
        key = BY[node][0].SERVICES[name]["image"]
        image = wanted[key]["default"] if isinstance(wanted[key], dict) else wanted[key]
        assert proof.running_digests(taken, node)[name] == image.partition("@")[2], (node, name)
        after = told(output(taken, node), name)
        assert after == before[node, name], [
            key for key in after if after[key] != before[node, name].get(key)
        ]
    assert {node: units(output(taken, node)) for node in BY} == files
    assert proof.fingerprint(taken)[STRANGER[0]][0] == stranger
    notes = operator.status(taken)["nodes"][STRANGER[0]]["notes"]
    assert any(STRANGER[1] in note for note in notes), notes


@pytest.mark.parametrize("node", WAYS)
def test_an_image_that_exits_at_once_pauses_the_run_and_what_ran_before_runs(taken, node):
    name, service, key = WAYS[node]
    before = told(output(taken, node), name), proof.running_digests(taken, node)[name]
    late = {service: {"health": {"timeout": 20}}}
    edit(taken, target_version="1.0.1", custom_images={key: taken.images["broken"]}, services=late)
    assert operator.update(taken, check=False).returncode != 0
    run = operator.status(taken)["run"]
    assert run["state"] == "paused" and node in run["message"], run
    assert (told(output(taken, node), name), proof.running_digests(taken, node)[name]) == before
    edit(taken, target_version="1.0.1")
    operator.update(taken)


@pytest.mark.parametrize("node", WAYS)
def test_a_minion_that_is_killed_in_mid_takeover_is_mended_by_the_next_run(taken, node):
    name, _, key = WAYS[node]
    old = taken.releases["1.0.0"]["images"][key]
    before = told(output(taken, node), name)
    begun = f"/var/lib/openstack-rollout/replacements/{name}.json"
    edit(taken, target_version="1.0.1", custom_images={key: old})
    since = time.time()
    kill = f"until [ -e {begun} ]; do :; done; pkill --signal KILL --full salt-minion"
    taken.exec(node, ["systemd-run", "--unit=killer", "--collect", "timeout", "300", "sh", "-c", kill])
    run = operator.start_update(taken)
    printed, _ = run.communicate(timeout=600)
    assert run.returncode != 0, printed
    assert taken.exec(node, ["test", "-e", begun], check=False).returncode == 0
    taken.exec(node, ["systemctl", "restart", "salt-minion"])
    operator.update(taken)
    assert proof.running_digests(taken, node)[name] == old.partition("@")[2]
    assert told(output(taken, node), name) == before
    assert taken.exec(node, ["test", "-e", begun], check=False).returncode != 0
    most, without = most_at_once_and_longest_without(output(taken, node), name, since)
    print(f"\n== {name} on {node}, minion killed: {most} at once, none for {without:.2f} s at most")
    assert most == 1 and without < LIMIT
    edit(taken, target_version="1.0.1")
    operator.update(taken)


@pytest.mark.parametrize("node", WAYS)
def test_a_service_is_away_no_longer_than_in_a_bare_restart(taken, node):
    name, _, key = WAYS[node]
    unit, out = BY[node][0].unit(name), output(taken, node)
    old, new = (taken.releases[version]["images"][key] for version in ("1.0.0", "1.0.1"))
    ours, bare = [], []
    apply = ["salt", node, "state.apply", "openstack.control_plane,openstack.services", "-t", "300"]
    for number in range(ROUNDS):
        edit(taken, target_version="1.0.1", custom_images={key: (old, new)[number % 2]})
        taken.master(["salt", node, "saltutil.refresh_pillar", "wait=True", "--out=quiet"])
        since = time.time()
        taken.master(apply)
        ours.append(downtime(out, name, since))
        since = time.time()
        taken.exec(node, ["systemctl", "restart", unit])
        bare.append(downtime(out, name, since))
    ratio = median(ours) / median(bare)
    print(f"\n== {name} on {node}: away {ours} s, by a bare restart of {unit} {bare} s: {ratio:.2f}")
    assert ratio <= MOST
    edit(taken, target_version="1.0.1")
    operator.update(taken)


@pytest.mark.parametrize("node", BY)
def test_the_deployers_next_run_is_told(taken, node):
    deployer, names = BY[node]
    name = names[-1]
    services = {one: deployer.SERVICES[one] for one in names}
    print(
        f"\n== {deployer.__name__}, at its old release\n",
        deployer.deploy(taken, node, services, release("1.0.0"))[-1500:],
    )
    assert name in [
        one["subject"]
        for some in operator.status(taken)["nodes"][node]["differences"].values()
        for one in some
    ]
    print("\n== at the new one\n", deployer.deploy(taken, node, services, release("1.0.1"))[-1500:])
    operator.update(taken)
    assert operator.status(taken)["deployed"] == "1.0.1"
