"""salt-run release.*: the real runner on a real pillar, without any minion."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.functional.registry_server import Registry
from tests.functional.test_registry_signatures import public
from tests.unit.cloud_pillar import shipped

REPO = Path(__file__).resolve().parents[2]
SALT_RUN = Path(sys.executable).with_name("salt-run")


class Master:
    """A master's configuration over the repository's pillar and a directory with an operator's page."""

    def __init__(self, home, server, bus):
        self.home = home
        self.server = server
        self.releases = home / "pillar" / "openstack" / "releases"
        self.releases.mkdir(parents=True)
        # A master's daemon would have made it.
        (home / "var" / "cache" / "salt" / "master" / "proc").mkdir(parents=True)
        config = {
            "root_dir": str(home),
            **bus,
            "pki_dir": "pki",
            "file_roots": {"base": [str(home / "srv")]},
            "pillar_roots": {"base": [str(home / "pillar"), str(REPO / "pillar")]},
            "runner_dirs": [str(REPO / "_runners")],
            "utils_dirs": [str(REPO / "_utils")],
        }
        (home / "master").write_text(yaml.safe_dump(config))
        self.page()

    def page(self, **keys):
        """Write the operator's page."""
        keys = {"target_version": "1.0.1", "roles": {"compute": "cmp*"}, **keys}
        text = yaml.safe_dump({"openstack": keys})
        (self.home / "pillar" / "openstack" / "init.sls").write_text(text)

    def release(self, version, images, **keys):
        """Write a release file."""
        text = yaml.safe_dump({"openstack": {"releases": {version: {"images": images, **keys}}}})
        (self.releases / f"{version.replace('.', '_')}.sls").write_text(text)

    def run(self, *arguments):
        """Run salt-run; returns what it prints, as an exit status and data or text."""
        done = subprocess.run(
            [str(SALT_RUN), "-c", str(self.home), "--out=json", *arguments],
            env=self.server.environment() | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A registry with an image for each enabled service."""
    served = Registry(tmp_path_factory.mktemp("registry")).start()
    types = shipped()["service_types"].values()
    served.images = {}
    for key in sorted({one["image"] for one in types if one.get("enabled")}):
        name = key.removesuffix("_image").replace("_", "-")
        served.images[key] = f"{served.address}/{name}@{served.push(name, '1', '1.0.1')}"
    yield served
    served.stop()


@pytest.fixture
def master(tmp_path, server, unread_bus):
    """A master whose target is right and whose images are there."""
    one = Master(tmp_path, server, unread_bus)
    one.release("1.0.1", server.images, packages={"curl": "8"})
    return one


def test_check_and_list_of_a_pillar_that_is_right(master):
    status, answer = master.run("release.check")
    assert (status, answer) == (
        0,
        {"target": "1.0.1", "available": "1.0.1", "problems": [], "warnings": []},
    )
    status, answer = master.run("release.list")
    assert status == 0
    assert answer == {
        "1.0.1": {
            "images": len(master.server.images),
            "packages": 1,
            "notes": [],
            "target": True,
            "available": True,
        }
    }


def test_a_release_file_that_nobody_signed_is_one_line_of_check(master):
    key = ec.generate_private_key(ec.SECP256R1())
    master.page(require_signed=True, release_keys=[public(key)])
    for command in ("release.check", "release.list"):
        status, answer = master.run(command)
        line = answer if isinstance(answer, str) else json.dumps(answer)
        assert status == 1 and "SIGNATURE_WRONG: openstack/releases/1_0_1.sls: has no signature" in line
    file = master.releases / "1_0_1.sls"
    signed = key.sign(file.read_bytes(), ec.ECDSA(hashes.SHA256()))
    file.with_name(f"{file.name}.sig").write_bytes(base64.b64encode(signed))
    assert master.run("release.check")[0] == 0


def test_a_new_release_file_is_seen_at_once(master):
    master.run("release.list")
    master.release("1.0.2", master.server.images)
    _, answer = master.run("release.list")
    assert list(answer) == ["1.0.1", "1.0.2"]
    assert [one["available"] for one in answer.values()] == [False, True]


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ({"target_version": "1.0.2"}, "UNKNOWN_TARGET: openstack:target_version: '1.0.2' is not a release"),
        (
            {"policies": {"compute": {"batch": "150%"}}},
            "INVALID_PILLAR: openstack:policies:compute:batch: '150%' is",
        ),
        ({"polices": {}}, "INVALID_PILLAR: openstack:polices: unknown key, did you mean policies?"),
    ],
)
def test_check_refuses_with_one_line_and_a_status(master, page, line):
    master.page(**page)
    status, answer = master.run("release.check")
    assert status == 1
    assert isinstance(answer, str)
    assert answer.startswith(line)
    assert "\n" not in answer


@pytest.mark.parametrize(
    ("content", "function"),
    [
        ("- images", "release.check"),
        ("- images", "release.list"),
        ("openstack: [", "release.check"),
        ("openstack: {releases: [1]}", "release.list"),
    ],
)
def test_a_release_file_that_is_no_mapping(master, content, function):
    (master.releases / "1_0_2.sls").write_text(content)
    status, answer = master.run(function)
    assert status != 0
    assert "INVALID_PILLAR: " in str(answer)
    assert len(str(answer).splitlines()) == 1
    assert "openstack/releases/1_0_2.sls" in str(answer) or "openstack:releases: has to be a mapping" in str(
        answer
    )


def test_a_hook_whose_sls_is_not_there_is_refused(tmp_path, server):
    master = Master(tmp_path, server, {})  # without a bus: rollout.plan would wait for answers from it
    master.release("1.0.1", server.images, packages={"curl": "8"})
    hook = {"name": "look", "sls": "site.look"}
    master.page(hooks={"system": {"before_apply": [hook]}})
    line = "openstack:hooks:system:before_apply:0:sls: 'site.look' is not on the file server"
    for words in (("release.check", "online=False"), ("rollout.plan",)):
        status, answer = master.run(*words)
        assert status != 0 and line in str(answer), answer
    (master.home / "srv" / "site").mkdir(parents=True)
    (master.home / "srv" / "site" / "look.sls").write_text("look: {test.nop: []}\n")
    assert master.run("release.check", "online=False")[0] == 0


def test_a_refusal_fails_the_step_of_an_orchestration(master):
    master.page(target_version="9")
    (master.home / "srv").mkdir()
    (master.home / "srv" / "guard.sls").write_text("release.check: {salt.runner: []}\n")
    status, answer = master.run("state.orchestrate", "guard")
    assert status != 0
    assert "UNKNOWN_TARGET" in str(answer)


def test_check_names_the_images_that_the_registry_lacks(master):
    gone = f"{master.server.address}/glance-api@sha256:{'0' * 64}"
    master.release("1.0.1", master.server.images | {"glance_api_image": gone})
    assert master.run("release.check")[0] == 0, "no compute runs it"
    master.page(roles={"controller": "ctl*"})
    status, answer = master.run("release.check")
    assert status != 0
    assert "IMAGE_MISSING: openstack:releases:1.0.1:images:glance_api_image: " in str(answer)
    assert master.run("release.check", "online=False")[0] == 0


def test_check_with_the_registry_down(master):
    master.server.stop()
    try:
        status, answer = master.run("release.check")
    finally:
        master.server.start()
    assert status != 0
    assert f"REGISTRY_UNREACHABLE: {master.server.address}: " in str(answer)


def test_pin_turns_tags_into_digests(master, server):
    tagged = {key: reference.split("@")[0] + ":1" for key, reference in server.images.items()}
    tagged["cinder_volume_images"] = {"default": tagged["nova_compute_image"]}
    master.release("1.0.1", tagged, packages={"curl": "8"}, notes=["read me"])
    assert master.run("release.check", "online=False")[0] != 0
    written = master.releases / "1_0_1.sls"
    status, answer = master.run("release.pin", "1.0.1", f"output={written}")
    assert status == 0
    pinned = answer["openstack"]["releases"]["1.0.1"]
    assert pinned == {
        "images": {
            **server.images,
            "cinder_volume_images": {"default": server.images["nova_compute_image"]},
        },
        "packages": {"curl": "8"},
        "notes": ["read me"],
    }
    assert yaml.safe_load(written.read_text()) == answer
    assert os.listdir(written.parent) == ["1_0_1.sls"]
    assert master.run("release.check")[0] == 0


def test_pin_of_a_tag_or_release_that_does_not_exist(master, server):
    master.release("1.0.1", {"nova_compute_image": f"{server.address}/nova-compute:none"})
    status, answer = master.run("release.pin", "1.0.1")
    assert status != 0
    assert "IMAGE_MISSING: openstack:releases:1.0.1:images:nova_compute_image: " in str(answer)
    status, answer = master.run("release.pin", "1.0.9")
    assert status != 0
    assert "UNKNOWN_TARGET: '1.0.9' is not a release" in str(answer)
