"""package_set: one transaction of what differs, checked before and after, its failures named."""

from __future__ import annotations

import os
import threading

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import held_services, transactions, updaters
from openstack_rollout.node.errors import NodeError
from tests.unit.modules.package_managers import Packages


def test_only_installed_packages_that_differ_are_to_be_changed(package_set):
    module = package_set(Packages({"a": "1-1", "b": "2-1"}, {}))
    assert module.changes({"a": "1-2", "b": "2-1", "c": "3-1"}) == {"install": {"a": "1-2"}, "remove": []}


def test_the_system_stage_leaves_alone_what_the_operator_holds(package_set):
    module = package_set(Packages({"a": "1-1", "held": "1-1"}, {}))
    wanted = {"a": "1-2", "held": "1-2"}
    assert module.changes(wanted, "system")["install"] == {"a": "1-2"}
    assert module.changes(wanted, "services")["install"] == wanted


@pytest.mark.parametrize("os_family", ["RedHat", "Debian"])
def test_whoever_takes_the_lock_first_is_waited_for_but_not_for_ever(package_set, os_family):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages, os_family)
    said = "E: Could not get lock /var/lib/dpkg/lock-frontend"
    tries = []

    def held_at_first():
        tries.append(1)
        if len(tries) == 2:
            packages.failure = None
        return {"retcode": 100, "stderr": said}

    packages.failure = held_at_first
    module.bring({"a": "1-2"})
    assert len(tries) == 2 and packages.installed["a"] == ["1-2"]
    packages.failure = lambda: {"retcode": 100, "stderr": said}
    module.__salt__["package_lock.patience"] = lambda: -1.0
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_LOCKED: E: Could not get lock"):
        module.bring({"a": "1-2"})


def test_of_a_package_with_a_least_version_the_newest_is_brought(package_set):
    packages = Packages({"a": "1-1", "b": "1-5"}, {"a": "1-4"})
    module = package_set(packages)
    wanted = {"a": ">=1-3", "b": ">=1-3"}
    assert module.changes(wanted)["install"] == {"a": "1-4"}  # what would come
    module.bring({"a": ">=1-3"})
    assert packages.installed["a"] == ["1-4"] and module.changes(wanted)["install"] == {}


def test_a_least_version_that_no_repository_has_is_refused_before_anything_moves(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-4", "b": "1-2"})
    module = package_set(packages)
    assert module.changes({"a": ">=1-9"})["install"] == {"a": ">=1-9"}
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: the repositories have no a >=1-9$"):
        module.bring({"a": ">=1-9", "b": "1-2"})
    assert packages.installed == {"a": ["1-1"], "b": ["1-1"]}


def test_of_a_package_at_the_newest_the_version_that_is_offered_is_brought(package_set):
    packages = Packages({"a": "1-1", "b": "1-5"}, {"a": "1-4", "b": "1-5"})
    module = package_set(packages)
    wanted = {"a": "newest", "b": "newest", "absent": "newest"}
    due = module.changes(wanted)["install"]
    assert due == {"a": "1-4"}
    module.bring(due)
    assert packages.installed["a"] == ["1-4"] and module.changes(wanted)["install"] == {}


@pytest.mark.parametrize("cause", ["hold", "versionlock", "exclude", "dependencies"])
def test_what_is_held_is_at_its_newest_but_under_no_least_version(package_set, cause):
    packages = Packages({"a": "1-1"}, {"a": "1-4"})
    packages.held, packages.cause = "a", cause
    module = package_set(packages)
    assert module.changes({"a": "newest"})["install"] == {}
    assert module.changes({"a": ">=1-2"})["install"] == {"a": "1-4"}  # and then refused, as every hold is


@pytest.mark.parametrize("cause", ["pin", "phased"])
def test_no_least_version_overrules_what_apt_is_told(package_set, cause):
    packages = Packages({"a": "1-1"}, {"a": "1-4"})
    packages.held, packages.cause = "a", cause
    module = package_set(packages, "Debian")
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: the repositories have no a >=1-2$"):
        module.bring({"a": ">=1-2"})
    assert packages.installed == {"a": ["1-1"]}


def test_repositories_that_cannot_be_read_are_not_taken_for_having_nothing_newer(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-4"})
    packages.broken = NodeError("REPOSITORY_BROKEN", "no cache")
    module = package_set(packages)
    with pytest.raises(NodeError, match=r"^REPOSITORY_BROKEN"):
        module.changes({"a": "newest"})
    assert module.changes({"a": "1-1"})["install"] == {}  # nobody is asked


@pytest.mark.parametrize("os_family", ["RedHat", "Debian"])
def test_what_moved_and_was_not_planned_is_found_afterwards(package_set, os_family):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    packages.brings = {"lib": "9", "gpg-pubkey": "1"}
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: moved, and nobody had planned it: lib$"):
        package_set(packages, os_family).bring({"a": "1-2"})


@pytest.mark.parametrize("os_family", ["RedHat", "Debian"])
def test_the_scripts_leave_services_alone(package_set, os_family, monkeypatch):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages, os_family)
    during = []

    def fails():
        during.append((os.environ.get("SYSTEMD_OFFLINE"), held_services.POLICY.exists()))
        packages.installed["a"] = ["1-2"]
        return {"retcode": 1, "stderr": "E: Sub-process /usr/bin/dpkg returned an error code (1)"}

    packages.failure = fails
    with pytest.raises(NodeError):
        module.bring({"a": "1-2"})
    assert during == [("1", os_family == "Debian")] and "SYSTEMD_OFFLINE" not in os.environ
    assert module.__salt__["cmd.run_all"].lines()[-1] == "systemctl daemon-reload"


def test_systemd_runs_itself_anew_where_it_was_replaced(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages)
    transactions._INIT.touch()

    def replaces():
        packages.installed["a"] = ["1-2"]
        transactions._INIT.rename(transactions._INIT.with_name("deleted"))  # it still runs
        transactions._INIT.touch()

    packages.failure = replaces
    module.bring({"a": "1-2"})
    assert module.__salt__["cmd.run_all"].lines()[-1] == "systemctl daemon-reexec"


def test_what_went_and_was_not_planned_is_found_afterwards(package_set):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.takes = ("tuned",)
    with pytest.raises(NodeError) as found:
        package_set(packages).bring({"a": "1-2"})
    assert found.value.reason == "PACKAGE_REMOVAL" and "tuned" in found.value.text


def test_metadata_is_refreshed_once_and_not_when_all_was_fetched_beforehand(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    module.bring({"a": "1-2"})
    module.bring({"b": "1-2"})
    assert packages.refreshed == 1
    packages = Packages({"a": "1-1"}, {"a": "1-2"}, cached={"a": "1-2"})
    package_set(packages).bring({"a": "1-2"})
    assert packages.refreshed == 0


def test_metadata_is_refreshed_anew_by_another_job_of_a_minion_without_processes_for_them(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    for name in ("a", "b"):
        job = threading.Thread(target=module.bring, args=({name: "1-2"},))
        job.start()
        job.join()
    assert packages.refreshed == 2


def test_a_version_that_vanished_is_a_named_failure(package_set):
    packages = Packages({"a": "1-1"}, {})
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: no repository has a-1-2"):
        package_set(packages).bring({"a": "1-2"})
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_DOWNLOAD_FAILED: no repository has a-1-2"):
        package_set(packages).download({"a": "1-2"})
    assert packages.installed == {"a": ["1-1"]}


def test_a_package_manager_that_only_says_that_it_worked_is_not_believed(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages)
    packages.failure = lambda: ""
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: not reached: a 1-2"):
        module.bring({"a": "1-2"})
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_DOWNLOAD_FAILED: not fetched: a 1-2"):
        module.download({"a": "1-2"})


def test_download_fetches_and_installs_nothing(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages)
    assert module.missing_downloads({"a": "1-2"}) == {"a": "1-2"}
    module.download({"a": "1-2"})
    assert module.missing_downloads({"a": "1-2"}) == {}
    assert packages.installed == {"a": ["1-1"]}


UNRESOLVED = """Running as unit: run-p1-i2.scope; invocation ID: 7748
Failed loading plugin "system_upgrade": No module named 'systemd'
Last metadata expiration check: 0:01:15 ago on Sat Nov 21 10:11:47 2026.
Error:\x20
 Problem: package a-1-2.noarch from openstack requires b >= 2, but none of the providers can be installed
  - cannot install the best candidate for the job
  - nothing provides b >= 2 needed by a-1-2.noarch from openstack
(try to add '--skip-broken' to skip uninstallable packages)
[openstack]
baseurl = http://repo.example/el9
metadata_expire = 172800
sslverify = 1
timeout = 30.0
username =
"""
GONE = """No package a-1-2 available.
Error: No packages marked for downgrade.
"""
UNREACHABLE = """Errors during downloading metadata for repository 'openstack':
  - Curl error (7): Couldn't connect to server for http://repo.example/repodata/repomd.xml [Failed to connect]
Error: Failed to download metadata for repo 'openstack': Cannot download repomd.xml: All mirrors were tried
"""
APT = """Reading package lists...
Building dependency tree...
E: Version '1-2' for 'a' was not found
"""
ODD = "something new\nbaseurl = http://repo.example\n\nthat nobody foresaw"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            UNRESOLVED,
            "Problem: package a-1-2.noarch from openstack requires b >= 2, but none of the providers can be"
            " installed; nothing provides b >= 2 needed by a-1-2.noarch from openstack",
        ),
        (GONE, "No package a-1-2 available.; Error: No packages marked for downgrade."),
        (
            UNREACHABLE,
            "REPOSITORY_BROKEN: Curl error (7): Couldn't connect to server for http://repo.example/repodata/repomd.xml"
            " [Failed to connect]; Error: Failed to download metadata for repo 'openstack': Cannot download"
            " repomd.xml: All mirrors were tried",
        ),
        (APT, "E: Version '1-2' for 'a' was not found"),
        (ODD, "something new; that nobody foresaw"),
    ],
)
def test_of_the_package_managers_talk_the_telling_lines_are_told(package_set, output, told):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    packages.failure = lambda: {"retcode": 100, "stderr": output}
    with pytest.raises(CommandExecutionError) as refused:
        package_set(packages, "Debian").bring({"a": "1-2"})
    assert str(refused.value) == (told if told.startswith("REPOSITORY") else f"PACKAGE_FAILED: {told}")


def test_what_dpkg_said_meanwhile_tells_the_reason(package_set, tmp_path):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages, "Debian")
    module._TERMINAL = tmp_path / "term.log"
    module._TERMINAL.write_text("dpkg: error processing package earlier (--configure):\n")

    def fails():
        with module._TERMINAL.open("a") as log:
            log.write(
                "Unpacking a (1-2) over (1-1) ...\r\n"
                "dpkg: error processing archive a_1-2.deb (--unpack):\r\n"
                " cannot copy extracted data: failed to write (No space left on device)\r\n"
            )
        return {"retcode": 100, "stderr": "E: Sub-process /usr/bin/dpkg returned an error code (1)"}

    packages.failure = fails
    with pytest.raises(CommandExecutionError) as refused:
        module.bring({"a": "1-2"})
    told = str(refused.value)
    assert told.startswith("DISK_FULL: dpkg: error processing archive a_1-2.deb") and "earlier" not in told


SHOWN = "Id=apt-daily-upgrade.service\nLoadState=loaded\nActiveState=inactive\nNeedDaemonReload=no\n"


def test_updaters_are_held_off_from_before_the_plan_until_the_packages_have_moved(
    package_set, tmp_path, monkeypatch
):
    monkeypatch.setattr(updaters, "FOLDER", tmp_path)
    module = package_set(
        Packages({"a": "1-1"}, {"a": "1-2"}), "Debian", {"systemctl show --property=Id,": SHOWN}
    )
    module.bring({"a": "1-2"})
    lines = module.__salt__["cmd.run_all"].lines()
    begun = [place for place, line in enumerate(lines) if line.startswith("systemd-run --quiet --collect")]
    ended = [place for place, line in enumerate(lines) if line.startswith("systemctl stop")]
    planned = next(place for place, line in enumerate(lines) if "--simulate" in line)
    assert len(begun) == len(ended) == 1 and begun[0] < planned < ended[0]
    assert not any("apt" in line.split()[0] for line in lines[ended[0] :])
