"""package_set: one transaction of what differs, checked before and after, its failures named."""

from __future__ import annotations

import os

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import dnf_library, held_services, transactions
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load


class Packages:
    """Stands in for Salt's pkg, for dnf and for apt: what is installed, in the cache, in the repositories;
    what would go with what is asked for, and what goes indeed.
    """

    def __init__(self, installed, available, cached=None):
        self.installed = {name: [version] for name, version in installed.items()}
        self.available = available
        self.cached = cached or {}
        self.asked, self.noted = [], []
        self.refreshed = 0
        self.plan, self.takes, self.brings = {}, (), {}
        self.failure, self.held = None, ""

    def ask(self, salt, question):
        """As dnf_library.ask of `resolve` and `unfetched`."""
        self.asked.append(question)
        wanted = [(spec.split("-", 1)[0], spec.split("-", 1)[1]) for spec in question["install"]]
        missing = [f"{name}-{version}" for name, version in wanted if self.available.get(name) != version]
        comes = [{"name": name, "arch": "noarch", "version": version} for name, version in wanted]
        unfetched = [one for one in comes if self.cached.get(one["name"]) != one["version"]]
        nothing = {"downgraded": [], "removed": {}, "retired": {}, "hidden": {}}
        return {**nothing, "comes": comes, "missing": missing, "unfetched": unfetched, **self.plan}

    def move(self, wanted, download):
        """As either does, where it is not to fail."""
        if self.failure:
            return self.failure()
        if download:
            self.cached |= wanted
            return ""
        self.installed |= {name: [version] for name, version in (wanted | self.brings).items()}
        for name in self.takes:
            self.installed.pop(name, None)
        return ""

    def dnf(self, command):
        """As dnf itself."""
        specs = [spec.split("-", 1) for spec in command[command.index("install") + 1 :]]
        return self.move(dict(specs), "--downloadonly" in command)

    def apt(self, command):
        """As apt-get."""
        asked = [word.split("=", 1) for word in command[command.index("install") + 1 :] if "=" in word]
        wanted = dict(asked)
        if missing := [f"{name}={new}" for name, new in wanted.items() if self.available.get(name) != new]:
            return {"retcode": 100, "stderr": f"E: Version of {missing[0]} was not found"}
        if "--print-uris" in command:
            lacking = {name: new for name, new in wanted.items() if self.cached.get(name) != new}
            return "".join(f"'http://x/{n}.deb' {n}_{new}_amd64.deb 7 \n" for n, new in lacking.items())
        if "--simulate" in command:
            return "".join(f"Inst {name} [0] ({new} lab)\n" for name, new in wanted.items())
        return self.move(wanted, "--download-only" in command)

    def list_pkgs(self, versions_as_list=False, use_context=True):
        assert versions_as_list
        return {name: list(versions) for name, versions in self.installed.items()}

    def refresh_db(self, **_):
        self.refreshed += 1

    def functions(self):
        names = ("list_pkgs", "refresh_db", "latest_version", "version_cmp")
        return {f"pkg.{name}": getattr(self, name) for name in names}

    def latest_version(self, name, refresh):
        assert refresh is False
        return self.available.get(name, "")

    def version_cmp(self, one, other):
        return (one > other) - (one < other)


class Node(Commands):
    """The commands of a node, whose package manager is the packages' own."""

    def __init__(self, packages, answers=None):
        super().__init__(answers)
        self.packages = packages

    def __call__(self, command, **options):
        said = super().__call__(command, **options)
        tool = next((one for one in ("dnf", "apt-get") if one in command), None)
        if tool and not said["stdout"]:
            answer = {"dnf": self.packages.dnf, "apt-get": self.packages.apt}[tool](command)
            said |= answer if isinstance(answer, dict) else {"stdout": answer or ""}
        return said

    def moves(self):
        """The transactions that ran."""
        return [line for line in self.ran if line[:3] == ["systemd-run", "--scope", "--quiet"]]


@pytest.fixture
def package_set(monkeypatch, tmp_path):
    monkeypatch.setattr(transactions, "_INIT", tmp_path / "systemd")
    monkeypatch.setattr(held_services, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(held_services, "OPERATORS_POLICY", tmp_path / "policy-rc.d.kept")

    def make(packages, os_family="RedHat", answers=None):
        salt = {
            **packages.functions(),
            "cmd.run_all": Node(packages, answers),
            "package_lock.wait": lambda: 0.0,
            "package_lock.patience": lambda: 300.0,
            "package_repair.finish_dpkg": lambda switch, exclude: None,
            "stale_services.note": packages.noted.append,
            "system_packages.held": lambda: ["held"],
            "bootc.status": lambda: None,
        }
        monkeypatch.setattr(dnf_library, "ask", packages.ask)
        return load("modules", "package_set", salt=salt, grains={"os_family": os_family, "osarch": "amd64"})

    return make


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
    assert module.changes(wanted)["install"] == {"a": ">=1-3"}
    module.bring({"a": ">=1-3"})
    assert packages.installed["a"] == ["1-4"] and module.changes(wanted)["install"] == {}
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_FAILED: not reached: a >=1-9"):
        module.bring({"a": ">=1-9"})


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


@pytest.mark.parametrize("os_family", ["RedHat", "Debian"])
def test_what_moved_and_was_not_planned_is_found_afterwards(package_set, os_family):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    packages.brings = {"lib": "9", "gpg-pubkey": "1"}
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: moved, and nobody had planned it: lib$"):
        package_set(packages, os_family).bring({"a": "1-2"})


@pytest.mark.parametrize("os_family", ["RedHat", "Debian"])
def test_the_scripts_leave_services_alone_and_what_moved_is_noted(package_set, os_family, monkeypatch):
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
    assert packages.noted == [["a"]]  # half a transaction has replaced what runs as well
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


def test_somebody_else_may_bring_them(package_set):
    packages = Packages({"salt-minion": "1"}, {"salt-minion": "2"})
    command = package_set(packages, "Debian").command_to_bring({"salt-minion": "2"}, ["x*"])
    asked = ["--fix-broken", "--allow-downgrades", "install", "salt-minion=2"]
    assert command == ["apt-get", "--quiet", "--yes", "--no-remove", *KEPT, *asked]
    assert packages.installed == {"salt-minion": ["1"]}


def test_one_transaction_with_excludes_and_a_cache_that_is_kept(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {"a": "1-2", "b": "1-2"})
    module = package_set(packages)
    moved = module.bring({"b": "1-2", "a": "1-2"}, exclude=["kernel", "openvswitch*"])
    assert packages.asked[-1] == {
        "ask": "resolve",
        "install": ["a-1-2", "b-1-2"],
        "exclude": ["kernel", "openvswitch*"],
        "setopt": ["keepcache=1", "exit_on_lock=1"],
    }
    (command,) = module.__salt__["cmd.run_all"].moves()
    assert "--setopt=excludepkgs=kernel,openvswitch*" in command and "--allowerasing" not in command
    assert moved == {"a": {"old": "1-1", "new": "1-2"}, "b": {"old": "1-1", "new": "1-2"}}


TUNED = {"tuned-1-1.noarch": {"name": "tuned", "arch": "noarch", "nevra": "tuned-1-1.noarch", "by": ""}}


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


def test_packages_of_other_architectures_go_as_planned(package_set):
    """Salt's name of one has its architecture, dnf's has not."""
    packages = Packages({"new.i686": "1-1", "old": "1", "old.i686": "1"}, {})
    old = {"name": "old", "version": "1", "by": "new"}
    packages.plan = {
        "comes": [{"name": "new", "arch": "i686", "version": "1-2"}],
        "missing": [],
        "removed": {
            f"old-1.{arch}": old | {"arch": arch, "nevra": f"old-1.{arch}"} for arch in ("amd64", "i686")
        },
    }
    packages.takes, packages.brings = ("old", "old.i686", "new"), {"new.i686": "1-2"}
    moved = package_set(packages).bring({"new.i686": "1-2"})
    assert sorted(moved) == ["new.i686", "old", "old.i686"]


def test_what_went_and_was_not_planned_is_found_afterwards(package_set):
    packages = Packages({"a": "1-1", "tuned": "1-1"}, {"a": "1-2"})
    packages.takes = ("tuned",)
    with pytest.raises(NodeError) as found:
        package_set(packages).bring({"a": "1-2"})
    assert found.value.reason == "PACKAGE_REMOVAL" and "tuned" in found.value.text


LIB = {"name": "lib", "arch": "noarch", "version": "1", "nevra": "lib-1.noarch"}


def test_nothing_goes_back_to_an_older_version_unless_asked_to(package_set):
    packages = Packages({"a": "1-1", "lib": "2"}, {"a": "1-2", "lib": "1"})
    packages.plan = {"downgraded": [LIB]}
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: nothing was touched.*: lib-1\.noarch$"):
        package_set(packages).bring({"a": "1-2"})
    assert packages.installed == {"a": ["1-1"], "lib": ["2"]}
    package_set(packages).bring({"a": "1-2", "lib": "1"})
    assert packages.installed["lib"] == ["1"]


def test_what_leaves_with_the_oldest_kernel_may_go(package_set):
    packages = Packages({"kernel": "1", "extra": "1"}, {"kernel": "3"})
    packages.plan = {"retired": {"extra-1.noarch": LIB | {"name": "extra"}}}
    packages.takes = ("extra",)
    assert package_set(packages).bring({"kernel": "3"})["extra"] == {"old": "1", "new": ""}


@pytest.mark.parametrize(("arch", "called"), [("noarch", "lib"), ("amd64", "lib"), ("i686", "lib.i686")])
def test_what_dnf_brings_along_is_told_before_by_the_name_that_salt_gives_it(package_set, arch, called):
    packages = Packages({"a": "1-1"}, {"a": "1-2"})
    a = {"name": "a", "arch": "noarch", "version": "1-2"}
    packages.plan = {"comes": [a, LIB | {"arch": arch}]}
    packages.brings = {called: "1"}
    module = package_set(packages)
    assert module.along({"a": "1-2"}) == {called: "1"}
    assert module.bring({"a": "1-2"})[called] == {"old": "", "new": "1"}
    packages.plan = {"missing": ["a-1-2"]}
    assert module.along({"a": "1-2"}) == {}


def test_a_version_that_is_hidden_is_named_with_what_hides_it(package_set):
    packages = Packages({"a": "1-1", "b": "1-1"}, {})
    packages.plan = {"hidden": {"a-1-2": "version lock a-1-1.*"}}
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2"})
    assert refused.value.text == "a-1-2 is hidden by version lock a-1-1.*"
    with pytest.raises(NodeError) as refused:
        package_set(packages).bring({"a": "1-2", "b": "1-2"})
    assert refused.value.text == "no repository has b-1-2; a-1-2 is hidden by version lock a-1-1.*"


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
