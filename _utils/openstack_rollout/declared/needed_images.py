"""The images that a cloud needs of a release: those of enabled services that a role has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openstack_rollout.declared import releases

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model


def of(model: Model, version: str) -> dict[str, str]:
    """Pillar key → reference of the images that containers of this cloud are to run, custom ones included.

    version (str): a release of the catalogue. Raises RolloutError UNKNOWN_TARGET or EMPTY_CATALOGUE.
    """
    release = releases.get(model, version)
    found: dict[str, str] = {}
    for service in model.catalogue.of_node(model.targets, version):
        if service.deploy != "container":
            continue
        reference = releases.image(model, release, *service.image_key)
        if reference is not None:
            found[_where(model, version, service.image_key, reference)] = reference
    return found


def _where(model: Model, version: str, image_key: tuple[str, str | None], reference: str) -> str:
    """The pillar key that says it; that of the service's own back end before the default one."""
    key, backend = image_key
    for place, images in (
        ("openstack:custom_images", model.custom_images),
        (f"openstack:releases:{version}:images", model.releases[version].images),
    ):
        said = {name: one for name, of_key, one in releases.references_of(images) if of_key == key}
        for name in (key, f"{key}:{backend}", f"{key}:default"):
            if said.get(name) == reference:
                return f"{place}:{name}"
    raise AssertionError("an image is one of those that are declared")
