"""What release.import says: everything that was taken, and everything that was not."""

from openstack_rollout.declared import importing
from openstack_rollout.declared.sources import telling
from openstack_rollout.on_salt import importing as of_salt
from openstack_rollout.screens import release_import
from tests.unit.declared.sources.given_sources import MODEL, text
from tests.unit.loading import load


def data(name, **options):
    source = telling.read(text(name))
    found, custom = importing.read(MODEL, source, None, options.get("skip", ()), None)
    return of_salt.report(MODEL, f"/root/{name}", source, found, custom)


def test_an_import_is_told_line_by_line():
    said = release_import.text(data("csv.yaml")).splitlines()
    assert said[0] == "/root/csv.yaml: ClusterServiceVersion"
    for line in (
        "release 0.9.1.1750000000.p: 5 images",
        "    heat_api_image: reg.example:5000/os/heat-api:rel-9 (RELATED_IMAGE_HEAT_API_IMAGE_URL_DEFAULT)",
        "    infra_dnsmasq_image <- neutron_api_image",
        "    RELATED_IMAGE_HORIZON_IMAGE_URL_DEFAULT: has its image elsewhere: valueFrom",
        "    RELATED_IMAGE_KEYSTON_API_IMAGE_URL_DEFAULT: no image key or service type has it:"
        " did you mean keystone_api_image?",
        "    nova_compute_image: nova",
    ):
        assert line in said, line
    assert "  missing for enabled services:" in said


def test_releases_and_custom_images_are_apart():
    said = release_import.text(data("openstackversion.yaml"))
    first, older, newer, custom = said.split("\n\n")
    assert first == "/root/openstackversion.yaml: OpenStackVersion"
    assert older.startswith("release 18.0.9-20250605.1: 2 images\n")
    assert newer.startswith("release 18.0.11-20260110.1: 2 images\n")
    assert "  changed since 18.0.9-20250605.1:\n    keystone_api_image: reg.example/os/keystone:9 ->" in newer
    assert custom.startswith("custom_images, for openstack:custom_images of the pillar:\n  taken:\n")
    assert "    placementApiImage is spelt placementAPIImage" in custom
    assert "  without a tag, taken as :latest, which moves:\n    manila_share_images:netapp" in custom


def test_a_name_that_the_reference_says_is_not_said_twice():
    said = release_import.text(data("kolla.txt"))
    line = "    nova_api_image: reg.example:4000/kolla/nova-api:2025.2-debian-bookworm\n"
    assert line in said
    assert "grafana:11: no image key or service type has it" in said


def test_the_outputter_knows_it():
    assert load("output", "rollout").output(data("kolla.txt")).startswith("/root/kolla.txt: list of images")
