"""The generator is asked about a file beside all that the node has, whatever lies among its quadlets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openstack_rollout.node import quadlet_generator
from openstack_rollout.node.errors import NodeError

TEXT = "[Container]\nImage=new\n"


@pytest.fixture
def node(tmp_path, monkeypatch):
    """The folder of quadlets, how a unit is asked for, and the files that the generator was given."""
    folder, program = tmp_path / "etc" / "systemd", tmp_path / "quadlet"
    folder.mkdir(parents=True)
    program.touch()
    monkeypatch.setattr(quadlet_generator, "FOLDER", folder)
    monkeypatch.setattr(quadlet_generator, "_PROGRAMS", (str(program),))
    seen = {}

    def generator(command, env, **options):
        given = Path(env["QUADLET_UNIT_DIRS"].split(":")[0])
        seen.update(
            {str(one.relative_to(given)): one.read_text() for one in given.rglob("*.*") if one.is_file()}
        )
        made = [f"---{Path(name).stem}.service---\n{text}" for name, text in seen.items()]
        return {"retcode": 0, "stdout": "\n".join(made), "stderr": ""}

    def unit(name="nova.container"):
        return quadlet_generator.unit_of({"cmd.run_all": generator}, folder / name, TEXT)

    return folder, unit, seen


def test_a_file_is_seen_beside_those_that_are_there_and_none_changes(node):
    folder, unit, seen = node
    (folder / "nova.container").write_text("old")
    (folder / "nova.container.d").mkdir()
    (folder / "nova.container.d" / "10.conf").write_text("dropped in")
    assert "Image=new" in unit()
    assert seen == {"nova.container": TEXT, "nova.container.d/10.conf": "dropped in"}
    assert (folder / "nova.container").read_text() == "old"


def circle(folder):
    for one, other in (("a.d", "b.d"), ("b.d", "a.d")):
        (folder / one).mkdir()
        (folder / one / "other.d").symlink_to(f"../{other}")


@pytest.mark.parametrize(
    "put",
    [
        lambda folder: os.mkfifo(folder / "odd.container"),
        lambda folder: (folder / "odd.container").symlink_to("odd.container"),
        lambda folder: (folder / "odd.container").symlink_to("nowhere"),
        lambda folder: (folder / "loop.d").symlink_to("."),
        lambda folder: (folder / "up.d").symlink_to(".."),
        circle,
    ],
)
def test_what_is_no_file_and_links_in_a_circle_are_left_out(node, put):
    folder, unit, seen = node
    put(folder)
    assert "Image=new" in unit() and list(seen) == ["nova.container"]


def test_quadlets_that_are_links_are_seen_and_what_they_lead_to_stays(node, tmp_path):
    folder, unit, seen = node
    elsewhere = tmp_path / "opt"
    elsewhere.mkdir()
    for name in ("nova.container", "net.network"):
        (elsewhere / name).write_text("theirs")
    (folder / "net.network").symlink_to("../../opt/net.network")
    (folder / "site.d").symlink_to("../../opt")
    assert "Image=new" in unit("site.d/nova.container")
    assert seen["net.network"] == "theirs" and seen["site.d/net.network"] == "theirs"
    assert (elsewhere / "nova.container").read_text() == "theirs"


def test_a_folder_that_cannot_be_copied_is_named(node, monkeypatch):
    folder, unit, _ = node

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (folder / "nova.container").write_text("old")
    monkeypatch.setattr(quadlet_generator.shutil, "copytree", full)
    with pytest.raises(NodeError, match=r"^DEFINITION_REFUSED: .*nova\.container: .*No space left"):
        unit()
