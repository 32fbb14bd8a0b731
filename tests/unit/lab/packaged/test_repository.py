"""A package of the lab once more as a newer one: real dpkg-deb, what others need of it moves along."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab.packaged import repository

_CONTROL = """\
Package: nova-api
Version: 2:26.2-1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Depends: nova-common (= 2:26.2-1), python3-nova:any (= 2:26.2-1), python3-other (= 2:26.2-1), adduser
Breaks: nova-old (= 1)
Description: an API
"""
NEWER = {"nova-api": "2:26.2-1+lab1", "nova-common": "2:26.2-1+lab1", "python3-nova": "2:26.2-1+lab1"}


def original(place: Path) -> Path:
    tree = place / "tree"
    (tree / "DEBIAN").mkdir(parents=True, mode=0o755)
    (tree / "DEBIAN/control").write_text(_CONTROL)
    (tree / "DEBIAN/postinst").write_text("#!/bin/sh\nexit 0\n")
    (tree / "DEBIAN/postinst").chmod(0o755)
    (tree / "etc").mkdir()
    (tree / "etc/nova.conf").write_text("old\n")
    subprocess.run(
        ["dpkg-deb", "--build", tree, place / "nova-api_26.2-1_all.deb"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return place / "nova-api_26.2-1_all.deb"


def field(deb: Path, name: str) -> str:
    shown = subprocess.run(["dpkg-deb", "--field", deb, name], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def test_it_is_newer_and_needs_the_newer_ones_of_those_that_are_made_with_it(tmp_path):
    made = repository.rebuild(original(tmp_path), tmp_path, NEWER, tmp_path / "scratch")
    assert field(made, "Version") == "2:26.2-1+lab1"
    depends = field(made, "Depends").split(", ")
    assert depends[:2] == ["nova-common (= 2:26.2-1+lab1)", "python3-nova:any (= 2:26.2-1+lab1)"]
    assert depends[2:] == ["python3-other (= 2:26.2-1)", "adduser"]
    assert field(made, "Breaks") == "nova-old (= 1)"


def test_it_has_its_original_s_scripts_and_files_and_says_that_it_is_new(tmp_path):
    def edit(tree: Path) -> None:
        (tree / "etc/nova.conf").write_text("new\n")

    made = repository.rebuild(
        original(tmp_path), tmp_path, NEWER, tmp_path / "scratch", edit, Conflicts="curl"
    )
    subprocess.run(["dpkg-deb", "--raw-extract", made, tmp_path / "out"], check=True)
    assert (tmp_path / "out/DEBIAN/postinst").read_text() == "#!/bin/sh\nexit 0\n"
    assert (tmp_path / "out/etc/nova.conf").read_text() == "new\n"
    marker = tmp_path / "out" / repository.MARKERS.lstrip("/") / "nova-api"
    assert marker.read_text() == "2:26.2-1+lab1\n"
    assert field(made, "Conflicts") == "curl"


def test_the_index_lists_each_package_with_its_size_and_checksum(tmp_path):
    deb = original(tmp_path)
    repository.rebuild(deb, tmp_path, NEWER, tmp_path / "scratch")
    repository.index(tmp_path)
    stanzas = (tmp_path / "Packages").read_text().strip().split("\n\n")
    assert [stanza.splitlines()[1] for stanza in stanzas] == ["Version: 2:26.2-1", "Version: 2:26.2-1+lab1"]
    assert f"Size: {deb.stat().st_size}" in stanzas[0]
