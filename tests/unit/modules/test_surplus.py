"""surplus: what a node removes when it is told what is needed, and what it never does."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.declared import surplus as form
from openstack_rollout.node import cached_packages, kept_images, kept_packages, stored_images
from openstack_rollout.node.errors import NodeError
from tests.unit.image_volumes import Volumes
from tests.unit.loading import load

R = "registry.example:5000/os/nova"
D = {name: f"sha256:{name * 64}" for name in "abcdef"}


class Node:
    """podman with images that share a layer, and a package manager's cache."""

    def __init__(self, place, family="RedHat"):
        self.place, self.family = place, family
        self.images = {}  # id → names
        self.containers = {}  # name → image id
        self.refuses = {}  # id → what podman says
        self.layers = {}
        self.ran = []
        self.installed = {"bash": ["5.2"]}
        self.locked = 0
        self.volumes = Volumes()
        self.elsewhere = ""  # the id of an image that another store has

    def run(self, command, **_):
        self.ran.append(command)
        answer = {"retcode": 0, "stdout": "", "stderr": "", "pid": 1}
        if self.volumes.knows(command):
            return self.volumes.run(command)
        if command[:2] == ["podman", "info"]:
            return answer | {"stdout": json.dumps({"store": {"graphRoot": str(self.place)}})}
        if command[:3] == ["podman", "image", "rm"]:
            if command[3] in self.volumes.held:
                return answer | {"retcode": 2, "stderr": "image is in use by a container"}
            if said := self.refuses.get(command[3]):
                return answer | {"retcode": 2, "stderr": said}
            if len(self.images[command[3]]) > 1:
                return answer | {"retcode": 125, "stderr": "with more than one tag, use force"}
            del self.images[command[3]]
        elif command[:2] == ["podman", "untag"]:
            self.images[command[2]] = ["<none>"]
        elif command[0] == "rpm":
            name, version = command[-1].rsplit("/", 1)[-1].removesuffix(".x86_64.rpm").split("-", 1)
            return answer | {"stdout": f"{name}\t{version}\tx86_64"}
        else:
            raise AssertionError(command)
        return answer

    def write_layers(self):
        for part, entries in (
            ("images", [{"id": one, "layer": f"top-{one}"} for one in self.images if one != self.elsewhere]),
            (
                "layers",
                [
                    {"id": "base", "diff-size": 100},
                    *({"id": f"top-{one}", "parent": "base", "diff-size": 10} for one in self.images),
                ],
            ),
        ):
            folder = self.place / f"overlay-{part}"
            folder.mkdir(exist_ok=True)
            (folder / f"{part}.json").write_text(json.dumps(entries))

    def wait(self):
        self.locked += 1

    def prune(self, keep=(), known=(R,), packages=None, test=False):
        self.write_layers()
        salt = {
            "cmd.run_all": self.run,
            "podman.containers": lambda known=False: {
                name: {"image_id": image, "running": False} for name, image in self.containers.items()
            },
            "podman.named_images": lambda known=False: {
                name: image for image, names in self.images.items() for name in names
            },
            "package_set.installed": lambda: self.installed,
            "package_lock.wait": self.wait,
            "pkg.version_cmp": lambda one, other: (one > other) - (one < other),
        }
        grains = {"os_family": self.family, "osarch": "x86_64" if self.family == "RedHat" else "amd64"}
        module = load("modules", "surplus", salt=salt, grains=grains)
        told = module.prune(list(keep), list(known), packages, test)
        return form.read("cmp1", json.loads(json.dumps(told)))

    def removed(self):
        return [command for command in self.ran if {"rm", "untag"} & set(command)]

    def hold(self, run, *images):
        for image in images:
            labels = {kept_images.LABEL: run}
            self.volumes.volumes[f"{run}-{image}"] = {"driver": "image", "labels": labels, "image": image}


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_images, "UNITS", (str(tmp_path / "units"),))
    monkeypatch.setattr(cached_packages, "APT", tmp_path / "archives")
    monkeypatch.setattr(cached_packages, "DNF", tmp_path / "dnf")
    monkeypatch.setattr(kept_packages, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr("openstack_rollout.node.docker_api.serves", lambda: False)
    (tmp_path / "units").mkdir()
    found = Node(tmp_path)
    found.images = {
        "now": [f"{R}@{D['a']}"],
        "before": [f"{R}@{D['b']}"],
        "old": [f"{R}@{D['c']}"],
        "foreign": [f"quay.example/ceph/ceph@{D['d']}"],
    }
    return found


def test_what_goes_is_told_before_and_goes(node):
    keep = [f"{R}:1@{D['a']}", f"mirror.example/os/nova@{D['b']}"]
    predicted = node.prune(keep, test=True)
    assert node.removed() == [] and predicted.images == [f"{R}@{D['c']}"]
    assert predicted.freed == 10, "the layer that others have as well stays"
    assert node.prune(keep) == predicted and set(node.images) == {"now", "before", "foreign"}
    assert node.prune(keep).images == [] and node.prune(keep, test=True).freed == 0


def test_of_an_image_whose_layers_nobody_shares_all_is_free(node):
    del node.images["foreign"]
    found = node.prune(test=True)
    assert len(found.images) == 3 and found.freed == 130


def test_what_is_used_named_by_a_unit_or_called_otherwise_is_left_alone_and_told(node):
    node.images["tagged"] = [f"{R}@{D['e']}", f"{R}:18.0"]
    node.images["bundle"] = [f"{R}@{D['f']}", "cluster.common.tag/nova:pcmklatest-previous"]
    node.containers = {"stopped": "now"}
    (node.place / "units/x.container").write_text(f"[Container]\nImage={R}@{D['b']}\n")
    predicted = node.prune(test=True)
    done = node.prune()
    assert done == predicted and done.images == [f"{R}@{D['c']}", f"{R}@{D['e']}"]
    assert done.left == {
        f"{R}@{D['a']}": "a container is of it",
        f"{R}@{D['b']}": f"a unit names {R}@{D['b']}",
        f"{R}@{D['f']}": "somebody calls it cluster.common.tag/nova:pcmklatest-previous",
    }
    assert set(node.images) == {"now", "before", "bundle", "foreign"}
    assert not any("--force" in command for command in node.ran)


def test_an_image_that_a_run_held_and_nobody_needs_goes_and_one_that_is_needed_stays_held(node):
    node.hold("r1", "before", "old")
    keep = [f"{R}@{D['a']}", f"{R}@{D['b']}"]
    predicted = node.prune(keep, test=True)
    assert node.removed() == [] and node.volumes.held == {"before", "old"}
    done = node.prune(keep)
    assert done == predicted and done.images == [f"{R}@{D['c']}"] and done.failed == {}
    assert node.volumes.held == {"before"} and "before" in node.images


@pytest.mark.parametrize("why", ["container", "somebody's", "foreign"])
def test_what_stays_without_being_needed_is_held_no_longer(node, why):
    image = {"container": "old", "somebody's": "old", "foreign": "foreign"}[why]
    if why == "container":
        node.containers = {"nova_compute": "old"}
    elif why == "somebody's":
        node.images["old"].append("own.example/mine:1")
    node.hold("r1", image)
    node.prune([f"{R}@{D['a']}", f"{R}@{D['b']}"])
    assert image in node.images and node.volumes.held == set()


def test_what_podman_refuses_is_told_and_counts_as_not_freed(node):
    node.refuses = {"old": "Error: image is in use by a container"}
    found = node.prune([D["a"], f"x@{D['a']}", f"x@{D['b']}"])
    assert found.images == [] and found.freed == 0
    assert found.failed == {f"{R}@{D['c']}": "Error: image is in use by a container"}
    assert node.images["old"] == [f"{R}@{D['c']}"], "its name stays"


def test_an_image_of_another_store_which_is_read_only_is_left(node):
    node.elsewhere = "old"
    found = node.prune([D["a"], f"x@{D['a']}", f"x@{D['b']}"])
    assert (found.images, found.failed) == ([], {}) and "old" in node.images


def test_a_tag_that_is_kept_is_kept(node):
    node.images["old"] = [f"{R}@{D['c']}", f"{R}:18.0"]
    assert f"{R}@{D['c']}" not in node.prune([f"{R}:18.0"], test=True).images


@pytest.mark.parametrize("family", ["RedHat", "Debian"])
def test_cached_packages_older_than_what_is_installed_go_but_for_the_way_back(node, family):
    node.family = family
    node.images.clear()
    folder = node.place / ("dnf/base-1/packages" if family == "RedHat" else "archives")
    folder.mkdir(parents=True)
    form_ = "{}-{}.x86_64.rpm" if family == "RedHat" else "{}_{}_amd64.deb"
    for name, version in (
        ("bash", "5.0"),  # nobody needs it
        ("bash", "5.1"),  # a release that is kept has it
        ("bash", "4.9"),  # the way back of a run has it
        ("bash", "5.2"),  # installed
        ("bash", "5.3"),  # fetched for the next run
        ("gone", "1"),  # not installed: somebody fetched it
    ):
        (folder / form_.format(name, version)).write_text("x" * 5000)
    kept_packages.write(kept_packages.OF_THE_RUN, kept_packages.Kept({"bash": "4.9"}))
    here = set(folder.iterdir())
    predicted = node.prune(packages={"bash": ["5.1"]}, test=True)
    assert set(folder.iterdir()) == here and node.locked == 0
    going = folder / form_.format("bash", "5.0")
    assert predicted.packages == [str(going)] and predicted.freed >= 5000
    assert node.prune(packages={"bash": ["5.1"]}) == predicted and node.locked == 1
    assert set(folder.iterdir()) == here - {going}
    assert node.prune(packages={"bash": ["5.1"]}).packages == []


def test_where_somebody_holds_the_package_manager_nothing_goes(node):
    def held():
        raise NodeError("PACKAGE_LOCKED", "dnf has it")

    folder = node.place / "dnf/base-1/packages"
    folder.mkdir(parents=True)
    (folder / "bash-5.0.x86_64.rpm").touch()
    node.wait = held
    with pytest.raises(NodeError, match="PACKAGE_LOCKED"):
        node.prune()
    assert "old" in node.images and list(folder.iterdir())


def test_a_file_that_the_way_back_has_as_well_frees_nothing(node):
    folder = node.place / "dnf/base-1/packages"
    folder.mkdir(parents=True)
    (folder / "bash-5.0.x86_64.rpm").write_text("x" * 5000)
    (node.place / "link").hardlink_to(folder / "bash-5.0.x86_64.rpm")
    node.images.clear()
    found = node.prune()
    assert len(found.packages) == 1 and found.freed == 0
