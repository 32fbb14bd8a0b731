"""package_repair: what a killed transaction left, and how it is mended."""

from __future__ import annotations

import os

import pytest

from openstack_rollout.node import dnf_library, held_services
from openstack_rollout.node.errors import NodeError
from tests.unit.loading import Commands, load

QUERY = "dpkg-query --show"
ARCHES = {"RedHat": "x86_64", "Debian": "amd64"}


def package(name, version, arch="noarch"):
    return {"name": name, "arch": arch, "version": version, "nevra": f"{name}-{version}.{arch}"}


OLD, NEW = package("bash", "5-1"), package("bash", "5-2")
KERNEL = package("kernel-core", "5.14-2", "x86_64")


class Rpm:
    """A node with dnf, whose library answers of what it has; a transaction mends all, or nothing."""

    def __init__(self, plan=None, works=True):
        self.doubles, self.half = [[OLD, NEW]], [NEW, KERNEL]
        self.plan, self.works, self.asked = plan or {}, works, []

    def ask(self, salt, question):
        self.asked.append(question)
        if question["ask"] == "state":
            return {"doubles": self.doubles, "half": self.half}
        return {"comes": [], "removed": {}, "missing": [], **self.plan}

    def dnf(self, command, **options):
        if self.works and "dnf" in command:
            self.held = os.environ.get("SYSTEMD_OFFLINE")
            self.doubles, self.half = [], []
        return {"retcode": 0, "stdout": "", "stderr": "", "pid": 1}


@pytest.fixture
def repair(tmp_path, monkeypatch):
    for name in ("POLICY", "OPERATORS_POLICY", "_DPKG_LOCK"):
        monkeypatch.setattr(held_services, name, tmp_path / name.lower())

    def make(commands, family="RedHat", locked="", ask=None):
        def wait(timeout=None):
            if locked:
                raise NodeError("PACKAGE_LOCKED", locked)

        salt = {
            "cmd.run_all": commands,
            "bootc.status": lambda: None,
            "package_lock.wait": wait,
            "package_lock.patience": lambda: 300.0,
            "package_set.installed": lambda fresh=False: {"bash": ["5-2"]},
            "system_packages.refresh": lambda: True,
        }
        monkeypatch.setattr(dnf_library, "ask", ask)
        module = load(
            "modules", "package_repair", salt=salt, grains={"os_family": family, "osarch": ARCHES[family]}
        )
        module._RUN = tmp_path
        module._REMEMBERED, module._SCRIPT = tmp_path / "state.json", tmp_path / "script"
        module._DATABASES = (f"{tmp_path}/none",)
        return module

    return make


def test_doubles_and_what_has_no_end_are_found(repair):
    rpm = Rpm()
    found = repair(rpm.dnf, ask=rpm.ask).found()
    assert found["doubles"] == {"bash": ["5-1", "5-2"]} and found["unknown"] == ""
    assert found["half"] == {"bash": "5-2", "kernel-core": "5.14-2"}


def test_what_a_package_manager_does_at_this_moment_is_not_taken_for_dead(repair):
    rpm = Rpm()
    module = repair(rpm.dnf, locked="dnf (7)", ask=rpm.ask)
    assert "dnf (7)" in module.found()["unknown"] and rpm.asked == []
    with pytest.raises(NodeError) as refused:
        module.due("system")
    assert refused.value.reason == "PACKAGE_FAILED"


def test_each_stage_mends_its_own(repair):
    rpm = Rpm()
    module = repair(rpm.dnf, ask=rpm.ask)
    assert list(module.due("system")) == ["bash", "kernel-core"]
    assert list(module.due("services", ["bash"])) == ["bash"]
    assert list(module.due("system", (), ["kernel*"])) == ["bash"]


def test_the_older_one_goes_and_the_newest_is_installed_again_in_one_transaction(repair, tmp_path):
    rpm = Rpm()
    module = repair(rpm.dnf, ask=rpm.ask)
    changes = module.mend(["bash", "kernel-core"], exclude=["openvswitch*"])
    assert rpm.held == "1"
    assert changes["bash"] == {"old": "5-1, 5-2", "new": "5-2"}
    assert (tmp_path / "script").read_text().splitlines() == [
        "remove bash-5-1.noarch",
        "reinstall bash-5-2.noarch kernel-core-5.14-2.x86_64",
        "run",
    ]
    asked = next(one for one in rpm.asked if one["ask"] == "resolve")
    assert asked["exclude"] == ["openvswitch*"] and asked["erase"] == ["bash-5-1.noarch"]


def test_somebody_else_may_mend_them(repair):
    rpm = Rpm()
    module = repair(rpm.dnf, ask=rpm.ask)
    (command,) = module.commands_to_mend(["bash", "whole"])
    assert command[0] == "dnf" and command[-2:] == ["shell", str(module._SCRIPT)]
    assert rpm.doubles and module.commands_to_mend(["whole"]) == []


def test_it_is_refused_when_another_package_would_go(repair, tmp_path):
    tuned = package("tuned", "1") | {"by": ""}
    rpm = Rpm({"removed": {"tuned-1.noarch": tuned}})
    with pytest.raises(NodeError) as refused:
        repair(rpm.dnf, ask=rpm.ask).mend(["bash"])
    assert refused.value.reason == "PACKAGE_REMOVAL" and "tuned" in refused.value.text
    assert not (tmp_path / "script").exists()


def test_a_newer_one_mends_what_no_repository_has_any_more(repair, tmp_path):
    rpm = Rpm({"missing": [NEW["nevra"]], "comes": [package("bash", "5-3")]})
    repair(rpm.dnf, ask=rpm.ask).mend(["bash"])
    lines = (tmp_path / "script").read_text().splitlines()
    assert lines == ["upgrade bash.noarch", "run"]


@pytest.mark.parametrize(
    ("plan", "works"),
    [({"missing": [NEW["nevra"]]}, True), ({"problem": "x", "needs": {}}, True), ({}, False)],
)
def test_what_stays_half_installed_is_a_failure(repair, plan, works):
    rpm = Rpm(plan, works)
    with pytest.raises(NodeError) as refused:
        repair(rpm.dnf, ask=rpm.ask).mend(["bash"])
    assert refused.value.reason == "PACKAGE_FAILED"


class Dpkg(Commands):
    """A node with dpkg: each package's flag and status, which a command of these words mends."""

    def __init__(self, rows, by="", answers=None):
        super().__init__(answers)
        self.rows, self.by = rows, by

    def __call__(self, command, **options):
        if self.by and self.by in command:
            self.rows = {name: ("ok", "installed") for name in self.rows}
        if command[0] == "dpkg-query":
            form = command[-1].removeprefix("--showformat=").replace("\\t", "\t").replace("\\n", "\n")
            self.answers[QUERY] = "".join(self.row(form, *one) for one in self.rows.items())
        return super().__call__(command, **options)

    def row(self, form, called, how):
        """A package, "name" or "name:architecture", as dpkg-query prints it."""
        name, _, arch = called.partition(":")
        fields = {"${binary:Package}": called, "${Package}": name, "${Architecture}": arch or "all"}
        fields |= {"${Version}": "1-1", "${db:Status-Want}": "install"}
        fields |= dict(zip(("${db:Status-Eflag}", "${db:Status-Status}"), how, strict=True))
        for field, value in fields.items():
            form = form.replace(field, value)
        return form


HALF = {"curl": ("ok", "half-configured"), "bash": ("ok", "installed"), "wget": ("reinstreq", "installed")}


def test_dpkg_configures_what_it_unpacked(repair):
    dpkg = Dpkg(HALF, by="--configure")
    module = repair(dpkg, "Debian")
    assert module.found()["half"] == {"curl": "1-1", "wget": "1-1"}
    module.mend(["curl", "wget"])
    assert not any("apt-get" in line for line in dpkg.lines())
    assert "dpkg --audit curl wget" in dpkg.lines()


def test_apt_installs_again_what_is_not_whole_after_it_was_simulated(repair):
    dpkg = Dpkg(HALF, by="--yes", answers={"apt-get --quiet --simulate": "Inst curl [1-1] (1-1 lab)\n"})
    repair(dpkg, "Debian").mend(["curl", "wget"])
    words = [line.split() for line in dpkg.lines()]
    assert any("--simulate" in line for line in words) and any("--fix-broken" in line for line in words)


def test_what_apt_passes_over_is_installed_again_by_name(repair):
    """A package that dpkg wants unpacked again, and nothing else: to fix what is broken is to do nothing."""
    dpkg = Dpkg({"curl": ("reinstreq", "half-installed"), "bash": ("ok", "installed")}, by="--reinstall")
    repair(dpkg, "Debian").mend(["curl"])
    ran = [line for line in dpkg.lines() if "apt-get" in line and "--simulate" not in line]
    assert ["--fix-broken" in line for line in ran] == [True, False]
    assert all("--no-remove" in line for line in ran) and ran[-1].endswith("--reinstall install curl")


def test_of_several_that_are_unpacked_the_one_that_dpkg_wants_again_is_installed_again(repair):
    """apt has no file name for the others: it would do nothing at all."""
    rows = {"api": ("ok", "unpacked"), "common": ("ok", "unpacked"), "code": ("reinstreq", "unpacked")}
    dpkg = Dpkg(rows, by="--reinstall")
    repair(dpkg, "Debian").mend(["api", "code", "common"])
    assert [line for line in dpkg.lines() if "--yes" in line][-1].endswith("--reinstall install code")


@pytest.mark.parametrize(
    ("row", "exclude"),
    [
        ("Remv tuned [1]", ()),
        ("Inst kernel [1] (2 lab)", ("kernel*",)),
        ("Inst openvswitch-switch (2 lab)", ()),
    ],
)
def test_apt_may_remove_nothing_and_leaves_what_is_excluded(repair, row, exclude):
    dpkg = Dpkg(HALF, by="--yes", answers={"apt-get --quiet --simulate": f"{row}\n"})
    with pytest.raises(NodeError) as refused:
        repair(dpkg, "Debian").mend(["curl"], exclude=exclude)
    assert refused.value.reason == "PACKAGE_REMOVAL"
    assert not any("--yes" in line for line in dpkg.lines())


def test_each_package_has_the_name_that_salt_gives_it(repair):
    """What may be there for several architectures is named with its own by dpkg, and by it alone."""
    half = ("ok", "half-configured")
    module = repair(Dpkg({"librados2:amd64": half, "libold:i386": half, "curl": half}), "Debian")
    assert module.found()["half"] == {"librados2": "1-1", "libold:i386": "1-1", "curl": "1-1"}
    assert list(module.due("services", ["librados2"])) == ["librados2"]
    assert list(module.due("system", (), ["librados2", "libold"])) == ["curl"]


def test_somebody_else_mends_with_apt_what_was_simulated(repair):
    dpkg = Dpkg({"salt-minion": ("ok", "half-configured")})
    first, then = repair(dpkg, "Debian").commands_to_mend(["salt-minion"])
    assert first == ["dpkg", "--force-confold", "--configure", "--pending"]
    assert "--no-remove" in then and then[-4:] == ["--fix-broken", "--reinstall", "install", "salt-minion"]
    assert "apt-get --quiet --simulate --fix-broken --reinstall install salt-minion" in dpkg.lines()


@pytest.mark.parametrize(
    ("more", "simulated", "reason"),
    [
        ({"openvswitch-switch": ("ok", "half-configured")}, "", "PACKAGE_FAILED"),
        ({}, "Remv oldthing [1]\n", "PACKAGE_REMOVAL"),
        ({}, "Inst excluded [1] (2 lab)\n", "PACKAGE_REMOVAL"),
    ],
)
def test_nobody_else_is_given_what_apt_may_not_do(repair, more, simulated, reason):
    rows = {"salt-minion": ("ok", "half-configured"), **more}
    module = repair(Dpkg(rows, answers={"apt-get --quiet --simulate": simulated}), "Debian")
    with pytest.raises(NodeError) as refused:
        module.commands_to_mend(["salt-minion"], ["excl*"])
    assert refused.value.reason == reason


def test_nothing_moves_by_apt_while_the_switch_is_half_installed(repair):
    module = repair(
        Dpkg({"salt-minion": ("ok", "installed"), "openvswitch-switch": ("ok", "unpacked")}), "Debian"
    )
    with pytest.raises(NodeError, match="run the stage ovs before"):
        module.commands_to_mend(["salt-minion"])


def test_what_dpkg_still_finds_wrong_is_a_failure(repair):
    dpkg = Dpkg(HALF, by="--configure", answers={"dpkg --audit": "curl is missing its list of files"})
    with pytest.raises(NodeError) as refused:
        repair(dpkg, "Debian").mend(["curl"])
    assert refused.value.reason == "PACKAGE_FAILED"


def test_the_switch_is_finished_by_its_own_stage_alone(repair):
    dpkg = Dpkg({"openvswitch-switch": ("ok", "unpacked")}, by="--configure")
    module = repair(dpkg, "Debian")
    with pytest.raises(NodeError) as refused:
        module.finish_dpkg()
    assert refused.value.reason == "PACKAGE_FAILED" and not any("--configure" in one for one in dpkg.ran)
    module.finish_dpkg(switch=True)
    assert any("--configure" in one for one in dpkg.ran)


def test_nothing_half_done_is_no_command(repair):
    dpkg = Dpkg({"bash": ("ok", "installed"), "gone": ("ok", "config-files")})
    repair(dpkg, "Debian").finish_dpkg()
    assert [line.split()[0] for line in dpkg.lines()] == ["dpkg-query"]
