"""package_set with apt: one request, simulated and then run; what the operator holds; other architectures."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import kept_packages
from openstack_rollout.node.errors import NodeError
from tests.unit.modules.package_managers import Packages


def test_what_apt_had_installed_by_itself_stays_so(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages, "Debian", {"apt-mark showauto": "b\nc\n"})
    module.bring({"a": "1-2", "b": "1-2"})
    assert module.__salt__["cmd.run_all"].lines()[-1] == "apt-mark auto b"


KEPT = ["-o", "DPkg::Options::=--force-confold", "-o", "DPkg::Options::=--force-confdef"]


def test_apt_moves_all_in_the_one_transaction_that_was_simulated(package_set):
    """Salt's own pkg made two of an upgrade and a downgrade, and only fetched by the last."""
    packages = Packages({"a": "1-1", "b": "1-3"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages, "Debian")
    module.download({"a": "1-2", "b": "1-2"})
    assert packages.installed == {"a": ["1-1"], "b": ["1-3"]}
    module.bring({"a": "1-2", "b": "1-2"})
    fetched, moved = module.__salt__["cmd.run_all"].moves()
    request = ["--allow-downgrades", "install", "a=1-2", "b=1-2"]
    apt = ["systemd-run", "--scope", "--quiet", "apt-get", "--quiet", "--yes", "--no-remove"]
    assert fetched == [*apt, *KEPT, "--download-only", *request]
    assert moved == [*apt, *KEPT, *request]
    simulated = [line for line in module.__salt__["cmd.run_all"].ran if "--simulate" in line]
    assert simulated[-1] == ["apt-get", "--quiet", "--simulate", *request]


@pytest.mark.parametrize("action", ["bring", "download"])
def test_what_the_operator_holds_is_refused_by_name_and_never_released(package_set, action):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages, "Debian", {"apt-mark showhold": "a\nother\n"})
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: a: on hold .*apt-mark unhold"):
        getattr(module, action)({"a": "1-2", "b": "1-2"})
    assert packages.installed == {"a": ["1-1"], "b": ["1-1"]} and packages.cached == {}
    assert not any("unhold" in line for line in module.__salt__["cmd.run_all"].lines())


def test_somebody_else_may_bring_them(package_set):
    packages = Packages({"salt-minion": "1"}, {"salt-minion": "2"})
    command = package_set(packages, "Debian").command_to_bring({"salt-minion": "2"}, ["x*"])
    asked = ["--fix-broken", "--allow-downgrades", "install", "salt-minion=2"]
    assert command == ["apt-get", "--quiet", "--yes", "--no-remove", *KEPT, *asked]
    assert packages.installed == {"salt-minion": ["1"]}


@pytest.mark.parametrize("gone", ["tuned", "tuned:i386"])
def test_apt_is_asked_first_whether_a_package_would_go(package_set, gone):
    packages = Packages({"a": "1-1", gone: "1-1"}, {"a": "1-2"})
    simulated = {"apt-get --quiet --simulate": f"Remv {gone} [1-1]\nInst a [1-1] (1-2 lab)\n"}
    packages.takes = (gone,)
    module = package_set(packages, "Debian", simulated)
    with pytest.raises(NodeError) as refused:
        module.bring({"a": "1-2"})
    assert refused.value.reason == "PACKAGE_REMOVAL" and gone in packages.installed
    module.bring({"a": "1-2"}, remove=["tuned"])
    assert packages.installed == {"a": ["1-2"]}
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert "--no-remove" not in command


def test_a_package_of_another_architecture_that_went_unplanned_is_none_that_was(package_set):
    packages = Packages({"a": "1-1", "lib": "1", "lib:i386": "1"}, {"a": "1-2"})
    simulated = {"apt-get --quiet --simulate": "Remv lib:i386 [1]\nInst a [1-1] (1-2 lab)\n"}
    packages.takes = ("lib",)
    with pytest.raises(NodeError, match=r"went, and nobody had planned it: lib$"):
        package_set(packages, "Debian", simulated).bring({"a": "1-2"}, remove=["lib"])


def test_packages_that_are_to_go_go_in_the_same_transaction(package_set):
    packages = Packages({"old": "1"}, {})
    simulated = {"apt-get --quiet --simulate": "Remv old [1]\n"}
    packages.takes = ("old",)
    module = package_set(packages, "Debian", simulated)
    assert module.bring({}, erase=["old"]) == {"old": {"old": "1", "new": ""}}
    assert module.__salt__["cmd.run_all"].moves()[0][-2:] == ["install", "old-"]


def test_apt_is_asked_first_whether_an_excluded_package_would_move(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    packages.brings = {"linux-image": "2"}
    printed = "Inst a [1-1] (1-2 lab)\nInst linux-image [1] (2 lab)\nConf a\n"
    module = package_set(packages, "Debian", {"apt-get --quiet --simulate": printed})
    with pytest.raises(
        CommandExecutionError, match=r"^PACKAGE_FAILED: excluded packages would move: linux-image"
    ):
        module.bring({"a": "1-2"}, exclude=["linux-*"])
    assert packages.installed == {"a": ["1-1"]}
    module.bring({"a": "1-2"}, exclude=["openvswitch*"])
    assert packages.installed["linux-image"] == ["2"]


def test_what_the_last_run_kept_needs_no_repository(package_set, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_packages, "FOLDER", tmp_path)
    kept = tmp_path / kept_packages.OF_THE_RUN / "a_1-1_all.deb"
    kept.parent.mkdir()
    kept.write_text("")
    kept_packages.write(kept_packages.OF_THE_RUN, kept_packages.Kept({"a": "1-1"}, {"a": str(kept)}))
    packages = Packages({"a": "1-2"}, {})
    module = package_set(packages, "Debian")
    packages.apt = lambda command: (
        "Inst a [1-2] (1-1 local-deb [all])\n"
        if "--simulate" in command
        else packages.move({"a": "1-1"}, download=False)
    )
    assert module.missing_downloads({"a": "1-1"}) == {}
    assert module.bring({"a": "1-1"}) == {"a": {"old": "1-2", "new": "1-1"}} and packages.refreshed == 0
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert command[-1] == str(kept)


def test_the_way_back_by_kept_files_asks_no_repository(package_set):
    packages = Packages({"a": "1-2", "b": "1-2"}, {})
    module = package_set(packages, "Debian")
    packages.apt = lambda command: (
        "Inst a [1-2] (1-1 local-deb [all])\nInst b [1-2] (1-1 local-deb [all])\n"
        if "--simulate" in command
        else packages.move({"a": "1-1", "b": "1-1"}, download=False)
    )
    files = {name: f"/kept/{name}_1-1_all.deb" for name in "ab"}
    moved = module.bring({"a": "1-1", "b": "1-1"}, files=files)
    assert moved == {name: {"old": "1-2", "new": "1-1"} for name in "ab"} and packages.refreshed == 0
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert command[-4:] == ["--allow-downgrades", "install", *files.values()]
