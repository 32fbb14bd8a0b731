"""A survey over a fleet: every node that was asked is told or named, and no file is overwritten."""

from __future__ import annotations

import pytest
import yaml

from openstack_rollout.declared import reading
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import surveying
from openstack_rollout.on_salt.jobs import Ended
from tests.unit import cloud_pillar
from tests.unit.declared.found import answer, of

EVERY = ("cmp1", "cmp2", "ctl1", "mon1")
VERSION = "0.0.1"


class Fleet:
    """Minions that answer what a test gives; what it is asked is kept."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    def members(self, target):
        meant = [word.removesuffix("*") for word in target.split(" or ")]
        return [name for name in EVERY if any(name.startswith(start) for start in meant)]

    def ask(self, silences, call):
        self.calls.append((silences, call))
        return [self._ended(name) for name in silences if name in self.answers]

    def _ended(self, name):
        found = self.answers[name]
        return found if isinstance(found, Ended) else Ended(name, "1", found)


def told(name, *containers):
    return {"value": answer(name, *containers)}


def model(**keys):
    return cloud_pillar.model(**keys)


def test_every_node_that_a_role_means_is_asked_and_the_others_are_named():
    fleet = Fleet(**{name: told(name, of("edpm", "nova_compute")) for name in EVERY})
    found = surveying.survey(model(roles={"compute": "cmp*"}), fleet, None, 5)
    assert found["survey"] == ["cmp1", "cmp2"] and found["left_out"] == ["ctl1", "mon1"]
    [(asked, call)] = fleet.calls
    assert asked == {"cmp1": 5, "cmp2": 5}
    assert (call.function, call.arguments) == ("rollout_call.run", ("deployed.report",))
    globs = ["edpm_*.service", "tripleo_*.service", "kolla-*-container.service"]
    assert call.keywords == {"kwargs": {"units": globs, "packages": []}}


def test_nodes_are_asked_for_packages_and_units_of_services_that_may_be_packages():
    fleet = Fleet(cmp1=told("cmp1"))
    shipped = cloud_pillar.model(cloud_pillar.packaged(cloud_pillar.valid()), roles={"compute": "cmp1"})
    surveying.survey(shipped, fleet, None, 5)
    [(_, call)] = fleet.calls
    asked = call.keywords["kwargs"]
    assert {"edpm_*.service", "nova-compute.service", "openstack-nova-compute.service"} <= set(asked["units"])
    assert {"nova-compute*", "openstack-nova-compute", "python3-nova"} <= set(asked["packages"])


@pytest.mark.parametrize("roles", [{}, {"compute": "nobody*"}])
def test_without_a_role_that_means_anybody_all_are_asked(roles):
    fleet = Fleet(**{name: told(name) for name in EVERY})
    found = surveying.survey(model(roles=roles), fleet, None, 5)
    assert found["survey"] == list(EVERY) and found["left_out"] == []


def test_whoever_is_named_is_asked_whatever_role_it_has():
    fleet = Fleet(mon1=told("mon1"), cmp1=told("cmp1"))
    found = surveying.survey(model(roles={"compute": "cmp*"}), fleet, "mon* or cmp1", 5)
    assert found["survey"] == ["cmp1", "mon1"] and found["left_out"] == []
    with pytest.raises(RolloutError) as error:
        surveying.survey(model(), fleet, "nobody*", 5)
    assert error.value.reason == "NO_NODES" and "nobody*" in error.value.message


def test_every_node_is_told_or_named_with_its_reason():
    fleet = Fleet(
        cmp1=Ended("cmp1", "1", reason="NODE_SILENT", message="no sign of life for 5 s"),
        cmp2={"reason": "", "message": "deployed.report is not available"},
        ctl1={"value": {"schema": 99}},
    )
    found = surveying.survey(model(), fleet, "*", 5)
    assert {name: one["reason"] for name, one in found["silent"].items()} == {
        "cmp1": "NODE_SILENT",
        "cmp2": "NODE_ERROR",
        "ctl1": "FACTS_INVALID",
        "mon1": "NODE_SILENT",
    }
    assert found["nodes"] == {}


def test_what_is_declared_is_read_without_target_and_roles():
    pillar = {"openstack": {**cloud_pillar.valid(), "target_version": "9.9", "roles": None}}
    assert surveying.model(pillar).deployers


def test_a_pillar_without_the_tables_of_deployers_is_refused_with_what_to_assign():
    openstack = {key: value for key, value in cloud_pillar.valid().items() if key != "deployers"}
    with pytest.raises(RolloutError) as error:
        surveying.model({"openstack": openstack})
    assert error.value.reason == "INVALID_PILLAR"
    assert error.value.message == (
        "openstack:deployers: is missing, assign openstack.deployers in pillar/top.sls"
    )


def surveyed():
    fleet = Fleet(
        cmp1=told("cmp1", of("edpm", "nova_compute")), cmp2=told("cmp2", of("edpm", "nova_compute"))
    )
    return surveying.survey(model(), fleet, "cmp*", 5)


def test_a_pillar_is_written_once(tmp_path):
    pillar, records = {"openstack": cloud_pillar.valid()}, surveyed()
    paths = surveying.write(pillar, model(), records, tmp_path, VERSION)
    assert [path.removeprefix(f"{tmp_path}/") for path in paths] == [
        "openstack/init.sls",
        "openstack/releases/0_0_1.sls",
    ]
    page = yaml.safe_load((tmp_path / "openstack/init.sls").read_text())["openstack"]
    assert page["roles"] == {"compute": "cmp*"}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.sls")}
    for again in (
        lambda: surveying.refuse_to_overwrite(tmp_path, VERSION),
        lambda: surveying.write(pillar, model(), records, tmp_path, VERSION),
    ):
        with pytest.raises(RolloutError) as error:
            again()
        assert error.value.reason == "WRONG_ARGUMENT"
        assert error.value.message == f"output: {tmp_path}/openstack/init.sls exists, nothing is overwritten"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.sls")} == before


@pytest.mark.parametrize(
    "make", [lambda path: path.write_text("mine"), lambda path: path.symlink_to("/nowhere")]
)
def test_one_file_that_exists_keeps_the_other_from_being_written(tmp_path, make):
    release = tmp_path / "openstack/releases/0_0_1.sls"
    release.parent.mkdir(parents=True)
    make(release)
    with pytest.raises(RolloutError, match=r"0_0_1\.sls exists"):
        surveying.write({"openstack": cloud_pillar.valid()}, model(), surveyed(), tmp_path, VERSION)
    assert not (tmp_path / "openstack/init.sls").exists()


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RolloutError) as error:
        surveying.write_new({tmp_path / "a.sls": "x", tmp_path / "file" / "b.sls": "x"})
    assert error.value.reason == "WRONG_ARGUMENT" and "cannot be written" in error.value.message
    assert not (tmp_path / "a.sls").exists()


@pytest.mark.parametrize("version", ["../../etc/x", "later than", ""])
def test_a_version_that_is_none_is_refused_before_anything_is_written(tmp_path, version):
    with pytest.raises(RolloutError):
        surveying.write({"openstack": cloud_pillar.valid()}, model(), surveyed(), tmp_path / "new", version)
    assert list(tmp_path.iterdir()) == []


def test_nodes_without_a_role_make_no_pillar(tmp_path):
    records = surveying.survey(model(), Fleet(mon1=told("mon1")), "mon1", 5)
    with pytest.raises(RolloutError) as error:
        surveying.write({"openstack": cloud_pillar.valid()}, model(), records, tmp_path, VERSION)
    assert error.value.reason == "NO_NODES"


def test_what_is_written_is_what_the_master_would_accept(tmp_path):
    surveying.write({"openstack": cloud_pillar.valid()}, model(), surveyed(), tmp_path, VERSION)
    openstack = cloud_pillar.shipped()
    for path in tmp_path.rglob("*.sls"):
        openstack |= yaml.safe_load(path.read_text())["openstack"]
    assert reading.reasons(openstack)[0] == []
