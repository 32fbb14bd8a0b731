"""The pillar's `openstack` as types: the operator's page, the catalogue of services and that of releases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from openstack_rollout.declared import content, releases, version_order
from openstack_rollout.declared import roles as of_roles
from openstack_rollout.declared.audit import Audit
from openstack_rollout.declared.backup import Backup
from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.catalogue import Catalogue
from openstack_rollout.declared.deployers import Deployer
from openstack_rollout.declared.hooks import Hooks, Moment
from openstack_rollout.declared.images import CustomImages
from openstack_rollout.declared.monitoring import Monitoring
from openstack_rollout.declared.names import (
    Address,
    ImageKey,
    ReleaseName,
    ServiceGlob,
    ServiceName,
    Target,
    Word,
    ZoneName,
)
from openstack_rollout.declared.notifications import Notifications
from openstack_rollout.declared.own_policies import PoliciesOfRoles
from openstack_rollout.declared.policies import DISTURBING, Policies
from openstack_rollout.declared.problems import raise_all, shown
from openstack_rollout.declared.public_keys import PublicKey
from openstack_rollout.declared.registries import Registries
from openstack_rollout.declared.releases import Check, Release, distinct
from openstack_rollout.declared.roles import Roles
from openstack_rollout.declared.services import Entry, ServiceEntry
from openstack_rollout.declared.settings import (
    History,
    Ovn,
    Ovs,
    Packages,
    Preflight,
    Prune,
    Pulls,
    System,
    Verification,
)
from openstack_rollout.declared.windows import Window
from openstack_rollout.vocabulary import ROLES, Stage

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
    roles: Roles = {}
    """Which minions have which role: compound targets, not by pillar or nodegroup. A role of your own is a
    mapping that says its plane."""
    zones: dict[ZoneName, Target] = {}
    """Failure domains: compound targets, for per_zone."""
    monitoring: Monitoring = Monitoring()
    """The servers that gates of policies ask, and that silence alerts."""
    policies: PoliciesOfRoles = Field(default=Policies(), validate_default=True)
    """How each role is updated."""
    window: Window | None = None
    """When nodes may be touched; at any time by default."""
    notifications: Notifications = Notifications()
    """Who is told of what becomes of a run; nobody by default."""
    audit: Audit | None = None
    """Which servers and addresses are probed while an update runs; none by default."""
    ignore_addresses: list[Address] = []
    """Virtual addresses of keepalived that may be on any number of nodes, such as one that two sites have."""
    ignore_services: list[ServiceGlob] = []
    """Programs, units or containers (globs) that are no workloads although they listen and write files, and
    no kind of service is known that they are of."""
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
    ovn: Ovn = Ovn()
    """OVN's controllers."""
    packages: Packages = Packages()
    """Packages that move with the services."""
    pulls: Pulls = Pulls()
    """Images that nodes pull."""
    backup: Backup = Backup()
    """Copies of what an update cannot give back; none by default."""
    registries: Registries = {}
    """Registries, or paths in them, that want a login or have mirrors; of others the configuration of nodes
    and master counts alone. A node is told of those from which it pulls."""
    history: History = History()
    """What is kept of runs that ended."""
    prune: Prune = Prune()
    """What nodes keep of releases that nobody needs any more."""
    preflight: Preflight = Preflight()
    """What is looked at before a run begins."""
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
    checks: list[Check] = []
    """What is asked of every node whose service is about to move, with every release, before anything is
    touched."""
    releases: Annotated[dict[ReleaseName, Release], AfterValidator(distinct)] = {}
    """The catalogue of releases, by version."""
    require_signed: bool = False
    """Whether each release file has to be signed by one of `release_keys`. No other is rendered, and while
    there is one, no node gets anything."""
    release_keys: list[PublicKey] = []
    """Public keys (PEM), by one of which release files are signed: 1_0_1.sls has its signature beside it, in
    1_0_1.sls.sig."""
    _backs: Mapping[str, Mapping[str, Any]] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _kept_are_releases(self) -> Model:
        unknown = [(number, name) for number, name in enumerate(self.prune.keep) if name not in self.releases]
        known = releases.choices(self.ordered) if unknown else ""
        raise_all(
            [
                (("prune", "keep", number), f"{shown(name)} is not a release; {known}")
                for number, name in unknown
            ]
        )
        return self

    @model_validator(mode="after")
    def _somebody_signs(self) -> Model:
        if self.require_signed and not self.release_keys:
            raise_all([(("release_keys",), "names no key, and require_signed wants signatures by one")])
        return self

    @property
    def backs(self) -> Mapping[str, Mapping[str, Any]] | None:
        """What nodes have to be in place of the target (records.way_back.Back), by node id, while a rollback
        is in force: the others are left alone. None without one.
        """
        return self._backs

    def turned(self, backs: Mapping[str, Mapping[str, Any]] | None) -> Model:
        """The same, with a rollback in force, or with none."""
        found = self.model_copy()
        found._backs = backs
        return found

    @cached_property
    def catalogue(self) -> Catalogue:
        """The services, of each release."""
        return Catalogue(self)

    @cached_property
    def ordered(self) -> list[str]:
        """The versions of the catalogue of releases, oldest first."""
        return version_order.in_order(releases.said_by(self.releases))[0]

    @cached_property
    def targets(self) -> dict[str, str]:
        """Role → target, in the order of the roles: own ones after the known one as which they go."""
        order = of_roles.in_order(ROLES, self.roles)
        return {name: self.roles[name].target for name in order if name in self.roles}

    @cached_property
    def content(self) -> dict[str, str]:
        """Stage → the fingerprint of what it brings nodes to. Raises RolloutError without a target."""
        return content.of(self)

    @property
    def known_roles(self) -> tuple[str, ...]:
        """The names of all roles that a node may have: the known ones and those that are declared."""
        return tuple(dict.fromkeys((*ROLES, *self.roles)))

    def base(self, role: str) -> str:
        """The known role as which a role goes."""
        return of_roles.base(role, self.roles)

    def is_control_plane(self, roles: Iterable[str]) -> bool:
        """Whether one of these roles is of the control plane, whose nodes go one at a time."""
        return any(self.base(role) == of_roles.CONTROLLER for role in roles)

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
