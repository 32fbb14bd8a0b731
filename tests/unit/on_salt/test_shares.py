"""Shares for the ext_pillar: compiled again when a pillar file changed, and never else."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest
import salt.cache

from openstack_rollout.declared import share
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import master_pillar, shares
from openstack_rollout.on_salt.cache_store import CacheStore
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.way_back import Back, InForce
from tests.unit.cloud_pillar import NEW, OLD, digest, model, node, valid
from tests.unit.simulated_fleet import MemoryStore


@pytest.fixture
def master(tmp_path, monkeypatch):
    return Master(tmp_path, monkeypatch)


class Master:
    """A master whose pillar is a mapping; its files are real, and what is in them is not read."""

    def __init__(self, folder, monkeypatch):
        self.openstack = valid() | {"roles": {"compute": "cmp*"}, "zones": {}}
        self.compiled = 0
        self.error = None
        self.roots = folder / "pillar"
        (self.roots / "openstack").mkdir(parents=True)
        self.file = self.roots / "openstack" / "init.sls"
        self.file.write_text("a")
        self.opts = {
            **{"cachedir": str(folder / "cache"), "cache": "localfs", "extension_modules": ""},
            "conf_file": str(folder / "master"),
            "pillar_roots": {"base": [str(self.roots)]},
            "ext_pillar": [{"openstack_rollout": {}}],
        }
        monkeypatch.setattr(master_pillar, "compiled_pillar", self.compile)
        monkeypatch.setattr(shares, "_kept", {})
        monkeypatch.setattr(shares, "_journals", {})
        monkeypatch.setattr(shares, "_match", self.match)

    def compile(self, opts):
        self.compiled += 1
        if self.error:
            raise self.error
        return {"openstack": self.openstack}

    @staticmethod
    def match(opts, target, minion_id):
        return target == "*" or minion_id.startswith(target.rstrip("*"))

    def of(self, minion_id="cmp1", **grains):
        return shares.share_of({**self.opts, "grains": grains}, minion_id)


def test_a_tag_is_for_every_node_what_the_last_run_took(master, monkeypatch):
    store, tag = MemoryStore(), "registry.example/fix:1"
    monkeypatch.setattr(shares, "CacheStore", lambda cache: store)
    monkeypatch.setattr(shares.salt.cache, "factory", lambda opts: None)
    master.openstack["custom_images"] = {"nova_compute_image": tag}

    def image():
        services = master.of()["openstack_node"]["services"]
        return next(one["image"] for one in services if one["name"] == "nova")

    assert image() == tag
    contents = {master.of()["openstack_node"]["content"]["services"]}
    for version in (OLD, NEW):
        Journal(store).record_tags({tag: digest(version)})
        assert image() == f"registry.example/fix@{digest(version)}"
        contents.add(master.of()["openstack_node"]["content"]["services"])
    assert len(contents) == 3 and master.compiled == 1


def test_a_share_is_what_the_model_says(master):
    assert master.of() == {
        "openstack_node": share.share(model(master.openstack), node("compute"), lambda target: target == "*")
    }
    debian = master.of(os_family="Debian")["openstack_node"]
    assert debian["packages"]["system"]["curl"] == f"8-{NEW}"
    assert master.of("web1")["openstack_node"]["stages"] == []


def test_the_pillar_is_compiled_once_for_all_nodes(master):
    for number in range(20):
        master.of(f"cmp{number}")
    assert master.compiled == 1


def later(file):
    """As a second save within the same tick of a coarse clock would not show: its time is set."""
    os.utime(file, (time.time() + 5, time.time() + 5))


def edit(master):
    master.file.write_text("b")
    later(master.file)


def edit_of_the_same_length_and_time(master):
    """An editor that renames a copy over it, with the time of the old one: neither time nor length tell."""
    found = master.file.stat()
    copy = master.file.with_name("copy")
    copy.write_text("c")
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    copy.rename(master.file)


def git_pillar(master):
    folder = os.path.join(master.opts["cachedir"], "git_pillar", "checkout")
    os.makedirs(folder)
    with open(os.path.join(folder, "init.sls"), "w", encoding="utf-8") as file:
        file.write("x")


CHANGES = {
    "edited": edit,
    "renamed over": edit_of_the_same_length_and_time,
    "added": lambda master: (master.roots / "new.sls").write_text("a"),
    "removed": lambda master: master.file.unlink(),
    "in a new folder": lambda master: [
        (master.roots / "deep" / "er").mkdir(parents=True),
        (master.roots / "deep" / "er" / "x.sls").write_text("a"),
    ],
    "of a git pillar": git_pillar,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_compiled_again_when_a_file_changed(master, change):
    assert master.of()["openstack_node"]["target"] == NEW
    master.openstack = master.openstack | {"target_version": OLD}
    assert master.of()["openstack_node"]["target"] == NEW, "no file changed"
    change(master)
    assert master.of()["openstack_node"]["target"] == OLD
    master.of()
    assert master.compiled == 2


def test_what_is_hidden_changes_nothing(master):
    master.of()
    (master.roots / ".init.sls.swp").write_text("x")
    (master.roots / ".git").mkdir()
    (master.roots / ".git" / "index").write_text("x")
    master.of()
    assert master.compiled == 1


def test_links_that_lead_back_or_nowhere(master):
    (master.roots / "back").symlink_to(master.roots)
    (master.roots / "again").symlink_to(master.roots)
    (master.roots / "gone").symlink_to(master.roots / "nothing")
    master.of()
    master.of()
    assert master.compiled == 1


def test_roots_that_are_not_there(master):
    master.opts["pillar_roots"] = {"base": ["/nowhere/at/all"], "test": []}
    master.of()
    master.of()
    assert master.compiled == 1


@pytest.mark.parametrize(
    ("beside", "again"),
    [
        ([], False),
        ([{"git": ["main https://git.example/pillar"]}], False),
        ([{"vault": "path"}], True),
        ([{"git": []}, {"cmd_json": "x"}], True),
    ],
)
def test_beside_another_ext_pillar_a_model_is_kept_for_a_while_alone(master, monkeypatch, beside, again):
    master.opts["ext_pillar"] = [{"openstack_rollout": {}}, *beside]
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=1000.0)
    monkeypatch.setattr(shares, "time", clock)
    master.of()
    clock.now += shares.KEPT_BESIDE_OTHERS - 1
    master.of()
    assert master.compiled == 1
    clock.now += shares.KEPT_BESIDE_OTHERS
    master.of()
    assert master.compiled == (2 if again else 1)


def refused(master, minion_id="cmp1"):
    (found,) = master.of(minion_id).values()
    assert list(found) == ["refused"] and sorted(found["refused"]) == ["message", "reason"]
    return found["refused"]


def test_what_is_refused_is_handed_out_as_that(master):
    master.openstack = master.openstack | {"policies": {"compute": {"max_failures": -1}}}
    found = refused(master)
    assert found["reason"] == "INVALID_PILLAR" and "max_failures" in found["message"]


def test_a_refusal_is_kept_too_until_a_file_changes(master):
    good = master.openstack
    master.error = RolloutError("INVALID_PILLAR", "pillar: an included file is not a mapping")
    assert refused(master) == refused(master, "cmp2")
    assert refused(master)["message"] == "pillar: an included file is not a mapping" and master.compiled == 1
    master.error, master.openstack = None, good
    edit(master)
    assert master.of()["openstack_node"]["target"] == NEW and master.compiled == 2


def test_a_pillar_that_is_good_again_and_bad_again(master):
    master.of()
    master.error = RolloutError("INVALID_PILLAR", "no")
    edit(master)
    assert refused(master)["message"] == "no", "an older model is none to go by"


def test_a_refusal_that_is_asked_for_often_keeps_nobodys_frames(master):
    master.error = RolloutError("INVALID_PILLAR", "openstack: is wrong")
    told = []
    for _ in range(3):
        with pytest.raises(RolloutError, match="is wrong") as refused:
            shares.declared(master.opts)
        told.append(refused.value)
    assert len({id(one) for one in told}) == 3 and master.error not in told


def test_a_target_that_is_not_set_is_no_refusal(master):
    master.openstack = master.openstack | {"target_version": ""}
    own = master.of()["openstack_node"]
    assert own["stages"] == ["system"] and "target_version" in own["untargeted"]


def test_masters_of_one_process_do_not_share_what_they_keep(master):
    master.of()
    other = {**master.opts, "conf_file": "/etc/salt/other"}
    shares.share_of(other, "cmp1")
    assert master.compiled == 2


class InMemory:
    """A rollback in force, as the journal has it."""

    def __init__(self, target=NEW, **backs):
        self.known, self.backs = InForce("r1", "r2", target, OLD), backs

    def in_force(self):
        return self.known

    def back(self, node):
        return self.backs.get(node)


def test_a_share_is_that_of_the_rollback_in_force(master, monkeypatch):
    image = "registry.example/nova-compute@sha256:" + "d" * 64
    back = Back("r1", ["services"], OLD, {"nova_compute": image, "nova": image}, {"curl": "7-was"})
    monkeypatch.setattr(shares, "_journal", lambda opts: SimpleNamespace(way_back=InMemory(cmp1=back)))
    forward = share.share(model(master.openstack), node("compute"), lambda target: target == "*")
    held, alone = master.of("cmp1")["openstack_node"], master.of("cmp2")["openstack_node"]
    assert held["stages"] == ["services"] and held["rollback"] == {"of": "r1", "by": "r2"}
    assert held["target"] == NEW and held["content"] == forward["content"] and held["migrations"] == []
    assert {one["image"] for one in held["services"]} <= {image}
    assert held["packages"]["services"] == {"curl": "7-was"} and "curl" in held["watched"]
    assert (alone["stages"], alone["services"], alone["packages"]) == ([], [], {})
    assert alone["containers"] == forward["containers"]  # which nothing removes


def test_a_rollback_from_another_target_is_none(master, monkeypatch):
    monkeypatch.setattr(shares, "_journal", lambda opts: SimpleNamespace(way_back=InMemory(target="9.9.9")))
    forward = share.share(model(master.openstack), node("compute"), lambda target: target == "*")
    assert master.of() == {"openstack_node": forward}


def test_a_journal_that_cannot_be_read_is_a_refusal(master, monkeypatch):
    class Damaged:
        def in_force(self):
            raise RolloutError("JOURNAL_DAMAGED", "the rollback in force is damaged")

    monkeypatch.setattr(shares, "_journal", lambda opts: SimpleNamespace(way_back=Damaged()))
    assert master.of()["openstack_node"]["refused"]["reason"] == "JOURNAL_DAMAGED"


def test_the_journal_is_the_masters_cache(master):
    journal = Journal(CacheStore(salt.cache.factory(master.opts)))
    journal.way_back.save_backs({"cmp1": Back("r1", ["ovs"])})
    journal.way_back.put_in_force(InForce("r1", "r2", NEW))
    assert master.of("cmp1")["openstack_node"]["stages"] == ["ovs"]
    journal.way_back.end()
    assert "rollback" not in master.of("cmp1")["openstack_node"]
