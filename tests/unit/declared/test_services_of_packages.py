"""Services that are packages: declared, handed to nodes, and compared with what nodes tell."""

from __future__ import annotations

import copy

import pytest

from openstack_rollout.declared import content, differences, reading, releases, rounds, share
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.differences import Kind
from openstack_rollout.declared.facts import read
from openstack_rollout.declared.share import Place
from tests.unit.cloud_pillar import NEW, facts_at, model, packaged, valid

KEYSTONE = {
    "deploy": "package",
    "packages": {"Debian": ["keystone*"], "RedHat": ["openstack-keystone"]},
    "libraries": {"Debian": ["python3-keystone"]},
    "units": {"Debian": ["apache2"], "RedHat": ["httpd"]},
}
ON_DEBIAN = Place(("controller",), None, "Debian")
PINS = {"keystone": {"Debian": "2:22"}, "keystone-doc": {"Debian": "2:22"}, "other": {"Debian": "1"}}


def pillar(keystone=KEYSTONE, packages=PINS):
    openstack = copy.deepcopy(valid())
    openstack.setdefault("services", {})["keystone"] = keystone
    openstack["releases"][NEW].setdefault("packages", {}).update(packages)
    return openstack


def desired(openstack=None, where=ON_DEBIAN):
    return share.desired(model(openstack or pillar()), NEW, where)


def one(wanted):
    return next(found for found in wanted["packaged"] if found["name"] == "keystone")


def test_a_node_gets_its_packages_and_units_and_needs_no_image():
    openstack = pillar()
    del openstack["releases"][NEW]["images"]["keystone_api_image"]
    wanted = desired(openstack)
    found = one(wanted)
    assert found["packages"] == {"keystone": "2:22", "keystone-doc": "2:22"}
    assert (found["units"], found["libraries"]) == (["apache2.service"], ["python3-keystone"])
    assert found["stage"] == "control_plane" and "keystone" not in [one["name"] for one in wanted["services"]]


def test_no_other_step_moves_its_packages():
    wanted = desired()
    assert all("keystone" not in some for some in wanted["packages"].values())
    assert "other" in wanted["packages"]["system"]
    for globs in (wanted["exclude"], wanted["system"]["exclude"], wanted["system"]["kept"]):
        assert "keystone*" in globs
    assert "keystone*" not in wanted["held_back"]


LIBRARIES = PINS | {"python3-keystone": {"Debian": "2:22"}}


def test_what_services_share_moves_with_them_and_not_with_the_system():
    """Pinned or not; what a killed transaction left of it is mended by the system stage all the same."""
    wanted = desired(pillar(packages=LIBRARIES))
    assert one(wanted)["packages"]["python3-keystone"] == "2:22"
    assert all("python3-keystone" not in some for some in wanted["packages"].values())
    system = wanted["system"]
    assert system["libraries"] == ["python3-keystone"] and "python3-keystone" in system["kept"]
    assert "python3-keystone" not in system["exclude"] and "python3-keystone" not in wanted["exclude"]


def test_the_newest_of_what_no_release_names_is_found_without_what_others_move():
    wanted = desired()
    newest = one(wanted)["newest"]
    assert newest["depth"] == wanted["system"]["depth"]
    assert {"keystone*", "openvswitch*"} <= set(newest["kept"]) and "python3-keystone" not in newest["kept"]
    assert "python3-keystone" in desired(pillar(packages=LIBRARIES))["system"]["settled"]  # its pin moves it
    openstack = pillar()
    openstack["system"] = {"packages": "release"}
    assert one(desired(openstack))["newest"] is None
    assert one(desired(pillar({**KEYSTONE, "libraries": {}})))["newest"] is None


def test_an_edit_of_the_system_is_none_of_what_services_are_brought_to():
    openstack = pillar()
    before = content.of(model(openstack))
    openstack["system"] = {"exclude": ["one"]}
    assert content.of(model(openstack))["control_plane"] == before["control_plane"]


def test_its_guard_gets_its_unit():
    openstack = pillar(KEYSTONE | {"guard": "galera"})
    assert share.share(model(openstack), ON_DEBIAN)["guards"]["apache2.service"] == "galera"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"units": None}, "units: is missing"),
        ({"packages": {"Debian": ["keystone"]}}, "packages: has nothing for RedHat, units has"),
        ({"units": {"Debian": []}}, "units:Debian: is empty"),
        ({"units": {"Debain": ["apache2"]}}, "units:Debain"),
        ({"units": {"Debian": ["apache2.service"]}}, "goes without .service"),
        ({"one_shot": True}, "one_shot: is for services in containers"),
        ({"config": "rerender"}, "config: is for services in containers"),
        ({"health": {"http": "v3"}}, "health:http: 'v3': has to be a path of a URL"),
        ({"health": {"http": "/a b"}}, "health:http: '/a b': has to be a path of a URL"),
    ],
)
def test_what_is_wrong_is_named(change, line):
    entry = {key: value for key, value in (KEYSTONE | change).items() if value is not None}
    lines = [text for _, text in reading.reasons(pillar(entry))[0]]
    assert lines and all(text.startswith("openstack:services:keystone:") for text in lines)
    assert any(line in text for text in lines), lines


def test_a_type_of_the_operators_own_needs_no_image():
    openstack = pillar()
    openstack["services"]["own"] = KEYSTONE | {
        "roles": ["controller"],
        "stage": "control_plane",
        "enabled": True,
    }
    assert reading.reasons(openstack)[0] == []
    del openstack["services"]["own"]["units"]
    assert "units too" in reading.reasons(openstack)[0][0][1]


def shipped():
    """The pillar with the names that the catalogue ships, where the whole control plane is packages."""
    return packaged(pillar({"enabled": True}))


@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_the_names_that_are_shipped_are_known_types_and_serve_both_families(family):
    openstack = shipped()
    packages = {
        "nova-api": {"Debian": "2:26"},
        "python3-nova": "2:26",
        "openstack-nova-api": {"RedHat": "1:27"},
    }
    openstack["releases"][NEW]["packages"] |= packages
    for name in ("nova-api", "nova-scheduler", "keystone", "rabbitmq", "mariadb", "memcached"):
        openstack["services"][name] = {"deploy": "package"}
    assert reading.reasons(openstack)[0] == []
    found = {one["name"]: one for one in desired(openstack, Place(("controller",), None, family))["packaged"]}
    api = "nova-api" if family == "Debian" else "openstack-nova-api"
    assert api in found["nova-api"]["packages"] and f"{api}.service" in found["nova-api"]["units"]
    assert found["nova-scheduler"]["packages"] == {
        "python3-nova": "2:26"
    }  # moves with the first, is stale then
    order = ["rabbitmq", "mariadb", "memcached", "keystone", "nova-api"]
    assert sorted(order, key=lambda name: found[name]["order"]) == order


def test_packages_beside_containers_of_ours_keep_their_own_configuration():
    """On one cloud both ways: what a type renders for its container is no packages' affair."""
    openstack = shipped()
    openstack["service_defaults"] = openstack["service_defaults"] | {
        "definition": "declared",
        "start": "image",
    }
    assert openstack["service_types"]["nova"]["config"] == "rerender"
    openstack["services"] |= {"nova": {"deploy": "package"}, "ceilometer-compute": {"enabled": True}}
    assert reading.reasons(openstack)[0] == []
    wanted = desired(openstack, Place(("compute",), None, "Debian"))
    assert "nova" in [one["name"] for one in wanted["packaged"]]
    rendered = {one["name"]: one["config"] for one in wanted["services"]}
    assert rendered["ceilometer-compute"] == "rerender"


def test_the_apis_that_are_shipped_have_to_answer_http_and_an_operator_may_say_otherwise():
    openstack = shipped()
    for name in ("keystone", "nova-api", "nova-scheduler"):
        openstack["services"][name] = {"deploy": "package"}
    openstack["services"]["placement"] = {"deploy": "package", "health": {"http": ""}}
    openstack["services"]["glance"] = {"deploy": "package", "health": {"timeout": 90, "http": "/healthcheck"}}
    wanted = desired(openstack)
    found = {one["name"]: one["http"] for one in wanted["packaged"]}
    assert found["keystone"] == found["nova-api"] == "/" and found["nova-scheduler"] == ""
    assert (found["placement"], found["glance"]) == ("", "/healthcheck")
    assert all("http" not in one["health"] for one in wanted["services"])


FIRST = ["rabbitmq", "mariadb", "memcached", "keystone"]


@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_the_shipped_orders_give_each_cluster_a_round_of_its_own_and_the_rest_one_together(family):
    """All of the stage that has a name as packages, switched on."""
    openstack = shipped()
    types = openstack["service_types"].items()
    known = [name for name, entry in types if family in entry.get("packages", {})]
    known = [name for name in known if openstack["service_types"][name]["stage"] == "control_plane"]
    openstack["services"] |= {name: {"deploy": "package", "enabled": True} for name in known}
    assert reading.reasons(openstack)[0] == []
    found = model(openstack)
    names = [round_.services for round_ in rounds.of_stage(found, NEW, "control_plane", 3)]
    assert names[:4] == [(name,) for name in FIRST]
    rest = [one for one in names[4:] if set(one) & set(known)]
    assert len(rest) == 1 and len(rest[0]) > 30
    # on one controller: its services in that order, each before those that use it
    own = desired(openstack, Place(("controller",), None, family))["packaged"]
    own = [one for one in own if one["stage"] == "control_plane"]
    order = [one["name"] for one in sorted(own, key=lambda one: (one["order"], one["name"]))]
    assert order[:4] == FIRST
    guards = {one["name"]: one["guard"] for one in own}
    assert (guards["rabbitmq"], guards["mariadb"]) == ("rabbitmq_cluster", "galera")


def test_what_shares_a_unit_is_of_one_round_where_its_distribution_has_it_so():
    """RDO's Keystone and Placement are httpd's; Debian's have units of their own."""
    openstack = shipped()
    for name in ("keystone", "placement", "glance"):
        openstack["services"][name] = {"deploy": "package"}

    def of(*families):
        return rounds.of_stage(model(openstack), NEW, "control_plane", 3, families)

    found = of("RedHat")
    names = {one.name: one.services for one in found}
    assert names["keystone…"] == ("keystone", "placement") and found[-1].services[0] != "placement"
    assert [one.name for one in found[:4]] == ["rabbitmq", "mariadb", "memcached", "keystone…"]
    assert "glance" in found[-1].services
    assert [one.services for one in of("Debian")] == [one.services for one in of()]
    assert {one.name for one in of("Debian")} >= {"keystone"}
    openstack["services"]["placement"] = {}  # a container has its own
    assert [one.services for one in of("RedHat")] == [one.services for one in of()]


def test_a_controller_alone_goes_through_all_of_it_in_that_order():
    openstack = shipped()
    for name in FIRST:
        openstack["services"][name] = {"deploy": "package"}
    assert len(rounds.of_stage(model(openstack), NEW, "control_plane", 1)) == 1


def test_whose_names_are_not_shipped_is_named_where_it_is_enabled():
    openstack = shipped() | {"service_defaults": valid()["service_defaults"] | {"deploy": "package"}}
    lines = [line for _, line in reading.reasons(openstack)[0]]
    assert "openstack:service_types:ovn:packages: is missing" in lines
    assert not any(":horizon:" in line for line in lines)  # it is not enabled


def facts(**packaged):
    openstack = pillar()
    found = facts_at(openstack, NEW, ON_DEBIAN)
    record = {"here": True, "units": {"apache2.service": "active"}, "stale": []} | packaged
    found["packaged"] = {"keystone": record}
    found["packages"] |= {"keystone": ["2:22"], "other": ["1"]}
    return found


def kinds(told):
    found = differences.differences(desired(), read("node1", told))
    return [(one.kind, one.subject) for one in found["control_plane"] if one.kind in differences.PACKAGED]


def test_what_differs():
    assert kinds(facts()) == []
    older = facts()
    older["packages"]["keystone"] = ["2:21"]
    assert kinds(older) == [(Kind.SERVICE_PACKAGES, "keystone")]
    assert kinds(facts(stale=["python3-keystone"])) == [(Kind.SERVICE_STALE, "keystone")]
    assert kinds(facts(units={"apache2.service": "inactive"})) == [(Kind.SERVICE_STOPPED, "keystone")]
    assert kinds(facts(units={"apache2.service": "masked"})) == []
    assert kinds(facts(units={"apache2.service": "disabled"})) == []
    assert kinds(facts(here=False, units={})) == []


@pytest.mark.parametrize("name", ["keystone", "keystone-doc", "python3-keystone"])
def test_what_is_half_installed_is_mended_by_its_stage_though_nothing_is_installed(name):
    told = facts(here=False, units={})
    told["packages"].pop("keystone")
    told["unfinished"] = {"doubles": {}, "half": {name: "2:22", "bash": "5"}, "unknown": ""}
    found = differences.differences(desired(), read("node1", told))["control_plane"]
    assert [(one.kind, one.subject) for one in found if one.kind == Kind.PACKAGE_HALF] == [
        (Kind.PACKAGE_HALF, name)
    ]


def test_newer_libraries_are_of_its_stage_beside_the_release():
    told = read("node1", facts(newer={"python3-keystone": "2:23"}))
    found = [one for one in differences.beside_the_release(desired(), told) if one.stage == "control_plane"]
    assert [(one.kind, one.subject) for one in found] == [(Kind.SERVICE_LIBRARIES, "keystone")]
    assert not differences.differs(desired(), told)


NEWEST = {"keystone": {"Debian": "newest"}, "keystone-doc": {"Debian": "newest"}, "other": {"Debian": "1"}}


def newest(**changes):
    """The pillar and the facts of a node whose release wants the newest of a service."""
    openstack = pillar(packages=NEWEST)
    found = facts_at(openstack, NEW, ON_DEBIAN)
    found["packaged"] = {"keystone": {"here": True, "units": {"apache2.service": "active"}, "stale": []}}
    found["packages"] |= {"keystone": ["2:21"], "other": ["1"]}
    return openstack, found | changes


def test_the_newest_is_reached_when_nothing_newer_is_offered():
    openstack, told = newest()
    assert reading.reasons(openstack)[0] == []
    compared = Comparison(model(openstack)).compare(read("node1", told), ON_DEBIAN.roles, None)
    assert compared.open(["control_plane", "system"]) == [] and compared.deployed == NEW
    openstack, told = newest(offered={"upgrade": {"keystone": "2:22", "unasked": "1"}})
    compared = Comparison(model(openstack)).compare(read("node1", told), ON_DEBIAN.roles, None)
    [difference] = compared.open(["control_plane", "system"])
    assert (difference.kind, difference.want) == (Kind.SERVICE_PACKAGES, {"keystone": "2:22"})
    assert compared.packages["keystone"] == {
        "stage": "control_plane", "installed": ["2:21"], "wanted": "newest",
    }  # fmt: skip


def test_of_the_newest_what_the_operator_keeps_is_told_and_no_difference():
    lock = {"version": "2:22", "cause": "hold", "by": ""}
    openstack, told = newest(offered={"upgrade": {}, "stays": {"keystone": lock}})
    compared = Comparison(model(openstack)).compare(read("node1", told), ON_DEBIAN.roles, None)
    assert compared.open(["control_plane"]) == [] and compared.stays == {"keystone": lock}


def test_a_node_asks_its_repositories_for_what_any_release_wants_at_the_newest():
    openstack = pillar(packages=NEWEST)
    openstack["releases"]["1.0.0"]["packages"]["keystone-old"] = "newest"
    found = share.share(model(openstack), ON_DEBIAN)
    assert found["newest"] == ["keystone", "keystone-doc", "keystone-old"]
    assert share.share(model(openstack), Place(("controller",)))["newest"] == ["keystone-old"]


def test_no_other_stage_moves_to_the_newest_by_a_release():
    """On a node that has the package and not the service it is one that no release names."""
    wanted = desired(pillar(packages=NEWEST), Place(("compute",), None, "Debian"))
    assert all("keystone" not in some for some in wanted["packages"].values())
    assert "keystone" not in wanted["system"]["kept"] and "other" not in wanted["exclude"]


REFUSED = "openstack:releases:1.0.1:packages:"


@pytest.mark.parametrize(
    ("packages", "line"),
    [
        ({"curl": "newest"}, "curl: newest is for packages of enabled services with deploy: package"),
        ({"keystone": {"RedHat": "newest"}}, "keystone:RedHat: newest is for packages of enabled"),
        ({"keystone": None}, "keystone: has no version: give one, >=version or newest"),
        ({"keystone": {"Debian": ""}}, "keystone:Debian: has no version: give one, >=version or newest"),
        ({"keystone*": "newest"}, "keystone*: 'keystone*': a package's name has letters, digits, _, ., + and"
            " - only, and is no glob: name each package"),
        ({"keystone": "latest"}, "keystone: 'latest': has to be one version, as the package manager shows"
            " it, >=version without a blank, or newest"),
        ({"keystone": ">="}, "keystone: '>=': has to be one version"),
        ({"keystone": ">= 2"}, "keystone: '>= 2': has to be one version"),
        ({"keystone": "2.x"}, "keystone: '2.x' looks like a pattern, give one version, >=version or newest"),
    ],
)  # fmt: skip
def test_a_version_that_is_none_is_refused_with_its_key_and_what_to_do(packages, line):
    [(reason, text)] = reading.reasons(pillar(packages=packages))[0]
    assert reason == "INVALID_PILLAR" and text.startswith(f"{REFUSED}{line}"), text


def test_the_newest_is_for_services_that_are_packages_alone():
    openstack = pillar({"enabled": True}, {"keystone": "newest"})
    [(_, text)] = reading.reasons(openstack)[0]
    assert text.startswith(f"{REFUSED}keystone: newest is for packages of enabled services")
    openstack["target_version"] = "1.0.0"
    assert reading.reasons(openstack)[0] == []  # a release of the past may be of another cloud


def test_a_run_asks_repositories_first_where_its_release_wants_the_newest():
    assert releases.wants_newest(model(pillar(packages=NEWEST)), NEW)
    assert not releases.wants_newest(model(pillar(packages=NEWEST)), "1.0.0")
    assert not releases.wants_newest(model(pillar()), releases.NO_RELEASE)


def test_a_node_that_tells_nothing_of_it_is_at_no_release_by_it():
    """As where no release is wanted: then a node has no such service in its share."""
    told = facts()
    told["packaged"] = {}
    wanted = desired() | {"services": [], "packages": {}}
    assert not differences.can_tell(wanted, read("node1", told))


def test_it_has_its_place_among_the_rounds():
    found = rounds.of_stage(model(pillar(KEYSTONE | {"alone": True})), NEW, "control_plane", 3)
    own = next(round_ for round_ in found if round_.services == ("keystone",))
    others = [round_ for round_ in found if round_ is not own]
    difference = differences.Difference("control_plane", Kind.SERVICE_STALE, "keystone", None, ["x"])
    assert own._has(difference) and not any(round_._has(difference) for round_ in others)
