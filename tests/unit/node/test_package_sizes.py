"""package_sizes: the room that packages need, as apt's and dnf's own metadata say."""

from __future__ import annotations

from openstack_rollout.node import dnf_library, package_sizes
from tests.unit.loading import Commands

SHOWN = """\
Package: nova-api
Version: 2:29.0.1-1
Architecture: all
Installed-Size: 200
Size: 1000

Package: linux-image-6.1.0-2-amd64
Version: 6.1.2-1
Architecture: amd64
Installed-Size: 400000
Size: 60000000

"""
INSTALLED = "nova-api:all 150\nbash:amd64 6000\n"


def salt(**more):
    return {"cmd.run_all": Commands({"apt-cache show": SHOWN, "dpkg-query": INSTALLED, **more})}


def test_apts_packages_are_summed_with_room_for_the_largest_old_one(monkeypatch, tmp_path):
    monkeypatch.setattr(package_sizes, "ARCHIVES", tmp_path)
    moving = {"nova-api": "2:29.0.1-1", "linux-image-6.1.0-2-amd64": "6.1.2-1", "absent": "1"}
    asked = salt()
    found = package_sizes.needed(asked, moving, is_apt=True)
    assert found == {
        "count": 3,
        "fetch": 60_001_000,
        "grow": (50 + 400_000 + 150) * 1024,
        "kernel": True,
        "unknown": 1,
    }
    assert "nova-api=2:29.0.1-1" in asked["cmd.run_all"].ran[-1]
    (tmp_path / "nova-api_2%3a29.0.1-1_all.deb").touch()  # it was fetched before
    assert package_sizes.needed(salt(), moving, is_apt=True)["fetch"] == 60_000_000


def test_a_version_that_the_repository_has_beside_the_wanted_one_does_not_count():
    found = package_sizes.needed(salt(), {"nova-api": "2:29.0.2-1"}, is_apt=True)
    assert (found["fetch"], found["unknown"]) == (0, 1)


def test_dnfs_library_is_asked(monkeypatch):
    def ask(_, question):
        assert question == {"ask": "sizes", "packages": {"bash": "5-1"}}
        return {"packages": {"bash": [100, 700, 500]}}

    monkeypatch.setattr(dnf_library, "ask", ask)
    found = package_sizes.needed({}, {"bash": "5-1"}, is_apt=False)
    assert (found["fetch"], found["grow"], found["kernel"]) == (100, 700, False)


def test_where_nothing_moves_nobody_is_asked():
    assert package_sizes.needed({}, {}, is_apt=True)["count"] == 0
