"""package_set: one transaction of what differs, checked before and after, its failures named."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import dnf_library
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load


class Packages:
    """Stands in for Salt's pkg and for dnf: what is installed, in the cache, in the repositories; what would
    go with what is asked for, as dnf's library says, and what goes indeed.
    """

    def __init__(self, installed, available, cached=None):
        self.installed = {name: [version] for name, version in installed.items()}
        self.available = available
        self.cached = cached or {}
        self.asked = []
        self.refreshed = 0
        self.plan, self.takes = {}, ()

    def ask(self, salt, question):
        """As dnf_library.ask of `resolve`."""
        self.asked.append(question)
        wanted = [spec.rpartition("-")[0].rpartition("-") for spec in question["install"]]
        missing = [
            spec
            for spec, (name, _, version) in zip(question["install"], wanted, strict=True)
            if not self.available.get(name, "").startswith(version)
        ]
        return {"comes": [], "removed": {}, "missing": missing, **self.plan}

    def dnf(self, command):
        """As dnf itself."""
        for spec in command[command.index("install") + 1 :]:
            name, version = spec.rpartition("-")[0].rpartition("-")[0], spec.split("-", 1)[1]
            if "--downloadonly" in command:
                self.cached[name] = version
            else:
                self.installed[name] = [version]
        for name in self.takes:
            self.installed.pop(name, None)

    def list_pkgs(self, versions_as_list=False, use_context=True):
        assert versions_as_list
        return {name: list(versions) for name, versions in self.installed.items()}

    def list_downloaded(self):
        return {name: {version: {}} for name, version in self.cached.items()}

    def refresh_db(self, **_):
        self.refreshed += 1

    def install(self, pkgs, downloadonly=False, **options):
        self.asked.append({"pkgs": pkgs, "downloadonly": downloadonly, **options})
        wanted = {name: version for entry in pkgs for name, version in entry.items()}
        missing = [name for name, version in wanted.items() if self.available.get(name) != version]
        if missing:
            raise CommandExecutionError("Error", info={"errors": [f"No match for argument: {missing[0]}"]})
        if downloadonly:
            self.cached.update(wanted)
            return {}
        moved = {n: {"old": "".join(self.installed.get(n, [])), "new": v} for n, v in wanted.items()}
        self.installed.update({name: [version] for name, version in wanted.items()})
        return moved

    def functions(self):
        return {
            f"pkg.{name}": getattr(self, name)
            for name in (
                "list_pkgs",
                "list_downloaded",
                "refresh_db",
                "install",
                "latest_version",
                "version_cmp",
            )
        }

    def latest_version(self, name, refresh):
        assert refresh is False
        return self.available.get(name, "")

    def version_cmp(self, one, other):
        return (one > other) - (one < other)


class Node(Commands):
    """The commands of a node, whose dnf is the packages' own."""

    def __init__(self, packages, answers=None):
        super().__init__(answers)
        self.packages = packages

    def __call__(self, command, **options):
        if "dnf" in command:
            self.packages.dnf(command)
        return super().__call__(command, **options)


@pytest.fixture
def package_set(monkeypatch):
    def make(packages, os_family="RedHat", commands=None):
        salt = {
            **packages.functions(),
            "cmd.run_all": commands or Node(packages),
            "package_lock.wait": lambda: 0.0,
            "package_lock.patience": lambda: 300.0,
            "package_repair.finish_dpkg": lambda switch, exclude: None,
            "system_packages.held": lambda: ["held"],
            "bootc.status": lambda: None,
        }
        monkeypatch.setattr(dnf_library, "ask", packages.ask)
        return load("modules", "package_set", salt=salt, grains={"os_family": os_family})

    return make


def test_only_installed_packages_that_differ_are_to_be_changed(package_set):
    module = package_set(Packages({"a": "1-1", "b": "2-1"}, {}))
    assert module.changes({"a": "1-2", "b": "2-1", "c": "3-1"}) == {"install": {"a": "1-2"}, "remove": []}


def test_the_system_stage_leaves_alone_what_the_operator_holds(package_set):
    module = package_set(Packages({"a": "1-1", "held": "1-1"}, {}))
    wanted = {"a": "1-2", "held": "1-2"}
    assert module.changes(wanted, "system")["install"] == {"a": "1-2"}
    assert module.changes(wanted, "services")["install"] == wanted


def test_whoever_takes_the_lock_first_is_waited_for_but_not_for_ever(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    module = package_set(packages, "Debian")
    install, tries = packages.install, []

    def held_at_first(**options):
        tries.append(options)
        if len(tries) < 3:
            raise CommandExecutionError("Failed to obtain the transaction lock (logged in as: root).")
        return install(**options)

    module.__salt__["pkg.install"] = held_at_first
    module.bring({"a": "1-2"})
    assert len(tries) == 3 and packages.installed["a"] == ["1-2"]
    tries.clear()
    module.__salt__["package_lock.patience"] = lambda: -1.0
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_LOCKED: Failed to obtain"):
        module.bring({"a": "1-2"})


def test_of_a_package_with_a_least_version_the_newest_is_brought(package_set):
    packages = Packages({"a": "1-1", "b": "1-5"}, {"a": "1-4"})
    module = package_set(packages)
    wanted = {"a": ">=1-3", "b": ">=1-3"}
    assert module.changes(wanted)["install"] == {"a": ">=1-3"}
    module.bring({"a": ">=1-3"})
    assert packages.installed["a"] == ["1-4"] and module.changes(wanted)["install"] == {}
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: not reached: a >=1-9"):
        module.bring({"a": ">=1-9"})


def test_what_apt_had_installed_by_itself_stays_so(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    commands = Commands({"apt-mark showauto": "b\nc\n"})
    package_set(packages, "Debian", commands).bring({"a": "1-2", "b": "1-2"})
    assert commands.lines()[-1] == "apt-mark auto b"


def test_one_transaction_with_excludes_and_a_cache_that_is_kept(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    moved = module.bring({"b": "1-2", "a": "1-2"}, exclude=["kernel", "openvswitch*"])
    assert packages.asked == [
        {
            "ask": "resolve",
            "install": ["a-1-2", "b-1-2"],
            "exclude": ["kernel", "openvswitch*"],
            "setopt": ["keepcache=1", "exit_on_lock=1"],
        }
    ]
    command = module.__salt__["cmd.run_all"].ran[-1]
    assert "--setopt=excludepkgs=kernel,openvswitch*" in command and "--allowerasing" not in command
    assert moved == {"a": {"old": "1-1", "new": "1-2"}, "b": {"old": "1-1", "new": "1-2"}}


TUNED = {"tuned-1-1.noarch": {"name": "tuned", "nevra": "tuned-1-1.noarch", "by": ""}}


@pytest.mark.parametrize("action", ["bring", "download"])
@pytest.mark.parametrize(
    "how", [{"problem": "a-1-2 conflicts with tuned", "needs": TUNED}, {"removed": TUNED}]
)
def test_what_would_take_another_package_away_is_refused_before_anything_moves(package_set, action, how):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plan = how
    with pytest.raises(NodeError) as refused:
        getattr(package_set(packages), action)({"a": "1-2"})
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned-1-1" in refused.value.text
    assert packages.installed == {"a": ["1-1"], "tuned": ["1-1"]} and packages.cached == {}


@pytest.mark.parametrize(
    ("by", "remove", "good"), [("a", (), True), ("other", (), False), ("other", ("tun*",), True)]
)
def test_a_package_may_go_that_one_of_these_replaces_or_that_was_planned(package_set, by, remove, good):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.plan = {"removed": {"tuned-1-1.noarch": TUNED["tuned-1-1.noarch"] | {"by": by}}}
    packages.takes = ("tuned",)
    if good:
        moved = package_set(packages).bring({"a": "1-2"}, remove=remove)
        assert moved["tuned"] == {"old": "1-1", "new": ""}
        return
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2"}, remove=remove)
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned" in packages.installed


def test_what_went_and_was_not_planned_is_found_afterwards(package_set):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.takes = ("tuned",)
    with pytest.raises(NodeError) as found:
        package_set(packages).bring({"a": "1-2"})
    assert found.value.reason == "PACKAGE_REMOVAL" and "tuned" in found.value.text


def test_apt_is_asked_first_whether_a_package_would_go(package_set):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    commands = Commands({"apt-get --simulate": "Remv tuned [1-1]\nInst a [1-1] (1-2 lab)\n"})
    module = package_set(packages, "Debian", commands)
    with pytest.raises(NodeError) as refused:
        module.bring({"a": "1-2"})
    assert refused.value.reason == "PACKAGE_REMOVAL" and packages.asked == []
    module.bring({"a": "1-2"}, remove=["tuned"])
    assert packages.installed["a"] == ["1-2"]


def test_a_package_of_another_architecture_is_asked_for_by_it(package_set):
    module = package_set(Packages({}, {}))
    assert module._spec("glibc.i686", "1-2") == "glibc-1-2.i686"
    assert module._spec("openvswitch3.5", "1-2") == "openvswitch3.5-1-2"


def test_metadata_is_refreshed_once_and_not_when_all_was_fetched_beforehand(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    module.bring({"a": "1-2"})
    module.bring({"b": "1-2"})
    assert packages.refreshed == 1
    packages = Packages({"a": "1-1"}, {"a": "1-2"}, cached={"a": "1-2"})
    package_set(packages).bring({"a": "1-2"})
    assert packages.refreshed == 0


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
    packages.dnf = lambda command: None
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


def test_apt_is_asked_first_whether_an_excluded_package_would_move(package_set):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    commands = Commands(
        {"apt-get --simulate": "Inst a [1-1] (1-2 lab)\nInst linux-image [1] (2 lab)\nConf a\n"}
    )
    module = package_set(packages, "Debian", commands)
    with pytest.raises(
        CommandExecutionError, match=r"^PACKAGE_FAILED: excluded packages would move: linux-image"
    ):
        module.bring({"a": "1-2"}, exclude=["linux-*"])
    assert packages.asked == []
    module.bring({"a": "1-2"}, exclude=["openvswitch*"])
    assert "setopt" not in packages.asked[0]


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
        ("", "Error"),
    ],
)
def test_of_the_package_managers_talk_the_telling_lines_are_told(package_set, output, told):
    module = package_set(Packages({"a": "1-1"}, {}), "Debian")

    def fails(**_):
        raise CommandExecutionError("Error", info={"errors": [output]} if output else None)

    module.__salt__["pkg.install"] = fails
    with pytest.raises(CommandExecutionError) as refused:
        module.bring({"a": "1-2"})
    assert str(refused.value) == (told if told.startswith("REPOSITORY") else f"PACKAGE_FAILED: {told}")


def test_what_dpkg_said_meanwhile_tells_the_reason(package_set, tmp_path):
    module = package_set(Packages({"a": "1-1"}, {}), "Debian")
    module._TERMINAL = tmp_path / "term.log"
    module._TERMINAL.write_text("dpkg: error processing package earlier (--configure):\n")

    def fails(**_):
        with module._TERMINAL.open("a") as log:
            log.write(
                "Unpacking a (1-2) over (1-1) ...\r\n"
                "dpkg: error processing archive a_1-2.deb (--unpack):\r\n"
                " cannot copy extracted data: failed to write (No space left on device)\r\n"
            )
        said = "E: Sub-process /usr/bin/dpkg returned an error code (1)"
        raise CommandExecutionError("Error", info={"errors": [said]})

    module.__salt__["pkg.install"] = fails
    with pytest.raises(CommandExecutionError) as refused:
        module.bring({"a": "1-2"})
    told = str(refused.value)
    assert told.startswith("DISK_FULL: dpkg: error processing archive a_1-2.deb") and "earlier" not in told
