"""The catalogue: layers, further services of a type, and which of them are in each other's way."""

import pytest

from openstack_rollout.declared import reading, warnings
from openstack_rollout.declared.model import Model
from tests.unit.cloud_pillar import NEW, OLD, digest, valid
from tests.unit.declared.pillars import changed, lines, wrong


def model_of(openstack):
    found, model = reading.reasons(openstack)
    assert found == []
    return model


def of_type(model, kind, version=NEW):
    return {
        name: one.container
        for name, one in model.catalogue.services(version).items()
        if one.type == kind and one.enabled
    }


def test_a_second_service_of_a_type_takes_nothing_away():
    model = model_of(changed("services", {"nova-custom": {"type": "nova", "container": "nova_custom"}}))
    assert of_type(model, "nova") == {"nova": "nova_compute", "nova-custom": "nova_custom"}
    assert list(warnings.of(model)) == [
        "openstack:services:nova-custom: runs beside nova, which is of the same type;"
        " nova: {enabled: false} puts it in its place"
    ]


def test_it_is_in_its_place_where_the_operator_says_so():
    services = {"nova": {"enabled": False}, "nova-custom": {"type": "nova", "container": "nova_custom"}}
    model = model_of(changed("services", services))
    assert of_type(model, "nova") == {"nova-custom": "nova_custom"}
    assert list(warnings.of(model)) == []


def test_it_may_then_have_the_same_container():
    model = model_of(changed("services", {"nova": {"enabled": False}, "nova-custom": {"type": "nova"}}))
    assert of_type(model, "nova") == {"nova-custom": "nova_compute"}


@pytest.mark.parametrize(
    "services",
    [
        {"nova-custom": {"type": "nova"}},
        {"nova-custom": {"type": "nova"}, "nova": {"order": 5}},
        {"nova-custom": {"type": "nova", "container": "nova_compute"}},
    ],
)
def test_two_enabled_services_of_a_type_with_one_container_are_refused_with_both_names(services):
    (line,) = wrong("services", services)
    assert "nova" in line and "nova-custom" in line and "'nova_compute'" in line


def test_two_further_services_with_one_container_are_refused():
    entry = {"type": "cinder-volume", "container": "volume", "enabled": True}
    (line,) = wrong("services", {"one": entry, "two": entry})
    assert line.startswith("openstack:services:two:container: 'volume' is the container of one too")


def test_a_back_end_beside_a_type_that_is_not_enabled():
    entry = {"type": "cinder-volume", "backend": "pure", "container": "cinder_volume_pure", "enabled": True}
    model = model_of(changed("services", {"cinder-volume-pure": entry}))
    assert of_type(model, "cinder-volume") == {"cinder-volume-pure": "cinder_volume_pure"}
    assert model.catalogue.services(NEW)["cinder-volume-pure"].image_key == ("cinder_volume_images", "pure")
    assert list(warnings.of(model)) == [
        "openstack:services:cinder-volume-pure:backend: 'pure' is neither in cinder_volume_images of 1.0.1"
        " nor in custom_images, the image of default serves it"
    ]


def test_layers_from_weakest_to_strongest():
    openstack = valid()
    openstack["service_defaults"]["options"] = {"a": {"x": 0, "y": 0, "z": 0, "w": 0}}
    openstack["service_types"]["glance"]["options"] = {"a": {"y": 1, "z": 1, "w": 1}}
    openstack["releases"][NEW]["defaults"] = {"services": {"glance": {"options": {"a": {"z": 2, "w": 2}}}}}
    openstack["services"] = {"glance": {"options": {"a": {"w": 3}}, "health": {"timeout": 5}}}
    model = model_of(openstack)
    new, old = (model.catalogue.services(version)["glance"] for version in (NEW, OLD))
    assert new.options == {"a": {"x": 0, "y": 1, "z": 2, "w": 3}}
    assert old.options == {"a": {"x": 0, "y": 1, "z": 1, "w": 3}}
    assert new.health.command == ["/openstack/healthcheck"] and new.health.timeout == 5
    assert new.quadlet["Container"]["Network"] == "host"


def test_only_what_the_defaults_of_a_release_change_is_merged_anew():
    openstack = valid()
    openstack["releases"][NEW]["defaults"] = {"services": {"glance": {"order": 1}}}
    catalogue = model_of(openstack).catalogue
    assert set(catalogue.changed(NEW)) == {"glance"} and catalogue.changed(OLD) == {}
    assert catalogue.services(OLD) is catalogue.services()
    assert catalogue.services(NEW)["nova"] is catalogue.services()["nova"]
    assert catalogue.services(NEW)["glance"].order == 1


def test_a_release_may_move_a_container_to_another_service():
    defaults = {
        "services": {
            "glance": {"container": "image_api"},
            "heat-api": {"container": "glance_api", "enabled": True},
        }
    }
    assert wrong(f"releases/{OLD}/defaults", defaults) == []


def test_the_conflict_of_a_release_is_told_once_with_its_service():
    openstack = changed("services", {"two": {"type": "glance", "container": "two"}})
    openstack["releases"][NEW]["defaults"] = {"services": {"glance": {"container": "keystone"}}}
    assert lines(openstack) == [
        f"openstack:releases:{NEW}:defaults:services:glance:container:"
        " 'keystone' is the container of keystone too, which is enabled as well:"
        " disable keystone or glance, or give one another container (service glance)"
    ]


@pytest.mark.parametrize(
    ("name", "unit"), [("nova", "nova_compute"), ("nova", "ovn_controller"), ("glance", "keystone")]
)
def test_a_container_in_use_is_no_unit_to_remove(name, unit):
    (line,) = wrong(f"services/{name}", {"legacy_units": [unit]})
    assert line.startswith(f"openstack:services:{name}:legacy_units: '{unit}' is the container of")


def test_a_disabled_service_is_in_nobodys_way():
    assert wrong("services/heat-api", {"container": "keystone"}) == []
    assert wrong("services/heat-api", {"container": "keystone", "enabled": True}) != []


def test_an_empty_model_has_no_services():
    assert Model().catalogue.services() == {}
    assert Model().catalogue.of_node(["compute"]) == []


def rendering(files, **more):
    return {"config": "rerender", "config_files": files, **more}


FILE = {"/etc/x/a": "salt://a"}


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        (rendering(FILE), rendering({"/etc/x/a": "salt://b"}), "'/etc/x/a' is rendered by keystone too"),
        (rendering(FILE), rendering(FILE, options={"a": 1}), "'/etc/x/a' is rendered by keystone too"),
        (
            rendering(FILE),
            rendering({"/etc/x": "salt://a"}),
            "'/etc/x' is a file here, and a folder of keystone",
        ),
        (rendering(FILE), rendering({"/etc/x/a/b": "salt://a"}), "'/etc/x/a/b' lies below '/etc/x/a'"),
        ({}, rendering({"/etc/x": "salt://a", "/etc/x/a": "salt://a"}), "'/etc/x/a' lies below '/etc/x'"),
    ],
)
def test_files_in_each_others_way_are_refused(one, two, said):
    (line,) = wrong("services", {"keystone": one, "glance": two})
    assert line.startswith(f"openstack:services:glance:config_files: {said}")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("glance", rendering(FILE)), ("keystone", rendering(FILE))),
        (
            ("glance", rendering(FILE)),
            ("keystone", {"config": "run", "config_files": {"/etc/x/a": "salt://b"}}),
        ),
        (("glance", rendering(FILE)), ("heat-api", rendering({"/etc/x/a": "salt://b"}))),  # not enabled
        (("glance", rendering(FILE)), ("nova", rendering({"/etc/x/a": "salt://b"}))),  # of other roles
        (("glance", rendering(FILE)), ("keystone", rendering({"/etc/x/ab": "salt://b"}))),
    ],
)
def test_files_that_do_not_meet_are_allowed(one, two):
    assert wrong("services", dict((one, two))) == []


def test_files_of_a_releases_defaults_are_checked_too():
    openstack = changed("services", {"glance": rendering(FILE), "keystone": {"config_files": FILE}})
    for version, options in ((OLD, {}), (NEW, {"a": 1})):
        defaults = {"config": "rerender", "options": options}
        openstack["releases"][version]["defaults"] = {"services": {"keystone": defaults}}
    (line,) = lines(openstack)
    here = f"openstack:releases:{NEW}:defaults:services:keystone:config_files"
    assert line.startswith(f"{here}: '/etc/x/a' is rendered by glance too")


FLUENTD = {
    "image": "fluentd_image",
    "container": "fluentd",
    "roles": ["compute"],
    "stage": "services",
    "enabled": True,
}
GOOD = f"registry.example/fluentd@{digest(NEW)}"


def with_own_type(**services):
    openstack = changed("services", {"fluentd": FLUENTD, **services})
    openstack["releases"][NEW]["images"]["fluentd_image"] = GOOD
    return openstack


def test_a_type_of_the_operators_own_is_a_service_and_its_image_key_is_known():
    model = model_of(with_own_type())
    service = model.catalogue.services(NEW)["fluentd"]
    assert (service.type, service.container, service.quadlet["Container"]["Network"]) == (
        "fluentd",
        "fluentd",
        "host",
    )
    assert service in model.catalogue.of_node(["compute"], NEW)
    assert "fluentd_image" in model.catalogue.image_keys
    assert list(warnings.of(model)) == []


def test_further_services_defaults_and_checks_may_name_it():
    openstack = with_own_type(
        **{"fluentd-audit": {"type": "fluentd", "container": "fluentd_audit", "options": {"a": 2}}}
    )
    openstack["services"]["fluentd"] = {**FLUENTD, "options": {"a": 1}}
    openstack["releases"][NEW]["defaults"] = {"services": {"fluentd": {"options": {"a": 0, "b": 0}}}}
    model = model_of(openstack)
    assert of_type(model, "fluentd") == {"fluentd": "fluentd", "fluentd-audit": "fluentd_audit"}
    found = model.catalogue.services(NEW)
    assert found["fluentd"].options == {"a": 1, "b": 0}
    assert found["fluentd-audit"].options == {"a": 2, "b": 0}


def test_a_type_of_ones_own_that_is_not_enabled_is_told():
    openstack = with_own_type()
    openstack["services"]["fluentd"] = {**FLUENTD, "enabled": None}
    assert list(warnings.of(model_of(openstack))) == [
        "openstack:services:fluentd: is not enabled, set enabled: true to run it"
    ]


def test_the_image_of_an_own_type_is_needed_and_may_be_a_custom_one():
    openstack = with_own_type()
    openstack["custom_images"] = {"fluentd_image": GOOD}
    assert lines(openstack) == []
    openstack["custom_images"] = {}
    del openstack["releases"][NEW]["images"]["fluentd_image"]
    assert lines(openstack) == [
        f"openstack:releases:{NEW}:images:fluentd_image: is missing, service fluentd needs it"
    ]


def test_an_image_that_a_service_uses_may_be_a_custom_one_though_it_is_listed_as_auxiliary():
    entry = {**FLUENTD, "image": "apache_image"}
    openstack = changed("services", {"httpd": entry})
    openstack["custom_images"] = {"apache_image": GOOD}
    assert lines(openstack) == []


def test_what_lacks_something_to_be_a_type_is_refused_with_that_alone():
    openstack = with_own_type()
    openstack["services"]["fluentd"] = {key: one for key, one in FLUENTD.items() if key != "stage"}
    assert lines(openstack) == [
        "openstack:services:fluentd: 'fluentd' is no known service type. Give its type, or stage too for a"
        " type of its own"
    ]


def test_no_other_entry_makes_an_image_key_known():
    for entry in ({"type": "nova", "container": "x", "image": "x_image"}, {"image": 5}):
        assert any("image" in line for line in wrong("services/mine", entry))


def test_an_own_type_is_checked_as_any_other():
    (line,) = wrong("services/fluentd", {**FLUENTD, "roles": ["controller"]})
    assert line.startswith("openstack:services:fluentd:stage: services is for data plane roles")
    (line,) = wrong("services/fluentd", {**FLUENTD, "container": "nova_compute"})
    assert "nova_compute" in line and line.startswith("openstack:services:fluentd:container: ")


LEGACY = ["edpm_nova_compute", "tripleo_nova_compute"]


def legacy_units(services):
    model = model_of(changed("services", services))
    return {
        name: one.legacy_units
        for name, one in model.catalogue.services(NEW).items()
        if one.type == "nova" and one.enabled
    }


def test_services_beside_each_other_do_not_remove_the_units_of_their_type():
    custom = {"type": "nova", "container": "nova_custom"}
    assert legacy_units({"nova-custom": custom}) == {"nova": LEGACY, "nova-custom": []}
    two = {"nova": {"enabled": False}, "one": custom, "two": {"type": "nova"}}
    assert legacy_units(two) == {"one": [], "two": []}
    said = custom | {"legacy_units": ["edpm_nova_custom"]}
    assert legacy_units({"nova-custom": said}) == {"nova": LEGACY, "nova-custom": ["edpm_nova_custom"]}


def test_a_service_in_the_place_of_its_types_own_removes_that_ones_units():
    custom = {"type": "nova", "container": "nova_custom"}
    services = {"nova": {"enabled": False}, "nova-custom": custom, "off": {"type": "nova", "enabled": False}}
    assert legacy_units(services) == {"nova-custom": LEGACY}


def test_a_release_that_switches_a_type_on_takes_its_units_from_the_others():
    entry = {"type": "cinder-volume", "container": "pure", "enabled": True}
    openstack = changed("services", {"pure": entry})
    openstack["releases"][NEW]["defaults"] = {"services": {"cinder-volume": {"enabled": True}}}
    catalogue = model_of(openstack).catalogue
    found = {version: catalogue.services(version)["pure"].legacy_units for version in (OLD, NEW)}
    assert found == {OLD: catalogue.services(OLD)["cinder-volume"].legacy_units, NEW: []}


@pytest.mark.parametrize("roles", [["controller", "compute"], ["controller"], ["compute"]])
def test_a_service_of_both_planes_is_allowed_any_roles(roles):
    assert lines(changed("services", {"ovn": {"stage": "by_plane", "roles": roles}})) == []


@pytest.mark.parametrize("container", ["cron", "chrony", "tgtd"])
def test_a_found_container_may_be_called_as_a_unit_of_the_system(container):
    openstack = with_own_type()
    openstack["services"]["fluentd"] = {**FLUENTD, "container": container, "definition": "found"}
    assert lines(openstack) == []
