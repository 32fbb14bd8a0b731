"""system_packages: the package manager's plan, what the operator holds, and errors under the reason they
tell.
"""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import package_errors
from tests.unit.loading import Commands, load

CHECK = """
lab-plain.noarch                    1.1-1.el9               patches
a-package-with-a-name-too-long-for-its-column.x86_64
                                    2:3-4.el9               patches
Obsoleting Packages
openvswitch3.5.noarch               3.5.0-12.el9            release
    openvswitch3.4.noarch           3.4.0-12.el9            @1.0.0
"""
APT = """Reading package lists...
Inst lab-plain [1.0-1] (1.1-1 lab [all])
Inst libc6:i386 [2.40] (2.41 lab [i386]) []
Inst lab-new (1.0-1 lab [all])
Remv lab-old [1.0-1]
Conf lab-plain (1.1-1 lab [all])
"""
DNF = "dnf --quiet --cacheonly"


@pytest.fixture
def node(tmp_path):
    def make(family="RedHat", answers=None, locks="", masters=None):
        commands = Commands(
            {DNF: {"retcode": 100, "stdout": CHECK}, "apt-get --quiet --simulate": APT, **(answers or {})}
        )
        salt = {
            "cmd.run_all": commands,
            "package_lock.wait": lambda timeout=None: 0.0,
            "package_set.installed": lambda: {"lab-plain": ["1"], "lab-held": ["1"], "salt-minion": ["1"]},
            "minion_package.masters": lambda: masters or {},
            "pkg.latest_version": lambda *names, refresh: "1.1-1",
        }
        module = load("modules", "system_packages", salt=salt, grains={"os_family": family})
        module._RUN = tmp_path
        module._PREFERENCES = tmp_path / "preferences"
        module._OPERATORS_PREFERENCES = tmp_path / "operators"
        module._REMEMBERED = tmp_path / "plan.json"
        module._VERSION_LOCKS = tmp_path / "versionlock.list"
        module._VERSION_LOCKS.write_text(locks)
        module._LISTS = tmp_path / "lists"
        module._LISTS.mkdir(exist_ok=True)
        (module._LISTS / "lab_Packages").touch()
        module._DECISIVE = {family: (f"{tmp_path}/lists/*",)}
        return module, commands

    return make


def test_dnf_tells_what_is_newer_and_not_what_is_obsolete(node):
    module, commands = node()
    plan = module.plan("dist_upgrade", ["openvswitch*"])
    assert plan["upgrade"] == {
        "lab-plain": "1.1-1.el9",
        "a-package-with-a-name-too-long-for-its-column": "2:3-4.el9",
    }
    assert "--setopt=excludepkgs=openvswitch*" in commands.ran[-1]


def test_what_dnf_says_beside_its_table_is_no_package(node):
    said = (
        "Last metadata expiration check: 0:00:01 ago on Sun 29 Nov 2026.\n"
        f"{CHECK.partition('Obsoleting')[0]}"
        "Security: kernel-core-5.14.0-570.49.1.el9_6.x86_64 is an installed security update\n"
        "Security: kernel-core-5.14.0-503.el9.x86_64 is the currently running version\n"
        "Update notice RHSA-2026:1 (from x) is broken, or a bad duplicate, skipping.\n"
    )
    module, _ = node(answers={DNF: {"retcode": 100, "stdout": said}})
    assert set(module.plan("dist_upgrade", [])["upgrade"]) == {
        "lab-plain",
        "a-package-with-a-name-too-long-for-its-column",
    }


def test_the_lesser_depth_leaves_kernels(node):
    module, commands = node()
    module.plan("upgrade", ["x"])
    assert "kernel-*" in next(word for word in commands.ran[-1] if word.startswith("--setopt=excludepkgs"))


def test_what_a_version_lock_keeps_back_is_told(node):
    locked = {
        f"{DNF} --setopt=skip_if_unavailable=0 --setopt=exit_on_lock=1 --setopt=excludepkgs=": {"retcode": 0}
    }
    module, _ = node(answers=locked, locks="# by hand\nlab-plain-0:1.0-1.el9.*\n")
    plan = module.plan("dist_upgrade", [])
    assert plan["upgrade"] == {} and plan["held"]["lab-plain"] == "1.1-1.el9"
    assert module.held() == ["lab-plain"]


def test_apt_is_asked_without_what_is_excluded_and_with_the_operators_preferences(node, tmp_path):
    module, commands = node("Debian", {"apt-mark showhold": "lab-held\n"})
    module._OPERATORS_PREFERENCES.write_text("Package: own\n")
    plan = module.plan("upgrade", ["openvswitch*"])
    assert plan == {
        "upgrade": {"lab-plain": "1.1-1", "libc6": "2.41"},
        "install": {"lab-new": "1.0-1"},
        "remove": ["lab-old"],
        "held": {"lab-held": "1.1-1"},
    }
    assert commands.ran[0][-1] == "upgrade"
    written = (tmp_path / "preferences").read_text()
    assert "Package: openvswitch*\nPin: release *\nPin-Priority: -10" in written and "Package: own" in written


def test_a_plan_is_made_again_only_when_something_changed(node, tmp_path):
    module, commands = node()
    module.plan("upgrade", [])
    first = len(commands.ran)
    module.plan("upgrade", [])
    assert len(commands.ran) == first
    (tmp_path / "lists/other").touch()
    module.plan("upgrade", [])
    assert len(commands.ran) > first


def test_a_node_without_metadata_fetches_it_once(node):
    module, commands = node(
        answers={DNF: {"retcode": 1, "stderr": "Error: Cache-only enabled but no cache for 'x'"}}
    )
    with pytest.raises(CommandExecutionError, match="REPOSITORY_BROKEN"):
        module.plan("upgrade", [])
    assert sum("makecache" in line for line in commands.lines()) == 1


def test_beside_the_masters_packages_nothing_of_salt_moves(node):
    module, commands = node(masters={"salt-master": ["1"]})
    module.plan("dist_upgrade", [])
    assert "--setopt=excludepkgs=salt,salt-*" in commands.ran[-1]
    assert module.held() == ["salt-minion"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Error: Transaction test error:\n  At least 5MB more space needed on the / filesystem.",
            "DISK_FULL",
        ),
        ("dpkg: error: cannot write: No space left on device", "DISK_FULL"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "DISK_FULL"),
        ("Error: GPG check FAILED", "SIGNATURE_WRONG"),
        ("E: The repository 'http://x ./ InRelease' is not signed.", "SIGNATURE_WRONG"),
        ("W: GPG error: http://x ./ InRelease: NO_PUBKEY 12", "SIGNATURE_WRONG"),
        ("Error: Failed to download metadata for repo 'x': Cannot download repomd.xml", "REPOSITORY_BROKEN"),
        ("E: Failed to fetch http://x/Packages  404  File not found", "REPOSITORY_BROKEN"),
        ("E: The repository 'http://x ./ Release' no longer has a Release file.", "REPOSITORY_BROKEN"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1", "PACKAGE_LOCKED"),
        ("E: Unmet dependencies.", "PACKAGE_FAILED"),
    ],
)
def test_the_package_managers_words_tell_the_reason(said, reason):
    assert package_errors.classified(said, "PACKAGE_FAILED").reason == reason


def test_the_package_is_named_whose_signature_is_wrong():
    said = (
        "Import of key(s) didn't help, wrong key(s)?\n"
        "Public key for qemu-kvm-9.1-1.rpm is not installed. Failing package is: qemu-kvm-9.1-1.x86_64\n"
        " GPG Keys are configured as: http://repo.example/key.asc\n"
        "Error: GPG check FAILED"
    )
    told = package_errors.classified(said, "PACKAGE_FAILED")
    assert told.reason == "SIGNATURE_WRONG" and "qemu-kvm-9.1-1.x86_64" in told.text
