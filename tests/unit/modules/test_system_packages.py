"""system_packages: the package manager's plan, what the operator holds, and errors under the reason they
tell.
"""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import dnf_library
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load

APT = """Reading package lists...
Inst lab-plain [1.0-1] (1.1-1 lab [all])
Inst libc6:i386 [2.40] (2.41 lab [i386]) []
Inst lab-new (1.0-1 lab [all])
Remv lab-old [1.0-1]
Conf lab-plain (1.1-1 lab [all])
"""
POLICY = """lab-held:
  Installed: 1.0-1
  Candidate: 1.1-1
  Version table:
     1.1-1 500
        500 http://x ./ Packages
 *** 1.0-1 100
        100 /var/lib/dpkg/status
"""


def package(name, version, **more):
    """A package as ask_dnf tells of it."""
    return {"name": name, "arch": "noarch", "version": version, "nevra": f"{name}-{version}.noarch", **more}


PLAIN, LONG = package("lab-plain", "1.1-1.el9"), package("a-long-name", "2:3-4.el9")
STAY = {"left": [], "locked": [], "excluded": [], "replaced": []}
NEWER = {"wanted": [PLAIN, LONG], "comes": [PLAIN, LONG], "removed": {}, **STAY}


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node's module, its commands, and what dnf's library was asked."""

    def make(family="RedHat", answers=None, dnf=NEWER, locks=(), masters=None):
        asked = []

        def ask(salt, question):
            asked.append(question)
            answer = dnf if question["ask"] in ("newer", "security") else list(locks)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(dnf_library, "ask", ask)
        commands = Commands(
            {"apt-get --quiet --simulate": APT, "apt-cache policy": POLICY, **(answers or {})}
        )
        commands.asked = asked
        salt = {
            "cmd.run_all": commands,
            "package_lock.wait": lambda timeout=None: 0.0,
            "package_set.installed": lambda: {"lab-plain": ["1"], "lab-held": ["1"], "salt-minion": ["1"]},
            "minion_package.masters": lambda: masters or {},
        }
        module = load("modules", "system_packages", salt=salt, grains={"os_family": family})
        module._RUN = tmp_path
        module._PREFERENCES = tmp_path / "preferences"
        module._OPERATORS_PREFERENCES = tmp_path / "operators"
        module._REMEMBERED = tmp_path / "plan.json"
        module._LOCKED = tmp_path / "locks.json"
        module._OFFERED = tmp_path / "offered.json"
        module._LISTS = tmp_path / "lists"
        module._LISTS.mkdir(exist_ok=True)
        (module._LISTS / "lab_Packages").touch()
        module._DECISIVE = {family: (f"{tmp_path}/lists/*",)}
        return module, commands

    return make


def test_dnf_tells_what_is_newer(node):
    module, commands = node()
    plan = module.plan("dist_upgrade", ["openvswitch*"])
    assert plan["upgrade"] == {"lab-plain": "1.1-1.el9", "a-long-name": "2:3-4.el9"}
    assert (plan["install"], plan["remove"], plan["stays"]) == ({}, [], {})
    assert commands.asked == [{"ask": "newer", "exclude": ["openvswitch*"]}]


def test_the_lesser_depth_leaves_kernels(node):
    module, commands = node()
    module.plan("upgrade", ["x"])
    assert "kernel-*" in commands.asked[0]["exclude"]


def test_of_security_alone_dnf_is_asked_and_its_advisories_are_told(node):
    said = NEWER | {"wanted": [PLAIN], "comes": [PLAIN], "advisories": {PLAIN["nevra"]: ["RLSA-1"]}}
    module, commands = node(dnf=said)
    plan = module.plan("security", [])
    assert plan["upgrade"] == {"lab-plain": "1.1-1.el9"} and plan["advisories"] == {"lab-plain": ["RLSA-1"]}
    assert commands.asked[0]["ask"] == "security" and "kernel-*" in commands.asked[0]["exclude"]


def test_what_a_version_lock_keeps_back_is_told_with_its_line(node):
    lock = {"by": "lab-[p]*-1.0-*"}
    said = NEWER | {"wanted": [], "comes": [], "locked": [PLAIN | lock]}
    module, _ = node(dnf=said, locks=[PLAIN | lock])
    plan = module.plan("dist_upgrade", [])
    assert plan["upgrade"] == {} and plan["held"] == {"lab-plain": "1.1-1.el9"}
    assert plan["stays"] == {"lab-plain": {"version": "1.1-1.el9", "cause": "versionlock", **lock}}
    assert module.held() == ["lab-plain"]


def test_new_packages_that_come_along_are_in_the_plan(node):
    foreign = package("lab-new", "1-1.el9") | {"arch": "i686"}
    module, _ = node(dnf=NEWER | {"comes": [PLAIN, LONG, foreign]})
    assert module.plan("dist_upgrade", [])["install"] == {"lab-new.i686": "1-1.el9"}


def test_a_plan_that_takes_a_package_back_to_an_older_version_is_refused(node):
    module, _ = node(dnf=NEWER | {"downgraded": [package("lib", "1")]})
    with pytest.raises(NodeError, match=r"^PACKAGE_FAILED: nothing was touched.*lib-1\.noarch"):
        module.plan("dist_upgrade", [])


@pytest.mark.parametrize(
    ("kind", "cause", "by"),
    [("excluded", "exclude", "excludepkgs=lab-*"), ("replaced", "replaced", "lab-other")],
)
def test_what_dnf_leaves_out_is_told_with_its_cause(node, kind, cause, by):
    module, _ = node(dnf=NEWER | {"wanted": [], "comes": [], kind: [PLAIN | {"by": by}]})
    plan = module.plan("dist_upgrade", [])
    assert plan["stays"] == {"lab-plain": {"version": "1.1-1.el9", "cause": cause, "by": by}}
    assert plan["held"] == {}


def test_what_lacks_something_stays_and_is_told(node):
    module, _ = node(dnf=NEWER | {"comes": [LONG], "left": [PLAIN | {"by": "glibc-1.noarch"}]})
    plan = module.plan("dist_upgrade", [])
    assert list(plan["upgrade"]) == ["a-long-name"] and plan["held"] == {}
    assert plan["stays"]["lab-plain"] == {
        "version": "1.1-1.el9",
        "cause": "dependencies",
        "by": "glibc-1.noarch",
    }


def test_locks_count_by_name_where_no_repository_was_ever_read(node, monkeypatch):
    module, _ = node()

    def ask(salt, question):
        if question.get("repositories", True):
            raise NodeError("REPOSITORY_BROKEN", "no cache")
        return [PLAIN]

    monkeypatch.setattr(dnf_library, "ask", ask)
    assert module.held() == ["lab-plain"]


TUNED = package("tuned", "1", by="")


@pytest.mark.parametrize("said", [{"removed": {"t": TUNED}}, {"problem": "conflicts", "needs": {"t": TUNED}}])
def test_no_plan_of_dnfs_takes_a_package_away(node, said):
    module, _ = node(dnf=NEWER | said)
    with pytest.raises(NodeError) as refused:
        module.plan("dist_upgrade", [])
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned" in refused.value.text


def test_what_a_newer_package_replaces_is_in_the_plan(node):
    module, _ = node(dnf=NEWER | {"removed": {"t": TUNED | {"by": "lab-plain"}}})
    assert module.plan("dist_upgrade", [])["remove"] == ["tuned"]


def test_a_plan_that_cannot_be_made_has_its_reason(node):
    module, _ = node(dnf=NEWER | {"problem": "nothing provides x", "needs": {}})
    with pytest.raises(NodeError) as refused:
        module.plan("dist_upgrade", [])
    assert refused.value.reason == "PACKAGE_FAILED"


def test_apt_is_asked_without_what_is_excluded_and_with_the_operators_preferences(node, tmp_path):
    module, commands = node("Debian", {"apt-mark showhold": "lab-held\n"})
    module._OPERATORS_PREFERENCES.write_text("Package: own\n")
    plan = module.plan("upgrade", ["openvswitch*"])
    assert plan == {
        "upgrade": {"lab-plain": "1.1-1", "libc6:i386": "2.41"},
        "install": {"lab-new": "1.0-1"},
        "remove": ["lab-old"],
        "held": {"lab-held": "1.1-1"},
        "stays": {"lab-held": {"version": "1.1-1", "cause": "hold", "by": ""}},
    }
    assert commands.ran[0][-1] == "upgrade"
    written = (tmp_path / "preferences").read_text()
    assert (
        "Package: openvswitch*:any\nPin: release *\nPin-Priority: -10" in written
        and "Package: own" in written
    )


def test_a_plan_is_made_again_only_when_something_changed(node, tmp_path):
    module, commands = node()
    module.plan("upgrade", [])
    module.plan("upgrade", [])
    assert len(commands.asked) == 1
    (tmp_path / "lists/other").touch()
    module.plan("upgrade", [])
    assert len(commands.asked) == 2


def test_the_plans_of_two_questions_are_kept_side_by_side_until_something_moves(node, tmp_path):
    module, commands = node()
    for _ in range(2):
        module.plan("upgrade", ["a"])
        module.plan("upgrade", ["b"])
    assert len(commands.asked) == 2
    (tmp_path / "lists/other").touch()
    module.plan("upgrade", ["b"])
    module.plan("upgrade", ["a"])
    assert len(commands.asked) == 4


def test_a_node_without_metadata_fetches_it_once(node):
    module, commands = node(dnf=NodeError("REPOSITORY_BROKEN", "no cache for 'x'"))
    with pytest.raises(CommandExecutionError, match="REPOSITORY_BROKEN"):
        module.plan("upgrade", [])
    assert sum("makecache" in line for line in commands.lines()) == 1


def test_beside_the_masters_packages_nothing_of_salt_moves(node):
    module, commands = node(masters={"salt-master": ["1"]})
    module.plan("dist_upgrade", [])
    assert commands.asked[0]["exclude"] == ["salt", "salt-*"]
    assert module.held() == ["salt-minion"]


def test_what_dnf_offers_of_some_packages_is_told_each_by_itself(node):
    """Whatever else of the system could not move."""
    lock, excluded = package("locked", "3", by="locked-2.*"), package("hidden", "3", by="excludepkgs=hid*")
    troubled = {"problem": "x conflicts with y", "needs": {"y": TUNED}, "comes": []}
    module, commands = node(dnf=NEWER | troubled | {"locked": [lock], "excluded": [excluded]})
    found = module.offered(["lab-plain", "locked", "hidden", "at-its-newest"])
    assert found["upgrade"] == {"lab-plain": "1.1-1.el9"}
    assert {name: (one["cause"], one["version"]) for name, one in found["stays"].items()} == {
        "locked": ("versionlock", "3"),
        "hidden": ("exclude", "3"),
    }
    assert commands.asked == [{"ask": "newer", "exclude": []}]


def test_what_apt_offers_of_some_packages_is_its_candidate_where_that_is_newer(node):
    module, commands = node("Debian")
    assert module.offered(["lab-held"]) == {"upgrade": {"lab-held": "1.1-1"}, "stays": {}}
    assert commands.lines()[-1] == "apt-cache policy lab-held"
    module, _ = node("Debian", {"apt-mark showhold": "lab-held\n"})
    (module._LISTS / "other").touch()
    held = {"version": "1.1-1", "cause": "hold", "by": ""}
    assert module.offered(["lab-held"]) == {"upgrade": {}, "stays": {"lab-held": held}}


def test_repositories_are_asked_what_they_offer_only_when_something_changed(node, tmp_path):
    module, commands = node()
    assert module.offered([]) == {"upgrade": {}, "stays": {}} and commands.asked == []
    assert module.offered(["lab-plain"]) == module.offered(["lab-plain"])
    assert len(commands.asked) == 1
    module.offered(["a-long-name"])  # dnf has told of all
    assert len(commands.asked) == 1
    (tmp_path / "lists/other").touch()
    module.offered(["a-long-name"])
    assert len(commands.asked) == 2


def test_apt_is_asked_of_each_service_once_whichever_was_asked_of_last(node, tmp_path):
    """Services of one node are asked of in turn, again and again."""
    module, commands = node("Debian")
    for _ in range(2):
        for name in ("lab-held", "lab-plain"):
            module.offered([name])
    assert commands.lines().count("apt-cache policy lab-held") == 1
    (tmp_path / "lists/other").touch()
    module.offered(["lab-held"])
    assert commands.lines().count("apt-cache policy lab-held") == 2


def test_repositories_that_cannot_be_read_offer_not_nothing(node):
    module, _ = node(dnf=NodeError("REPOSITORY_BROKEN", "no cache for 'x'"))
    with pytest.raises(NodeError, match="REPOSITORY_BROKEN"):
        module.offered(["lab-plain"])
