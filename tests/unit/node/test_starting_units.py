"""Which unit starts a container by its name."""

from __future__ import annotations

import pytest

from openstack_rollout.node import starting_units


@pytest.fixture
def folders(tmp_path, monkeypatch):
    found = tuple(tmp_path / name for name in ("etc", "run", "usr"))
    for folder in found:
        folder.mkdir()
    monkeypatch.setattr(starting_units, "FOLDERS", found)
    return found


def write(folder, name, command):
    (folder / f"{name}.service").write_text(
        f"# a unit\n[Unit]\nAfter=a.service\nAfter=b.service\n[Service]\nExecStart={command}\nRestart=no\n"
    )


@pytest.mark.parametrize(
    ("command", "container"),
    [
        ("/usr/bin/podman start nova_compute", "nova_compute"),
        ("/usr/bin/podman start -a nova_compute", "nova_compute"),
        ("-/usr/bin/podman container start --attach nova_compute", "nova_compute"),
        ("/usr/libexec/tripleo-start-podman-container nova_compute", "nova_compute"),
        ("/usr/libexec/tripleo-start-podman-container", None),
        ("/usr/bin/podman run --name nova_compute image", None),
        ("/usr/bin/podman start one two", None),
        ("/usr/bin/docker start nova_compute", None),
        ("/bin/sh -c 'podman start nova_compute'", None),
        ("/usr/bin/podman 'unclosed", None),
        ("", None),
    ],
)
def test_a_command(folders, command, container):
    write(folders[0], "x", command)
    assert starting_units.of({}, "podman") == ({container: "x.service"} if container else {})


def test_the_administrators_file_wins_and_what_is_masked_starts_nothing(folders):
    etc, run, usr = folders
    write(etc, "x", "/usr/bin/podman start a")
    write(usr, "x", "/usr/bin/podman start b")
    write(run, "y", "/usr/bin/podman start c")
    (etc / "z.service").symlink_to("/dev/null")
    write(usr, "z", "/usr/bin/podman start d")
    (etc / "broken.service").write_text("no unit\n")
    assert starting_units.of({}, "podman") == {"a": "x.service", "c": "y.service"}


def test_a_drop_in_has_the_last_word(folders):
    etc, _run, _ = folders
    write(etc, "x", "/usr/bin/podman start a")
    write(etc, "y", "/usr/bin/podman start \\\n  c")
    (etc / "x.service.d").mkdir()
    (etc / "x.service.d" / "override.conf").write_text(
        "[Service]\nExecStart=\nExecStart=/usr/bin/podman start b\n"
    )
    assert starting_units.of({}, "podman") == {"b": "x.service", "c": "y.service"}


@pytest.mark.parametrize(
    ("states", "unit"), [("inactive\nactive", "tripleo"), ("inactive\nfailed", "container")]
)
def test_of_two_units_the_active_one_counts(folders, states, unit):
    for name in ("container-keystone", "tripleo_keystone"):
        write(folders[0], name, "/usr/bin/podman start keystone")
    salt = {"cmd.run_all": lambda command, **_: {"retcode": 3, "stdout": states, "stderr": ""}}
    (found,) = starting_units.of(salt, "podman").values()
    assert found.startswith(unit)
