"""The depth `security` with apt itself, on a root of its own, of two repositories, one of them security's."""

from __future__ import annotations

import email.utils
import hashlib
import os
import subprocess

import pytest

from tests.unit.loading import load

NAMES = ("bash", "libx", "tool", "held", "wants")
ARCH = subprocess.run(
    ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
).stdout.strip()


class Root:
    """A root folder for apt, and the module that asks it."""

    def __init__(self, home):
        self.home = home
        for folder in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "log"):
            (home / folder).mkdir(parents=True)
        (home / "apt.conf").write_text(
            f'Dir::State "{home}/state";\nDir::State::status "{home}/status";\nDir::Cache "{home}/cache";\n'
            f'Dir::Etc "{home}/etc";\nDir::Log "{home}/log";\nAcquire::Languages "none";\n'
        )
        (home / "etc/sources.list").touch()

    def run(self, command, env=None, **_):
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {}), "APT_CONFIG": str(self.home / "apt.conf")},
            capture_output=True,
            text=True,
            check=False,
        )
        return {"retcode": done.returncode, "stdout": done.stdout, "stderr": done.stderr, "pid": 1}

    def installed(self, *packages, held=()):
        """What dpkg has: (name, version)."""
        (self.home / "status").write_text(
            "\n".join(
                f"Package: {name}\nStatus: {'hold' if name in held else 'install'} ok installed\n"
                f"Maintainer: x\nArchitecture: {ARCH}\nVersion: {version}\nDescription: x\n"
                for name, version in packages
            )
        )

    def offer(self, label, suite, packages):
        """A repository: (name, version, Depends)."""
        place = self.home / label
        place.mkdir(exist_ok=True)
        (self.home / "etc/sources.list").open("a").write(f"deb [trusted=yes] file:{place} ./\n")
        listing = "\n".join(
            f"Package: {name}\nMaintainer: x\nArchitecture: {ARCH}\nVersion: {version}\n"
            f"{f'Depends: {depends}' if depends else 'Section: x'}\nFilename: ./{name}_{version}.deb\n"
            f"Size: 1\nSHA256: {'0' * 64}\nDescription: x\n"
            for name, version, depends in packages
        ).encode()
        (place / "Packages").write_bytes(listing)
        (place / "Release").write_text(
            f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nVersion: 12\n"
            f"Date: {email.utils.formatdate(usegmt=True)}\n"
            f"SHA256:\n {hashlib.sha256(listing).hexdigest()} {len(listing)} Packages\n"
        )
        done = self.run(["apt-get", "update"])
        assert done["retcode"] == 0, done

    def plan(self, depth, exclude=()):
        salt = {
            "cmd.run_all": self.run,
            "package_set.installed": lambda: {name: ["1"] for name in NAMES},
            "minion_package.masters": dict,
        }
        module = load("modules", "system_packages", salt=salt, grains={"os_family": "Debian"})
        module._RUN, module._PREFERENCES = self.home / "run", self.home / "run/preferences"
        module._OPERATORS_PREFERENCES = self.home / "etc/preferences"
        module._LISTS, module._DECISIVE = self.home / "state/lists", {"Debian": ()}
        module._REMEMBERED = self.home / "remembered"
        return module.plan(depth, list(exclude))


@pytest.fixture
def root(tmp_path):
    found = Root(tmp_path)
    found.installed(*((name, "1") for name in NAMES), held=("held",))
    found.offer("Debian", "stable", [("bash", "3", ""), ("tool", "2", ""), ("new", "1", "")])
    found.offer(
        "Debian-Security",
        "stable-security",
        [("bash", "2", ""), ("libx", "2", ""), ("held", "2", ""), ("wants", "2", "new")],
    )
    return found


def test_only_what_comes_from_the_repository_of_security_moves(root):
    assert root.plan("upgrade")["upgrade"] == {"bash": "3", "libx": "2", "tool": "2"}
    found = root.plan("security")
    assert found["upgrade"] == {"bash": "2", "libx": "2"}, (
        "to the version that security has, not to a newer one"
    )
    assert (found["install"], found["remove"]) == ({}, [])
    assert found["stays"] == {
        "held": {"version": "2", "cause": "hold", "by": ""},
        "wants": {"version": "2", "cause": "dependencies", "by": ""},
    }
    assert found["held"] == {"held": "2"}
    assert root.plan("security", ["libx"])["upgrade"] == {"bash": "2"}


def test_what_has_moved_is_not_told_again(root):
    root.installed(*((name, "2") for name in ("bash", "libx", "held")), ("tool", "1"))
    found = root.plan("security")
    assert found["upgrade"] == {} and found["stays"] == {}
    assert root.plan("upgrade")["upgrade"] == {"bash": "3", "tool": "2"}


def test_what_an_operators_pin_prefers_from_elsewhere_does_not_move(root):
    (root.home / "etc/preferences").write_text("Package: tool\nPin: release l=Debian\nPin-Priority: 990\n")
    assert root.plan("security")["upgrade"] == {"bash": "2", "libx": "2"}


def test_a_suite_of_another_distributions_security_counts_too(tmp_path):
    root = Root(tmp_path)
    root.installed(("bash", "1"), ("tool", "1"))
    root.offer("Ubuntu", "noble-updates", [("tool", "2", "")])
    root.offer("Ubuntu-2", "noble-security", [("bash", "2", "")])
    assert root.plan("security")["upgrade"] == {"bash": "2"}
