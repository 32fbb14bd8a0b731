"""Signed release files: what no declared key has signed is neither rendered nor handed to a node."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from salt.config import master_config

from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import master_pillar, shares
from tests.functional.test_registry_signatures import MINE, OTHER, public

REPO = Path(__file__).resolve().parents[2]
HOW_TO = REPO / "docs" / "how-to" / "sign-a-release.md"


def signature(content, key=MINE):
    how = () if isinstance(key, ed25519.Ed25519PrivateKey) else (ec.ECDSA(hashes.SHA256()),)
    return base64.b64encode(key.sign(content, *how)) + b"\n"


class Master:
    """A master's real pillar: the shipped top file, an operator's page, release files."""

    def __init__(self, home):
        self.root = home / "pillar"
        self.releases = self.root / "openstack" / "releases"
        shutil.copytree(REPO / "pillar/openstack/releases", self.releases)
        shutil.copy(REPO / "pillar/top.sls", self.root)
        for name in ("services", "packaged", "deployers"):
            (self.root / "openstack" / f"{name}.sls").write_text("openstack: {}\n")
        self.opts = {
            **master_config(None),
            "id": "x_master",
            "cachedir": str(home / "cache"),
            "conf_file": str(home / "master"),
            "extension_modules": str(home / "extensions"),
            "pillar_roots": {"base": [str(self.root)]},
        }
        self.page()

    def page(self, **keys):
        keys = {"require_signed": True, "release_keys": [public(MINE)], **keys}
        page = {"target_version": "", "roles": {"compute": "cmp*"}, **keys}
        (self.root / "openstack" / "init.sls").write_text(yaml.safe_dump({"openstack": page}))

    def release(self, version, key=MINE, **keys):
        file = self.releases / f"{version.replace('.', '_')}.sls"
        file.write_text(yaml.safe_dump({"openstack": {"releases": {version: {"notes": ["n"], **keys}}}}))
        if key:
            signed(file).write_bytes(signature(file.read_bytes(), key))
        return file

    def versions(self):
        found = master_pillar.compiled_pillar(self.opts)
        assert "_errors" not in found
        return list(found["openstack"].get("releases", {}))

    def refused(self):
        with pytest.raises(RolloutError) as error:
            master_pillar.compiled_pillar(self.opts)
        assert error.value.reason == "SIGNATURE_WRONG"
        return error.value.message


def signed(file):
    """Where the signature of a file is."""
    return file.with_name(f"{file.name}.sig")


@pytest.fixture
def master(tmp_path):
    return Master(tmp_path)


def test_what_a_declared_key_has_signed_is_taken(master):
    master.release("1.0.0")
    second = ed25519.Ed25519PrivateKey.generate()
    master.page(release_keys=[public(MINE), public(second)])
    master.release("1.0.1", second)
    assert master.versions() == ["1.0.0", "1.0.1"]


def test_without_the_key_of_the_pillar_nothing_is_asked(master):
    for keys in ({"require_signed": False}, {"require_signed": False, "release_keys": []}):
        master.page(**keys)
        master.release("1.0.0", None)
        assert master.versions() == ["1.0.0"]


def tampered(master, file):
    file.write_bytes(file.read_bytes() + b"\n")


def by_another_key(master, file):
    signed(file).write_bytes(signature(file.read_bytes(), OTHER))


def without(master, file):
    signed(file).unlink()


def of_another_file(master, file):
    shutil.copy(signed(master.release("1.0.0")), signed(file))


def malformed(master, file):
    signed(file).write_text("not base64!")


def empty(master, file):
    signed(file).write_text("")


WRONG = [tampered, by_another_key, without, of_another_file, malformed, empty]


@pytest.mark.parametrize("how", WRONG, ids=lambda one: one.__name__)
def test_what_is_not_is_refused_by_the_name_of_its_file(master, how):
    file = master.release("1.0.1")
    how(master, file)
    line = master.refused()
    assert "openstack/releases/1_0_1.sls" in line and "openstack:release_keys" in line
    assert "1_0_0" not in line


def test_all_files_that_are_not_signed_are_named(master):
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        master.release(version, MINE if version == "1.0.1" else None)
    line = master.refused()
    assert "1_0_0.sls" in line and "1_0_2.sls" in line and "1_0_1.sls" not in line


def test_it_is_not_even_rendered(master, tmp_path):
    """A template of Salt's runs on the master, as whoever the master runs."""
    trace = tmp_path / "trace"
    text = f"{{% do salt['file.touch']('{trace}') %}}\nopenstack: {{releases: {{}}}}\n"
    file = master.releases / "1_0_1.sls"
    file.write_text(text)
    master.refused()
    assert not trace.exists()
    signed(file).write_bytes(signature(text.encode()))
    master.versions()
    assert trace.exists()


@pytest.mark.parametrize("keys", [{"require_signed": False}, {"release_keys": [public(OTHER)]}])
def test_a_release_file_cannot_name_who_is_trusted(master, keys):
    """It comes before the page, and would be merged with it."""
    master.opts["pillar_merge_lists"] = True
    file = master.releases / "1_0_1.sls"
    file.write_text(yaml.safe_dump({"openstack": {"releases": {"1.0.1": {}}, **keys}}))
    signed(file).write_bytes(signature(file.read_bytes(), OTHER))
    assert "1_0_1.sls" in master.refused()


def test_a_release_that_is_in_no_signed_file_is_refused(master):
    master.page(releases={"1.0.5": {"notes": ["n"]}})
    assert "openstack:releases:1.0.5" in master.refused()


def test_the_file_that_makes_the_catalogue_exist_may_say_nothing_else(master, tmp_path):
    first, trace = master.releases / "init.sls", tmp_path / "trace"
    first.write_text(f"# {{% do salt['file.touch']('{trace}') %}}\n{first.read_text()}")
    assert master.versions() == [] and not trace.exists()
    first.write_text(yaml.safe_dump({"openstack": {"releases": {}, "hooks": {"ovs": {}}}}))
    assert "openstack/releases/init.sls" in master.refused()


def test_a_page_that_does_not_render_renders_no_release(master, tmp_path):
    trace = tmp_path / "trace"
    (master.releases / "1_0_1.sls").write_text(f"{{% do salt['file.touch']('{trace}') %}}\n")
    (master.root / "openstack" / "init.sls").write_text("openstack: [\n")
    assert "openstack/init.sls" in master_pillar.compiled_pillar(master.opts)["_errors"][0]
    assert not trace.exists()


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"release_keys": []}, "openstack:release_keys"),
        ({"release_keys": ["x"]}, "openstack:release_keys:0"),
        ({"require_signed": "yes"}, "openstack:require_signed"),
    ],
)
def test_what_is_declared_wrongly_is_refused_before_a_release_is_rendered(master, keys, where):
    master.page(**keys)
    master.release("1.0.1")
    with pytest.raises(RolloutError, match=f"^INVALID_PILLAR: {where}: "):
        master_pillar.compiled_pillar(master.opts)


def test_no_node_gets_an_unsigned_release(master, monkeypatch):
    """Whatever it is applied by: a share is all that a node gets."""
    monkeypatch.setattr(shares, "_kept", {})
    shutil.copytree(REPO / "pillar/openstack", master.root / "openstack", dirs_exist_ok=True)
    master.page()
    file = master.release("1.0.1")
    opts = {**master.opts, "grains": {}}
    assert "refused" not in shares.share_of(opts, "web1")["openstack_node"]
    signed(file).unlink()
    told = shares.share_of(opts, "web1")["openstack_node"]["refused"]
    assert told["reason"] == "SIGNATURE_WRONG" and "1_0_1.sls" in told["message"]


def test_the_commands_that_are_documented_make_such_a_signature(master):
    """Word for word, but for the name of the file."""
    lines = re.findall(r"^ *\$ (openssl .*)$", HOW_TO.read_text(), flags=re.M)
    file = master.release("1.0.2", None)
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], cwd=master.releases, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "-----BEGIN PUBLIC KEY-----" in done.stdout
    assert "1_0_2.sls" in master.refused()
    master.page(release_keys=[done.stdout])
    assert master.versions() == ["1.0.2"]
    tampered(master, file)
    master.refused()
