"""apt: its plan as it prints it, what it still has to fetch, and what the operator holds."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import apt
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands

SIMULATED = """Reading package lists...
Inst lab-plain [1.0-1] (1.1-1 lab [all])
Inst libc6:i386 [2.40] (2.41 lab [i386]) []
Inst lab-new (1.0-1 lab [all])
Remv libold:i386 [1.0-1]
Purg tuned [1]
Conf lab-plain (1.1-1 lab [all])
"""
URIS = """'http://x/./one_2%3a1-1_amd64.deb' one_2%3a1-1_amd64.deb 700 SHA256:ab
'http://x/./two_1_i386.deb' two_1_i386.deb 700 SHA256:ab
'file:/srv/./here_1_all.deb' here_1_all.deb 700 SHA256:ab
"""


def test_a_package_of_another_architecture_is_another_package():
    plan = apt.read(SIMULATED)
    assert plan.upgraded == {"lab-plain": "1.1-1", "libc6:i386": "2.41"}
    assert (plan.added, plan.removed) == ({"lab-new": "1.0-1"}, ["libold:i386", "tuned"])
    assert plan.moving == ["lab-new", "lab-plain", "libc6:i386", "libold:i386", "tuned"]


def test_what_apt_refuses_is_told_whole():
    failed = {"retcode": 100, "stdout": "The following packages", "stderr": "E: Unmet dependencies."}
    salt = {"cmd.run_all": Commands({"apt-get --quiet --simulate": failed})}
    with pytest.raises(CommandExecutionError, match="E: Unmet dependencies"):
        apt.simulated(salt, apt.wanted({"a": "1"}))


def test_apt_itself_tells_what_it_has_to_fetch():
    run = Commands({"apt-get --quiet=2": URIS})
    assert apt.unfetched({"cmd.run_all": run}, {"one": "2:1-1"}, "amd64") == {"one": "2:1-1", "two:i386": "1"}
    assert run.lines() == ["apt-get --quiet=2 --yes --print-uris --allow-downgrades install one=2:1-1"]
    run.answers["apt-get --quiet=2"] = {"retcode": 100}
    assert apt.unfetched({"cmd.run_all": run}, {"one": "3"}, "amd64") is None


def test_what_is_on_hold_is_named_with_what_to_do():
    salt = {"cmd.run_all": Commands({"apt-mark showhold": "b\na\nother\n"})}
    apt.refuse_held(salt, ["c"])
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: a, b: on hold .*: apt-mark unhold, or leave"):
        apt.refuse_held(salt, ["b", "a", "c"])


class Archive(Commands):
    """apt's cache and repositories: what its download of a version says, and which files are whole."""

    def __init__(self, place, offered=(), damaged=()):
        super().__init__()
        self.place, self.offered, self.damaged, self.folders = place, offered, damaged, []

    def __call__(self, command, **options):
        found = super().__call__(command, **options)
        if command[0] == "apt-config":
            return found | {"stdout": f"PLACE='{self.place}/'\n"}
        if command[0] == "dpkg-deb":
            return found | {"retcode": int(command[-1] in self.damaged)}
        name, _, version = command[-1].partition("=")
        if command[-1] not in self.offered:
            return found | {"retcode": 100, "stderr": f"E: Version '{version}' for '{name}' was not found"}
        if "--print-uris" not in command:
            self.folders.append(options["cwd"])
            (apt.Path(options["cwd"]) / f"{name}_{version.replace(':', '%3a')}_all.deb").touch()
        return found


def test_a_file_in_the_cache_counts_when_it_is_whole(tmp_path):
    for name in ("api_2%3a1-1_all.deb", "lib_1_i386.deb", "half_1_amd64.deb"):
        (tmp_path / name).touch()
    archive = Archive(tmp_path, damaged=[str(tmp_path / "half_1_amd64.deb")])
    installed = {"api": "2:1-1", "lib:i386": "1", "lib": "1", "half": "1"}
    found = apt.sources({"cmd.run_all": archive}, installed, "amd64")
    paths = {name: one.path.rpartition("/")[2] for name, one in found.items()}
    assert paths == {"api": "api_2%3a1-1_all.deb", "lib:i386": "lib_1_i386.deb", "lib": "", "half": ""}
    assert found["half"].why == "E: Version '1' for 'half' was not found" and not found["api"].why


def test_what_a_repository_still_has_is_fetched_into_a_folder_of_ours(tmp_path):
    (tmp_path / "ours").mkdir()
    archive = Archive(tmp_path, offered=["api=2:1-1"])
    salt, installed = {"cmd.run_all": archive}, {"api": "2:1-1", "old": "1"}
    found = apt.sources(salt, installed, "amd64")
    assert found["api"] == ("", "") and "was not found" in found["old"].why and archive.folders == []
    found = apt.fetched(salt, installed, "amd64", str(tmp_path / "ours"))
    assert found["api"].path == str(tmp_path / "ours/api_2%3a1-1_all.deb")
    assert "was not found" in found["old"].why and archive.folders == [str(tmp_path / "ours")]


def test_a_file_that_is_at_hand_is_asked_for_by_its_path():
    request = apt.wanted({"b": "1", "a": "1"}, files={"b": "/kept/b_1_all.deb"})
    assert request == ["--allow-downgrades", "install", "a=1", "/kept/b_1_all.deb"]
