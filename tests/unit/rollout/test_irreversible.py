"""What of a run cannot be undone, by name; each by the records of one node."""

import pytest

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.kept import Kept
from openstack_rollout.errors import some
from openstack_rollout.records.run_record import Run
from openstack_rollout.records.way_back import Former
from openstack_rollout.rollout import irreversible
from tests.unit.simulated_fleet import Cloud, digest

RUN = Run("r1", "1.0.1", "orch.update", ["services"], 0.0, 0.0, {})
STAGES = ("services", "system")
OLD, NEW = (f"registry.example/services@{digest('services', one)}" for one in ("1.0.0", "1.0.1"))


def former(**changes):
    return {
        **{"deployed": "1.0.0", "images": {"services": OLD}, "packages": {}, "migrations": {}},
        **{"orphans": [], "legacy": {}, "system_image": "", "irreversible": False},
        **changes,
    }


def lines(before, now=None, told=None, chosen=STAGES, since=None, cloud=None, tried=()):
    """What is told of a compute; before, now: what it was and is."""
    is_now = Compared(
        "n1", ("compute",), None, "1.0.1", "1.0.1", {}, former=now or former(images={"services": NEW})
    )
    return irreversible.found(
        (cloud or Cloud(compute=1)).model,
        RUN,
        {"n1": STAGES},
        {"n1": chosen},
        {"n1": tried},
        {"n1": Former(**before)},
        {"n1": is_now},
        {"n1": Kept(**{"schema": 1, "known": True, **(told or {})})},
        since or {},
    ).get("n1", [])


def test_what_is_whole_has_nothing_to_tell():
    assert lines(former()) == []


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        ({"images": {"services": ""}}, {}, "its image had no name with a digest"),
        ({"orphans": ["old_agent"]}, {}, "container old_agent: the run removed it"),
        ({"legacy": {"services": ["edpm_services"]}}, {}, "its earlier unit edpm_services was removed"),
        ({"migrations": {"online": "services"}}, {}, "migration online has run"),
    ],
)
def test_what_the_run_took_away_is_told(before, now, named):
    assert any(named in line for line in lines(former(**before), former(images={"services": NEW}, **now)))


def test_what_is_still_there_is_not_told():
    same = {
        "orphans": ["old_agent"],
        "legacy": {"services": ["edpm_services"]},
        "migrations": {"x": "services"},
    }
    assert lines(former(**same), former(images={"services": NEW}, **same)) == []


def test_a_migration_of_a_stage_that_stays_is_in_nobodys_way():
    assert lines(former(migrations={"online": "services"}), chosen=("system",)) == []


@pytest.mark.parametrize("local", [True, False])
def test_an_image_that_no_release_names_has_to_be_on_the_node(local):
    hotfix = "mirror.example/services@sha256:" + "f" * 64
    found = lines(former(images={"services": hotfix}), told={"images": [hotfix] if local else []})
    assert (found == []) is local
    assert local or f"{hotfix} is not on the node any more" in found[0]


def test_a_package_of_a_stage_that_stays_is_in_nobodys_way():
    told = {"missing": {"bash": "nowhere"}, "packages": {"bash": {"had": "1", "has": ["2"]}}}
    assert lines(former(), told=told) == ["system: package bash: nowhere"]
    assert lines(former(), told=told, chosen=("services",)) == []


def test_a_kernel_matters_to_the_system_stage_alone():
    told = {"cannot": {"system": ["kernel 2 is in use, 1 was before"]}}
    assert lines(former(), told=told) == ["system: kernel 2 is in use, 1 was before"]
    assert lines(former(), told=told, chosen=("services",)) == []


def test_a_later_run_is_named():
    assert lines(former(), since={"n1": "r2"}) == ["run r2 has moved it since"]


def test_a_node_that_has_not_kept_what_it_was_is_told():
    assert lines(former(), told={"known": False}) == ["it has not kept what its packages were"]


def test_a_migration_that_was_begun_and_did_not_end_is_told():
    before = former(migrations={"online": "services"})
    now = former(images={"services": NEW}, migrations={"online": "services"})
    assert lines(before, now) == []
    assert lines(before, now, tried=("services",)) == ["migration online was begun"]
    assert lines(before, now, tried=("system",)) == []


def test_a_release_that_was_irreversible_when_it_came_is_so_when_its_declaration_is_gone():
    cloud = Cloud(compute=1)
    del cloud.openstack["releases"]["1.0.1"]
    cloud.openstack["target_version"] = "1.0.0"
    assert "release 1.0.1 is declared irreversible" in lines(former(irreversible=True), cloud=cloud)


def test_packages_without_a_file_are_told_by_stage_and_cause():
    missing = {**{f"p{number}": "no repository has it" for number in range(300)}, "curl": "it was not kept"}
    assert lines(former(), told={"missing": missing}) == [
        "system: package curl: it was not kept",
        f"system: packages {some(sorted(missing.keys() - {'curl'}))}: no repository has it",
    ]
    assert len(", ".join(lines(former(), told={"missing": missing}))) < 500
