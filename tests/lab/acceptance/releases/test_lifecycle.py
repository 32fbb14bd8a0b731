"""Releases from where they come to where they go: compared, mirrored, bundled, accepted, pruned, undone."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from tests.unit.cloud_pillar import shipped

from ... import operator, proof, settings
from ...enclosure import wait_for
from ...images import HOTFIX_KEY

FIRST, SECOND, THIRD = "1.0.0", "1.0.1", "1.0.2"
PLACE = f"{settings.HOST_ADDRESS}:5005"
#: Image key of a service → the key whose image the third release has for it: with these it moves every node,
#: and a node keeps what it was before the last run that moved it.
ON_EVERY_NODE = {"placement_api_image": "ksm_image", "edpm_node_exporter_image": "edpm_kepler_image"}
INSECURE = f'[[registry]]\nlocation = "{PLACE}"\ninsecure = true\n'
CONFIGURED = "/etc/containers/registries.conf.d/mirror.conf"


@pytest.fixture(scope="module")
def mirror(cloud, tmp_path_factory):
    """An empty registry in the lab's network, which nodes and master reach without TLS."""
    home = tmp_path_factory.mktemp("mirror")
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(home / "data")}},
        "http": {"addr": PLACE},
    }
    (home / "config.yml").write_text(yaml.safe_dump(config))
    for node in cloud.nodes:
        cloud.exec(node, ["tee", CONFIGURED], stdin=INSECURE)
    (home / "mirror.conf").write_text(INSECURE)
    cloud.master(["cp", str(home / "mirror.conf"), CONFIGURED])
    served = cloud.popen_master(["docker-registry", "serve", str(home / "config.yml")])
    try:
        answers = ["curl", "--silent", "--fail", f"http://{PLACE}/v2/"]
        assert wait_for(lambda: cloud.master(answers, check=False).returncode == 0, 30)
        yield PLACE
    finally:
        served.terminate()
        served.wait(30)


def asked(cloud, *command, status=0):
    """What a command of salt-run answers, as data; as text where it is refused."""
    done = cloud.master(["salt-run", "--out=json", *command], check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout) if status == 0 else done.stdout + done.stderr


def flat(images):
    """Key, or key:backend → reference."""
    found = {}
    for key, one in images.items():
        found |= (
            {f"{key}:{name}": each for name, each in one.items()} if isinstance(one, dict) else {key: one}
        )
    return found


def local(cloud, node):
    """The digests of the images that a node has."""
    printed = cloud.exec(node, ["podman", "images", "--digests", "--format", "{{.Digest}}"]).stdout
    return set(printed.split())


def gone(pruned):
    """Node → the digests of the images that went, or would."""
    return {
        node: {name.partition("@")[2] for name in one["images"]}
        for node, one in pruned["pruned_nodes"].items()
    }


def digests(cloud, version):
    return {one.partition("@")[2] for one in flat(cloud.releases[version]["images"]).values()}


def test_the_releases_differ_in_what_was_planted(cloud):
    told = asked(cloud, "release.diff", FIRST, SECOND, "format=json")
    had, has = (cloud.releases[version] for version in (FIRST, SECOND))
    before, after = flat(had["images"]), flat(has["images"])
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert set(told["images"]) == differing and told["unknown"] == {}
    assert all(
        (one["from"], one["to"]) == (before.get(key), after.get(key)) for key, one in told["images"].items()
    )
    label = "org.opencontainers.image.version"
    assert all(one["labels"] == {label: [FIRST, SECOND]} for one in told["images"].values())
    names = {name for name in {*had["packages"], *has["packages"]}
             if had["packages"].get(name) != has["packages"].get(name)}  # fmt: skip
    assert set(told["packages"]) == names


def test_the_advisories_are_told_that_the_second_mends_and_no_others(cloud, tmp_path):
    had, has = (cloud.releases[version]["packages"] for version in (FIRST, SECOND))
    moved = {name: (had[name], one) for name, one in has.items() if had.get(name, one) != one}
    name, (before, after) = next((name, both) for name, both in moved.items() if all(map(_is_text, both)))
    planted = {
        "LAB-2026:1": (name, after),
        "LAB-2026:2": (name, before),  # which the first has already
        "LAB-2026:3": ("of-no-release", after),
    }
    file = tmp_path / "updateinfo.xml"
    file.write_text(f"<updates>{''.join(advisory(one, *what) for one, what in planted.items())}</updates>")
    told = asked(cloud, "release.diff", FIRST, SECOND, "online=False", f"advisories={file}")
    assert set(told["advisories"]) == {"LAB-2026:1"}
    assert set(told["advisories"]["LAB-2026:1"]["packages"]) == {name}


def _is_text(value):
    """Not a version by os_family."""
    return isinstance(value, str)


def advisory(identifier, name, version):
    """An advisory of security as updateinfo.xml has it."""
    number, _, release = version.partition("-")
    package = f'<package name="{name}" epoch="0" version="{number}" release="{release}" arch="noarch"/>'
    return (
        f'<update type="security"><id>{identifier}</id><severity>Important</severity>'
        f"<pkglist><collection>{package}</collection></pkglist></update>"
    )


def test_what_it_does_to_a_node_is_what_an_update_would_do(cloud):
    told = asked(cloud, "release.diff", FIRST, SECOND, "format=json", "online=False")
    cloud.set_pillar(target_version=SECOND)
    plan = operator.plan(cloud)
    cloud.set_pillar(target_version=FIRST)
    for role, stages in told["roles"].items():
        real = {
            stage["stage"]: one["drain"]
            for stage in plan["stages"]
            for round_ in stage["rounds"]
            for one in round_["roles"]
            if one["role"] == role
        }
        assert {one["stage"]: one["drain"] for one in stages} == real, role
        node = next(name for name, one in cloud.nodes.items() if one.role == role)
        types = {shipped()["service_types"][name]["image"] for one in stages for name in one["restarts"]}
        assert types == set(proof.containers(cloud, node).values()), role


def test_a_bundle_that_lacks_a_blob_is_refused(cloud, mirror, tmp_path):
    folder = tmp_path / "bundle"
    asked(cloud, "release.bundle", SECOND, f"output={folder}", "needed=True")
    blob = next(one for one in folder.glob("images/*/*") if len(one.name) == 64)
    blob.unlink()
    refused = asked(
        cloud, "release.mirror", SECOND, f"to={mirror}/off", f"bundle={folder}", "needed=True", status=1
    )
    assert "BUNDLE_INCOMPLETE" in refused and blob.name in refused
    there = cloud.master(["curl", "--silent", "--fail", f"http://{mirror}/v2/_catalog"]).stdout
    assert json.loads(there) == {"repositories": []}, "nothing was copied"


def test_the_update_runs_from_a_mirror_while_the_registry_is_gone(cloud, mirror):
    to = f"{mirror}/openstack"
    answer = asked(cloud, "release.mirror", SECOND, f"to={to}", "needed=True")
    assert answer["copied"] and answer["registries"] == {settings.REGISTRY: {"mirrors": [to]}}
    cloud.set_pillar(target_version=SECOND, registries=answer["registries"])
    cloud.stop_registry()
    try:
        operator.update(cloud)
        proof.assert_cloud_at(cloud, SECOND)
    finally:
        cloud.start_registry()


def test_nothing_goes_before_somebody_accepted_and_then_what_was_told(cloud):
    images = cloud.releases[SECOND]["images"]
    moved = {key: images[other] for key, other in ON_EVERY_NODE.items()}
    cloud.add_release(THIRD, like=SECOND, images={HOTFIX_KEY: cloud.images["hotfix"], **moved})
    cloud.set_pillar(target_version=THIRD)
    operator.update(cloud)
    proof.assert_cloud_at(cloud, THIRD)
    spare = digests(cloud, FIRST) - digests(cloud, SECOND) - digests(cloud, THIRD)
    old = {node: local(cloud, node) & spare for node in cloud.nodes}
    assert all(old.values()), "the first release's images are still there"
    assert "NOT_ACCEPTED" in asked(cloud, "rollout.prune", status=1)
    assert asked(cloud, "rollout.accept")["approved"]["at"] <= time.time()
    cloud.set_pillar(target_version=THIRD, prune={"keep": [FIRST]})
    pinned = asked(cloud, "rollout.prune", "test=True")
    assert set(pinned["kept"]) == {FIRST, THIRD} and not any(gone(pinned).values())
    cloud.set_pillar(target_version=THIRD)
    predicted = asked(cloud, "rollout.prune", "test=True")
    assert gone(predicted) == old and predicted["freed"] > 0
    assert {node: local(cloud, node) & spare for node in cloud.nodes} == old, "a prediction removes nothing"
    done = asked(cloud, "rollout.prune")
    assert done == {**predicted, "test": False}
    for node in cloud.nodes:
        assert not local(cloud, node) & spare, node
    again = asked(cloud, "rollout.prune")
    assert again["freed"] == 0 and not any(one["images"] for one in again["pruned_nodes"].values())


def test_the_way_back_is_kept_and_needs_no_registry(cloud):
    cloud.stop_registry()
    try:
        operator.update(cloud, "orch.rollback")
    finally:
        cloud.start_registry()
    proof.assert_cloud_at(cloud, SECOND)
