"""The pillar's `openstack` as types: the operator's page, the catalogue of services and that of releases."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.catalogue import Catalogue
from openstack_rollout.declared.deployers import Deployer
from openstack_rollout.declared.hooks import Hooks, Moment
from openstack_rollout.declared.images import CustomImages
from openstack_rollout.declared.names import ImageKey, ReleaseName, ServiceName, Target, Word, ZoneName
from openstack_rollout.declared.policies import DISTURBING, Policies
from openstack_rollout.declared.releases import Release, distinct
from openstack_rollout.declared.services import Entry, ServiceEntry
from openstack_rollout.declared.settings import Ovs, Packages, System, Verification
from openstack_rollout.vocabulary import Role, Stage

_Moments = Annotated[dict[Moment, Hooks], BeforeValidator(without_nulls)]


class Model(Strict):
    """All that is declared."""

    name: Word = "openstack"
    """What reports call the cloud."""
    target_version: str = ""
    """The release that every node has to be at; empty: only the system can be updated."""
    keep_custom_images_for: ReleaseName | None = None
    """The target for which the custom images are meant to stay as they are."""
    custom_images: CustomImages = {}
    """Images in place of the release's, by image key; by back end where the key is a map of them."""
    roles: dict[Role, Target] = {}
    """Which minions have which role: compound targets, not by pillar or nodegroup."""
    zones: dict[ZoneName, Target] = {}
    """Failure domains: compound targets, for per_zone."""
    policies: Policies = Policies()
    """How each role is updated."""
    cloud: Word = "openstack"
    """The entry of clouds.yaml under which the master speaks to OpenStack."""
    opencontrail: bool = False
    """Whether the cloud's networks are of OpenContrail."""
    verification: Verification = Verification()
    """What is tried at the end of an update."""
    system: System = System()
    """The system stage."""
    hooks: Annotated[dict[Stage, _Moments], BeforeValidator(without_nulls)] = {}
    """Commands or SLS of the operator before and after the steps of a stage: stage → moment → list."""
    ovs: Ovs = Ovs()
    """Open vSwitch."""
    packages: Packages = Packages()
    """Packages that move with the services."""
    services: dict[ServiceName, ServiceEntry | None] = {}
    """Changes to the catalogue, and further services of a type, by name."""
    service_defaults: Entry = Entry()
    """What all services have in common."""
    service_types: dict[ServiceName, Entry] = {}
    """The catalogue: what is known about each service type."""
    auxiliary_images: list[ImageKey] = []
    """Image keys that a release may hold although no service of a node runs them."""
    deployers: dict[Word, Deployer] = {}
    """What other deployers call their units and containers, for a survey, by the deployer's name."""
    releases: Annotated[dict[ReleaseName, Release], AfterValidator(distinct)] = {}
    """The catalogue of releases, by version."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The services, of each release."""
        return Catalogue(self)

    @property
    def verifies(self) -> bool:
        """Whether the cloud is tried at the end of an update: on where a drain speaks to OpenStack anyway."""
        said = self.verification.enabled
        return self.policies.speak_to_openstack if said is None else said

    def drained_before(self, role: str) -> frozenset[str]:
        """The stages before which nodes of a role are drained; Open vSwitch's only where it is reloaded."""
        wanted = self.policies.of(role).drains_before
        if wanted is not None:
            return frozenset(wanted)
        return frozenset(stage for stage in DISTURBING if stage != "ovs" or self.ovs.reload)
