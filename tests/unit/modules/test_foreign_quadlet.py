"""foreign_quadlet: whose quadlet a container's is, and what of the file stays as somebody else wrote it."""

from __future__ import annotations

import pytest

from tests.unit.loading import load

NAME, UNIT = "nova_compute", "edpm_nova_compute.service"
QUADLET = "[Container]\nContainerName={name}\nImage={image}\n"
RUNS = {"running": True, "image_id": "id-new", "labels": {"PODMAN_SYSTEMD_UNIT": UNIT}}


@pytest.fixture
def node(tmp_path):
    class Node:
        folder, did, there = tmp_path, [], {NAME: RUNS}

        def __init__(self):
            salt = {
                "podman.containers": lambda known: self.there,
                "podman.container": self.there.get,
                "podman.image_ids": lambda images: {"new": "id-new"},
                "quadlet.reload": lambda: self.did.append("reload"),
                "quadlet.restart": lambda unit: self.did.append(f"restart {unit}"),
            }
            self.module = load("modules", "foreign_quadlet", salt=salt)
            self.module._FOLDERS = (tmp_path,)

        def write(self, name, image="old", container=NAME, more=""):
            file = self.folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes((QUADLET.format(name=container, image=image) + more).encode("latin-1"))
            return file

    return Node()


def test_a_container_belongs_to_the_quadlet_whose_unit_runs_it(node):
    node.write("edpm_nova_compute.container")
    node.write("nova_compute.container", image="left over")
    (node.folder / "users").mkdir()
    node.write("users/zz.container", image="of another user")
    assert node.module.carried()[NAME]["unit"] == UNIT
    node.there = {NAME: {**RUNS, "labels": {}}}  # a command line's, beside both files
    assert node.module.carried() == {}


def test_a_unit_may_have_a_name_of_its_own(node):
    node.there = {}
    node.write("x.container", more="ServiceName=nova\n")
    assert node.module.carried()[NAME]["unit"] == "nova.service"


def test_a_file_that_its_deployer_has_written_meanwhile_stays(node):
    file = node.write("edpm_nova_compute.container", image="newer", more="# caf\xe9\n")
    token = {"unit": UNIT, "file": str(file), "was": "old", "image": "new", "definition": {}}
    node.module.put_back(NAME, token)
    assert b"Image=newer" in file.read_bytes() and node.did == [f"restart {UNIT}"]
    before = node.write("edpm_nova_compute.container", image="new", more="# caf\xe9\n").read_bytes()
    node.module.put_back(NAME, token)
    assert file.read_bytes() == before.replace(b"Image=new", b"Image=old")
