"""package_lock: a lock that another process holds is named, and waited for no longer than is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import load

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX);"
    " print(1, flush=True); input()"
)


@pytest.fixture
def lock(tmp_path):
    module = load("modules", "package_lock", grains={"os_family": "Debian"})
    path = tmp_path / "lock"
    path.touch()
    module._FILES = {"Debian": (str(path), str(tmp_path / "absent"))}
    module._PID_FILES = {"Debian": (str(tmp_path / "pid"),)}
    return module, path


def test_a_free_lock_is_not_waited_for(lock):
    assert lock[0].holders() == [] and lock[0].wait(1) < 1


def test_a_lock_that_is_held_for_ever_is_named_with_its_holder(lock):
    module, path = lock
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=-1, stdout=-1, text=True) as other:
        other.stdout.readline()
        with pytest.raises(
            CommandExecutionError, match=rf"^PACKAGE_LOCKED: for 0 s {path} by python.* \({other.pid}\)"
        ):
            module.wait(0)
        other.communicate("\n")
    assert module.wait(0) < 1


def test_a_pid_file_counts_while_its_process_lives(lock, tmp_path):
    module, _ = lock
    (tmp_path / "pid").write_text("999999999")
    assert module.holders() == []
    (tmp_path / "pid").write_text("1")
    assert len(module.holders()) == 1


def test_a_pid_file_that_is_older_than_its_process_is_nobodys_and_goes(lock, tmp_path):
    module, _ = lock
    left = tmp_path / "pid"
    left.write_text(str(os.getpid()))
    assert len(module.holders()) == 1
    with pytest.raises(CommandExecutionError, match=r"^PACKAGE_LOCKED"):
        module.wait(0)
    os.utime(left, (1, 1))
    assert module.holders() == [] and module.wait(0) < 1
    assert not left.exists()


@pytest.mark.parametrize(
    ("command", "stays"),
    [
        (["/usr/bin/python3.9", "-s", "/usr/bin/dnf", "--assumeyes", "install", "bash"], True),
        (["/usr/libexec/packagekitd"], True),
        (["/usr/libexec/platform-python", "-I", "/var/cache/salt/ask_dnf.py"], True),
        (["/usr/sbin/httpd", "-k", "start", "-f", "/etc/dnf"], False),
        (["/usr/sbin/sshd"], False),
    ],
)
def test_a_package_manager_that_lives_keeps_its_file_whatever_the_clock_says(lock, tmp_path, command, stays):
    module, _ = lock
    process = tmp_path / "proc/7"
    process.mkdir(parents=True)
    fields = " ".join(str(field) for field in range(3, 22))
    (process / "stat").write_text(f"7 (name) {fields} 999999999\n")
    (process / "comm").write_text("name\n")
    (process / "cmdline").write_text("\0".join([*command, ""]))
    module._PROC = tmp_path / "proc"
    left = tmp_path / "pid"
    left.write_text("7")
    if not stays:
        module.wait(0)
    else:
        with pytest.raises(CommandExecutionError, match=r"^PACKAGE_LOCKED: .* by name \(7\)"):
            module.wait(0)
    assert left.exists() is stays


def test_the_pillar_says_how_long(lock):
    assert lock[0].patience() == 300
    lock[0].__pillar__ = {"openstack_node": {"lock_timeout": 5}}
    assert lock[0].patience() == 5
