"""The how-to pages' two ways onto an existing master: all is served that must be, and no more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from saltfactories.utils import random_string

from tests.integration import daemons

REPO = Path(__file__).resolve().parents[2]
PREFIX = "/srv/openstack-rollout"
SERVED = {
    "top.sls",
    "openstack/services.sls",
    "orch/update.sls",
    "_modules/openstack_node.py",
    "_states/container.py",
    "_utils/openstack_rollout/declared/share.py",
    "_runners/rollout.py",
    "_pillar/openstack_rollout.py",
}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The committed files as an operator clones them, at a path of its own."""
    clone = tmp_path_factory.mktemp("published") / "openstack-rollout.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(REPO), str(clone)], check=True)
    return clone


def roots_configuration(_published: Path) -> dict:
    return yaml.safe_load((REPO / "etc/master").read_text().replace(PREFIX, str(REPO)))


def gitfs_configuration(published: Path) -> dict:
    """The block that the how-to shows, with its example address replaced."""
    block = re.search(
        r"```yaml\n(fileserver_backend:.*?)```", (REPO / "docs/how-to/adopt-by-gitfs.md").read_text(), re.S
    )
    assert block, "the how-to no longer shows the gitfs configuration"
    configuration = yaml.safe_load(
        block.group(1).replace("https://git.example/openstack-rollout.git", published.as_uri())
    )
    head = ["git", "-C", str(published), "symbolic-ref", "--short", "HEAD"]
    branch = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    return {**configuration, "gitfs_base": branch, "gitfs_provider": "gitpython"}


@pytest.fixture(scope="module", params=[roots_configuration, gitfs_configuration], ids=["roots", "gitfs"])
def adopted(request, salt_factories, published):
    """A running master that adopted the project one way, and a minion of it."""
    master = daemons.salt_master(salt_factories, "master", **request.param(published))
    minion = daemons.salt_minion(master, random_string("minion-"))
    try:
        daemons.start(master, [minion])
        yield master, minion
    finally:
        daemons.stop(minion, master)


def test_what_the_file_server_serves(adopted):
    master, _ = adopted
    # As the pages say: else a master that has just started may still be fetching the last remotes.
    assert master.salt_run_cli().run("fileserver.update").returncode == 0
    listed = set(master.salt_run_cli().run("fileserver.file_list").data)
    assert listed >= SERVED
    private = {path for path in listed if path.startswith(("pillar/", "tests/", "etc/", ".git"))}
    assert private == set()
    assert not any(path.startswith("openstack/releases") for path in listed)


def test_a_minion_gets_the_modules_and_the_package_they_import(adopted):
    _, minion = adopted
    assert minion.salt_call_cli().run("saltutil.sync_all", _timeout=180).returncode == 0
    functions = minion.salt_call_cli().run("sys.list_functions", "openstack_node").data
    assert "openstack_node.facts" in functions
    states = minion.salt_call_cli().run("sys.list_state_functions", "package_set").data
    assert "package_set.at_release" in states


def test_a_node_is_handed_its_share(adopted):
    master, minion = adopted
    if master.config["gitfs_remotes"]:
        assert master.salt_run_cli().run("saltutil.sync_all", _timeout=180).returncode == 0
    share = minion.salt_call_cli().run("pillar.items", "unmask=True").data["openstack_node"]
    # The shipped page, where the pillar came along, gives this minion no role; else nothing is declared.
    # Either means that the share was made, with all that it imports.
    if master.config["gitfs_remotes"]:
        assert share["refused"]["reason"] == "INVALID_PILLAR"
        assert share["refused"]["message"].startswith("openstack: is missing from the pillar")
    else:
        assert (share["roles"], share["stages"]) == ([], [])


def test_the_master_gets_its_runners(adopted):
    master, _ = adopted
    if master.config["gitfs_remotes"]:
        assert master.salt_run_cli().run("saltutil.sync_all", _timeout=180).returncode == 0
    # Nothing is declared yet: that they say so means that they were found, with all that they import.
    for function in ("rollout.status", "release.check"):
        refused = master.salt_run_cli().run(function)
        assert refused.returncode == 1
        assert re.search(r"[A-Z_]+: openstack", refused.stdout + refused.stderr), refused
