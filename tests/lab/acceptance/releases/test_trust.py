"""What is trusted, on real nodes: logins, signed images, signed release files.

Each refusal has its name, nothing is touched by it, and no login gets anywhere.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import threading

import pytest
import yaml

from tests.functional.registry_server import PASSWORD, USER, Registry
from tests.functional.test_registry_signatures import MINE, OTHER, public
from tests.functional.test_release_files import signature, signed

from ... import operator, proof, settings
from ...events import EventLog
from ...images import HOTFIX_KEY

FIRST, SECOND = settings.RELEASES
PLACE = f"{settings.HOST_ADDRESS}:5006"
CONFIGURED = "/etc/containers/registries.conf.d/guarded.conf"
#: image of the guarded registry → the release that has it
RELEASES = {"ns/unsigned": "1.0.2", "ns/wrong": "1.0.3", "ns/elsewhere": "1.0.4", "ns/signed": "1.0.5"}
LAST = "1.0.6"
NODE = "cmp1"
WRONG_PASSWORD = "battery-staple"
#: the passwords, and each as an authentication file has it
SECRETS = [
    text
    for one in (PASSWORD, WRONG_PASSWORD)
    for text in (one, base64.b64encode(f"{USER}:{one}".encode()).decode())
]


def insecure(*places):
    return "".join(f'[[registry]]\nlocation = "{place}"\ninsecure = true\n' for place in places)


@pytest.fixture(scope="module")
def guarded(cloud, tmp_path_factory):
    """A registry that wants a login, with one image under names that are signed or not; releases of them."""
    server = Registry(tmp_path_factory.mktemp("guarded"), PLACE, cloud.master_command)
    server.registries_conf.write_text(insecure(PLACE, settings.REGISTRY))
    for node in cloud.nodes:
        cloud.exec(node, ["tee", CONFIGURED], stdin=insecure(PLACE))
    (server.home / "guarded.conf").write_text(insecure(PLACE))
    cloud.master(["cp", str(server.home / "guarded.conf"), CONFIGURED])
    server.start()
    try:
        image = cloud.images["hotfix"]
        digest = image.partition("@")[2]
        for name, version in RELEASES.items():
            server.copy(f"docker://{image}", f"{name}:1", "--preserve-digests")
            cloud.add_release(version, like=FIRST, images={HOTFIX_KEY: f"{PLACE}/{name}@{digest}"})
        server.sign("ns/wrong", digest, OTHER)
        server.sign("ns/elsewhere", digest, MINE, of="ns/signed")
        server.sign("ns/signed", digest, MINE)
        server.guard()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def vault(cloud):
    """The file from which Salt's sdb has the passwords."""
    file = cloud.home / "vault.yaml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump({"right": PASSWORD, "wrong": WRONG_PASSWORD}))
    configured = cloud.home / "salt" / "master.d" / "vault.conf"
    configured.parent.mkdir(exist_ok=True)
    configured.write_text(yaml.safe_dump({"lab-vault": {"driver": "yaml", "files": [str(file)]}}))
    cloud.kill("master")
    cloud.start("master")
    cloud.wait_for_minions()
    return file


def page(cloud, name, login="right"):
    """Want the release of an image, with a login, and signatures of MINE."""
    said = {"username": USER, "password": f"sdb://lab-vault/{login}", "signed_by": [public(MINE)]}
    cloud.set_pillar(target_version=RELEASES[name], registries={PLACE: said})


@contextlib.contextmanager
def untouched(cloud):
    """No container starts anew, and no package moves, meanwhile."""
    before = proof.fingerprint(cloud)
    yield
    assert proof.fingerprint(cloud) == before


def refused(cloud):
    """What an update says that does not begin, and touches nothing."""
    with untouched(cloud):
        done = operator.update(cloud, check=False)
    text = done.stdout + done.stderr
    assert done.returncode, text
    assert not any(secret in text for secret in SECRETS)
    return text


def applied(cloud):
    """What each node answers to a state.apply by hand that it refuses, and that touches nothing."""
    with untouched(cloud):
        answers = cloud.salt("*", "state.apply", timeout=600)
    assert set(answers) == set(cloud.nodes)
    return {node: json.dumps(answer) for node, answer in answers.items()}


def test_a_wrong_login_is_told_by_its_name(cloud, guarded, vault):
    page(cloud, "ns/signed", login="wrong")
    text = refused(cloud)
    assert "REGISTRY_LOGIN" in text and PLACE in text
    assert "IMAGE_MISSING" not in text and "SIGNATURE_WRONG" not in text


@pytest.mark.parametrize("name", ["ns/unsigned", "ns/wrong", "ns/elsewhere"])
def test_an_image_that_is_not_signed_for_itself_is_told_by_its_name(cloud, guarded, vault, name):
    page(cloud, name)
    text = refused(cloud)
    assert "SIGNATURE_WRONG" in text and f"{PLACE}/{name}@" in text


def test_a_node_that_is_not_asked_by_the_master_looks_itself(cloud, guarded, vault):
    page(cloud, "ns/unsigned")
    with untouched(cloud):
        answer = cloud.salt(NODE, "state.apply", "openstack.services", timeout=600)
    assert "SIGNATURE_WRONG" in json.dumps(answer[NODE])


def test_a_signed_one_is_taken_and_no_login_gets_anywhere(cloud, guarded, vault):
    page(cloud, "ns/signed")
    with EventLog(cloud) as log, command_lines() as seen:
        operator.update(cloud)
    proof.assert_cloud_at(cloud, RELEASES["ns/signed"])
    journals = [cloud.logs(node) for node in cloud.nodes]
    told = [json.dumps(log.events), *journals, "\n".join(seen)]
    told += [
        cloud.master(["salt-run", f"rollout.{what}", "--out=json"]).stdout for what in ("status", "report")
    ]
    assert log.events and any("podman" in line and "pull" in line for line in seen)
    assert all("salt-minion" in one for one in journals)
    assert not any(secret in text for text in told for secret in SECRETS)
    files = holders(cloud)
    assert str(vault) in files, "the search finds nothing"
    caches = cloud.home / "salt/var/cache/salt/master"
    assert all((caches / one).is_dir() for one in ("jobs", "openstack/rollout")), "it looks elsewhere"
    # Salt's own cache of minions' pillar has it (minion_data_cache): docs/how-to/registries.md.
    known = [f"/var/cache/salt/master/{bank}/" for bank in ("minions", "pillar")]
    assert [one for one in files if one != str(vault) and not any(bank in one for bank in known)] == []


@contextlib.contextmanager
def command_lines():
    """Every command line of the host and of all machines on it, as often as ps can look."""
    seen, over = set(), threading.Event()

    def look():
        while not over.wait(0.05):
            listed = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True)
            seen.update(listed.stdout.splitlines())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join(10)


def holders(cloud):
    """The files of the lab with a login in them: what master and machines wrote, caches and logs too."""
    wanted = [word for secret in SECRETS for word in ("-e", secret)]
    command = ["grep", "-rlaFs", "--devices=skip", *wanted, str(cloud.home)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def test_release_files_that_nobody_signed_reach_no_node(cloud):
    cloud.add_release(LAST, like=SECOND)
    cloud.set_pillar(target_version=LAST, require_signed=True, release_keys=[public(MINE)])
    assert "SIGNATURE_WRONG: openstack/releases/1_0_0.sls: has no signature" in refused(cloud)
    assert all("SIGNATURE_WRONG" in answer for answer in applied(cloud).values())
    files = sorted((cloud.pillar.place / "openstack" / "releases").glob("*.sls"))
    for file in files:
        signed(file).write_bytes(signature(file.read_bytes()))
    last = next(file for file in files if file.stem == LAST.replace(".", "_"))
    whole = last.read_bytes()
    last.write_bytes(whole + b"# and a word more\n")
    text = refused(cloud)
    assert f"SIGNATURE_WRONG: openstack/releases/{last.name}: " in text and "1_0_0.sls" not in text
    assert all(last.name in answer for answer in applied(cloud).values())
    last.write_bytes(whole)
    operator.update(cloud)
    proof.assert_cloud_at(cloud, LAST)
