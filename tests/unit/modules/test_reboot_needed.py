"""reboot_needed and node_reboot: each evidence by its name; a reboot that is ordered once and told apart."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.loading import Commands, load

HINT = """Core libraries or services have been updated since boot-up:
  * glibc
  * kernel-core

Reboot is required to fully utilize these updates.
"""


@pytest.fixture
def node(tmp_path):
    def make(running="5.14.0-1.el9.x86_64", hint=None, stale=False, family="RedHat", bootc=None, unsafe=()):
        said = {"retcode": 1, "stdout": HINT} if hint else {"retcode": 0}
        salt = {
            "package_set.installed": lambda: {"kernel-core": ["5.14.0-1.el9", "5.14.0-2.el9"]},
            "pkg.version_cmp": lambda one, other: (one > other) - (one < other),
            "bootc.status": lambda: bootc,
            "stale_services.unsafe": lambda: unsafe,
            "ovs.switch": lambda: {"running": "3.4.0", "installed": "3.5.0", "stale": stale},
            "cmd.which": lambda name: f"/usr/bin/{name}",
            "cmd.run_all": Commands({"dnf --cacheonly --quiet needs-restarting": said}),
        }
        module = load(
            "modules", "reboot_needed", salt=salt, grains={"kernelrelease": running, "os_family": family}
        )
        module._REQUIRED = (tmp_path / "reboot-required",)
        module._RECORD = tmp_path / "record.json"
        module._BOOT_ID = tmp_path / "boot_id"
        module._BOOT_ID.write_text("first\n")
        module.MARKERS = (tmp_path / "reboot.d",)
        return module

    return make


def test_a_node_that_is_as_it_booted_has_no_evidence(node):
    assert node(running="5.14.0-2.el9.x86_64").evidence() == []


def test_the_switch_is_not_asked_again_where_the_caller_has_asked(node):
    module = node(running="5.14.0-2.el9.x86_64")
    del module.__salt__["ovs.switch"]
    told = {"running": "3.4.0", "installed": "3.5.0", "stale": True}
    assert module.evidence(switch=told) == ["switch: 3.4.0 runs, 3.5.0 is installed"]
    same = module.evidence(switch={**told, "installed": "3.4.0"})
    assert len(same) == 1 and "3.4.0 is installed" not in same[0] and "replaced on disk" in same[0]


def test_each_evidence_has_its_name(node, tmp_path):
    (tmp_path / "reboot-required").touch()
    (tmp_path / "reboot-required.pkgs").write_text("linux-base\nlinux-base\n")
    (tmp_path / "reboot.d").mkdir()
    (tmp_path / "reboot.d/firmware").write_text("new firmware\n")
    assert node(hint=True, stale=True, bootc={"staged": "os:2"}, unsafe=["dbus.service"]).evidence() == [
        "kernel: 5.14.0-1.el9.x86_64 runs, 5.14.0-2.el9 is installed",
        "reboot-required: linux-base",
        f"marker: {tmp_path}/reboot.d/firmware (new firmware)",
        "bootc: os:2 is staged",
        "switch: 3.4.0 runs, 3.5.0 is installed",
        "libraries: dbus.service",
        "needs-restarting: glibc, kernel-core",
    ]


def test_what_takes_long_is_left_out_when_it_is_not_wanted(node):
    module = node(running="5.14.0-2.el9.x86_64", hint=True, unsafe=["auditd.service"])
    names = {thorough: [line.partition(":")[0] for line in module.evidence(thorough)] for thorough in (0, 1)}
    assert names == {0: ["libraries"], 1: ["libraries", "needs-restarting"]}


def test_an_error_of_dnf_is_no_evidence(node):
    module = node(running="5.14.0-2.el9.x86_64")
    module.__salt__["cmd.run_all"].answers = {"dnf": {"retcode": 1, "stderr": "Error: no such command"}}
    assert module.evidence() == []


@pytest.fixture
def reboot(tmp_path):
    look = f"{'0f' * 32}-75a1.service"  # podman's, at the health of a container
    failed = f"a.service loaded failed\n{look} loaded failed"
    commands = Commands({"systemctl is-system-running": "degraded", "systemctl list-units": failed})
    recorded = []
    module = load(
        "modules",
        "node_reboot",
        salt={
            "cmd.run_all": commands,
            "datapath.record": lambda: recorded.append(True),
            "reboot_needed.remember_asked": recorded.append,
            "mount.active": lambda: {"/": {}},
            "mount.fstab": lambda: {
                "/": {"fstype": "xfs", "opts": ["defaults"]},
                "/srv": {"fstype": "xfs", "opts": ["defaults"]},
                "/mnt": {"fstype": "nfs", "opts": ["noauto"]},
                "none": {"fstype": "swap", "opts": ["sw"]},
            },
        },
    )
    module._BOOT_ID = tmp_path / "boot_id"
    module._BOOT_ID.write_text("first\n")
    return module, commands, recorded


def test_a_reboot_is_detached_and_only_of_the_boot_that_was_meant(reboot):
    module, commands, recorded = reboot
    assert module.start("first", ["kernel: 1"]) is True and recorded == [True, ["kernel: 1"]]
    assert commands.lines()[-1].startswith("systemd-run") and commands.lines()[-1].endswith(
        "systemctl reboot"
    )
    before = len(commands.ran)
    assert module.start("earlier") is False and len(commands.ran) == before


def test_a_reboot_that_is_due_is_not_ordered_again(reboot):
    module, commands, recorded = reboot
    commands.answers["systemctl show"] = "active"
    assert module.start("first") is True and not recorded
    assert module.state()["settled"] is False


def test_a_boot_tells_what_is_not_in_order(reboot):
    state = reboot[0].state()
    assert (state["boot_id"], state["settled"]) == ("first", True)
    assert (state["failed"], state["unmounted"]) == (["a.service"], ["/srv"])


def test_the_wanted_kernel_is_the_newest_unless_it_was_dismissed(node):
    module = node()
    assert module.wanted_kernel() == "5.14.0-2.el9.x86_64"
    assert node(running="6.1.0-18-amd64").wanted_kernel() == ""
    lines = module.evidence()
    assert module.dismiss() == lines != []
    assert module.evidence() == [] and module.wanted_kernel() == ""
    assert module.without_effect() == lines
    module.forget()
    assert module.wanted_kernel() and module.evidence() == lines
    assert node(running="5.14.0-2.el9.x86_64").wanted_kernel() == "5.14.0-2.el9.x86_64"


class Machine:
    """A node's evidence as its own tools give it, and what reboots the node."""

    def __init__(self, module, folder):
        self.module, self._folder, self._boots = module, folder, 0
        self.is_so()

    def is_so(self, running=2, newest=2, unsafe=(), markers=(), packages=()):
        """running, newest: of kernels 0 to 3. unsafe: services. markers: names. packages: of dnf's hint."""
        installed = [f"5.14.0-{number}.el9" for number in range(newest + 1)]
        shown = "".join(f"  * {name}\n" for name in packages)
        self.module.__grains__["kernelrelease"] = f"5.14.0-{running}.el9.x86_64"
        self.module.__salt__ |= {
            "package_set.installed": lambda: {"kernel-core": installed},
            "stale_services.unsafe": lambda: list(unsafe),
            "cmd.run_all": Commands({"dnf": {"retcode": 1 if packages else 0, "stdout": shown}}),
        }
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for name in markers:
            (self._folder / name).touch()

    def boots(self, **so):
        self._boots += 1
        self.module._BOOT_ID.write_text(f"{self._boots}\n")
        self.is_so(**so)


@pytest.fixture
def machine(node, tmp_path):
    return Machine(node(), tmp_path / "reboot.d")


def test_what_is_left_of_a_reboot_s_reasons_is_known_though_its_engine_died(machine):
    module = machine.module
    machine.is_so(running=1, markers=["x"], unsafe=["dbus.service"])
    kernel, marker, libraries = lines = module.evidence()
    module.remember_asked([kernel, libraries])
    assert module.evidence() == lines and module.without_effect() == []
    machine.boots(running=1, markers=["x"])
    assert module.without_effect() == [kernel] and module.evidence() == [marker]
    machine.is_so(running=1, markers=["x"], unsafe=["dbus.service"])  # anew: the reboot had removed it
    assert module.evidence() == [marker, libraries]
    machine.boots(running=1, markers=["x"], unsafe=["dbus.service"])
    assert module.without_effect() == [kernel]


def test_what_a_reboot_did_not_remove_causes_no_other_until_it_changes(machine):
    module = machine.module
    machine.is_so(running=1, markers=["x"])
    before = module.evidence()
    module.remember_asked(before)
    machine.boots(running=1)
    assert module.remember_left(before) == before[:1]
    assert module.evidence() == [] and module.without_effect() == before[:1]
    machine.is_so(running=1, newest=3)
    assert len(module.evidence()) == 1 and module.without_effect() == []
    machine.is_so(running=1)
    module.forget()
    assert module.evidence() == before[:1]
    assert module.remember_left([]) == [] and not module._RECORD.exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"running": 0}, {"running": 1}),
        ({"unsafe": ["dbus.service", "auditd.service"]}, {"unsafe": ["auditd.service"]}),
        ({"markers": ["firmware", "raid"]}, {"markers": ["raid"]}),
        ({"packages": ["glibc", "systemd"]}, {"packages": ["systemd"]}),
    ],
)
@pytest.mark.parametrize("engine_lives", [True, False])
def test_what_is_left_in_other_words_is_left(machine, before, after, engine_lives):
    module = machine.module
    machine.is_so(**before)
    why = module.evidence()
    module.remember_asked(why)
    machine.boots(**after)
    assert not engine_lives or len(module.remember_left(why)) == 1
    assert module.evidence() == [] and len(module.without_effect()) == 1
    assert "running" not in before or module.wanted_kernel() == ""


def test_what_comes_beside_what_is_left_causes_a_reboot_by_itself(machine):
    module = machine.module
    machine.is_so(unsafe=["auditd.service"])
    module.remember_asked(module.evidence())
    machine.boots(unsafe=["auditd.service", "dbus.service"])
    assert module.evidence() == ["libraries: dbus.service"]
    assert module.without_effect() == ["libraries: auditd.service"]


def test_more_services_are_remembered_than_a_line_shows(machine):
    module = machine.module
    machine.is_so(unsafe=[f"{letter}.service" for letter in "abcdefgh"])
    module.remember_asked(module.evidence())
    machine.boots(unsafe=[f"{letter}.service" for letter in "abcdefg"])
    assert module.evidence() == [] and "and 2 more" in module.without_effect()[0]


def test_what_a_later_boot_removed_causes_another_when_it_comes_back(machine):
    module = machine.module
    machine.is_so(unsafe=["auditd.service"])
    module.dismiss()
    assert module.evidence() == []
    machine.boots()
    assert module.evidence() == []
    machine.is_so(unsafe=["auditd.service"])
    assert module.evidence() == ["libraries: auditd.service"]
