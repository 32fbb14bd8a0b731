"""Services: what the catalogue, a release's defaults and the operator say of one, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema

from openstack_rollout.declared import quadlets
from openstack_rollout.declared.amounts import DAY
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import (
    CONFIG_PATH,
    CONFIG_SOURCE,
    HTTP_PATH,
    AgentName,
    Backend,
    ContainerGlob,
    ContainerName,
    KnownImageKey,
    PackageGlob,
    ServiceType,
    UnitArgument,
    UnitName,
    WholeNumber,
    as_command,
)
from openstack_rollout.declared.options import check as check_options
from openstack_rollout.declared.problems import (
    Path,
    Wrong,
    not_a,
    not_a_key,
    not_a_string,
    raise_all,
    shown,
    suggestion,
)
from openstack_rollout.declared.roles import KnownRole
from openstack_rollout.node.guards import GUARD_NAMES
from openstack_rollout.vocabulary import OsFamily, ServiceStage

#: Image keys that are a map of back ends.
BACKEND_MAPS = ("cinder_volume_images", "manila_share_images")
#: In place of a stage: that of the node's plane, control_plane where it runs for a role of the control plane.
BY_PLANE = "by_plane"


def _guard(value: Any) -> str:
    if not isinstance(value, str) or value not in GUARD_NAMES:
        near = suggestion(value, GUARD_NAMES)
        raise Wrong(f"{shown(value)} is not one of {', '.join(GUARD_NAMES)}{near}")
    return value


def _config_files(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Wrong(not_a("a mapping of paths to salt:// addresses", value))
    lines: list[tuple[Path, str]] = []
    for path, source in value.items():
        if not isinstance(path, str):
            lines.append(((path,), not_a_key(path)))
            continue
        wrong = [CONFIG_PATH.problem(path)]
        wrong += [CONFIG_SOURCE.problem(source) if isinstance(source, str) else not_a_string(source)]
        lines += [((path,), text) for text in wrong if text]
    raise_all(lines)
    return dict(value)


def _options(value: Any, info: ValidationInfo) -> dict[str, Any]:
    return check_options(value, info.context)


def _quadlet(value: Any) -> dict[str, dict[str, Any]]:
    return quadlets.check(value)


def _some_names(value: dict[str, list[str]]) -> dict[str, list[str]]:
    for family, names in value.items():
        if not names:
            raise Wrong("", lines=[((family,), "is empty: leave the family out")])
    return value


def _some_roles(value: list[str]) -> list[str]:
    if not value:
        raise Wrong("is empty: a service has a role, enabled: false switches it off")
    if len(set(value)) != len(value):
        raise Wrong(f"{shown(value)} names a role twice")
    return value


Guard = Annotated[str, PlainValidator(_guard), WithJsonSchema({"enum": list(GUARD_NAMES)})]
ConfigFiles = Annotated[
    dict[str, str],
    PlainValidator(_config_files),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{CONFIG_PATH.pattern}$"},
            "additionalProperties": {"type": "string", "pattern": f"^{CONFIG_SOURCE.pattern}$"},
        }
    ),
]
Options = Annotated[dict[str, Any], PlainValidator(_options), WithJsonSchema({"type": "object"})]
_SCALAR = {"type": ["string", "integer", "boolean", "null"]}
Quadlet = Annotated[
    dict[str, dict[str, Any]],
    PlainValidator(_quadlet),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                section: {
                    "type": ["object", "null"],
                    "propertyNames": {"enum": sorted(keys - quadlets.OWNED[section].keys())},
                    "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
                }
                for section, keys in quadlets.KEYS.items()
            },
        }
    ),
]
HealthCommand = Annotated[
    list[UnitArgument], AfterValidator(lambda value: as_command(value) if value else value)
]
HttpPath = Annotated[
    str,
    AfterValidator(lambda value: HTTP_PATH.check(value) if value else value),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?:{HTTP_PATH.pattern})?$", "maxLength": HTTP_PATH.longest}
    ),
]
#: What is called otherwise by the families of distributions: family → names.
Globs = Annotated[dict[OsFamily, list[PackageGlob]], AfterValidator(_some_names)]
Units = Annotated[dict[OsFamily, list[UnitName]], AfterValidator(_some_names)]
Roles = Annotated[list[KnownRole], AfterValidator(_some_roles)]
StageOfService = Literal[ServiceStage, "by_plane"]
Order = Annotated[int, WholeNumber(0, 100_000)]
Patience = Annotated[int, WholeNumber(1, DAY)]


class Health(Strict):
    """When a container is healthy."""

    command: list[str] = []
    """What exits 0 in a healthy container; empty: the container only has to run."""
    timeout: int = 60
    """Seconds until it has to be healthy."""
    listens: bool = True
    """Whether a service that is packages has to listen on the ports again on which it listened before."""
    http: str = ""
    """The path at which a service that is packages has to answer HTTP; empty: it is not asked."""


class HealthEntry(Strict):
    """When a container is healthy."""

    command: HealthCommand | None = None
    """What exits 0 in a healthy container, as a list of arguments; empty: the container only has to run."""
    timeout: Patience | None = None
    """Seconds until it has to be healthy."""
    listens: bool | None = None
    """Whether a service that is packages has to listen on the ports again on which it listened before its
    restart; by default true. false for a version that gives up a port."""
    http: HttpPath | None = None
    """The path at which a service that is packages has to answer HTTP on its own ports, with any status below
    500, with TLS or without; empty: it is not asked."""


class Entry(Strict):
    """What one layer says of a service: that of all, a type, a release's defaults. Any key may lack."""

    deploy: Literal["container", "package"] | None = None
    """How it is deployed: in a container, or as packages under units of their own."""
    packages: Globs | None = None
    """Its packages (globs), by os_family; where it is deployed as packages."""
    libraries: Globs | None = None
    """Packages (globs) that it runs and shares with others, by os_family: it restarts after they moved."""
    units: Units | None = None
    """Its units, without .service, by os_family; where it is deployed as packages."""
    agent: AgentName | None = None
    """What OpenStack's API calls its agent (nova-compute), which has to tell of itself again after a restart;
    of a service that is packages, and where a drain speaks to OpenStack anyway."""
    image: KnownImageKey | None = None
    """The key of the release's images."""
    backend: Backend | None = None
    """The back end, where the image key is a map of them; by default `default`."""
    container: ContainerName | None = None
    """The name of the container, and of its unit."""
    roles: Roles | None = None
    """Where it runs: known roles, or your own."""
    stage: StageOfService | None = None
    """The stage in which it moves; by_plane: control_plane on nodes of the control plane, services on
    others."""
    order: Order | None = None
    """When it moves within its stage: ascending."""
    alone: bool | None = None
    """Whether it goes over all controllers, one at a time, before the next service begins."""
    definition: Literal["found", "declared"] | None = None
    """found: the container is its deployer's, only its image changes; declared: it is this catalogue's."""
    start: Literal["kolla", "image"] | None = None
    """What starts in a declared container. kolla: the image's kolla_start, which needs its config.json;
    image: the image's own command, which needs nothing of that."""
    sidecars: list[ContainerGlob] | None = None
    """Containers (globs) that it starts itself, of its own image: told as old until it starts them again."""
    one_shot: bool | None = None
    """Whether it does its work and ends: never counted as stopped. Only its definition gets the new image; it
    starts when its deployer starts it. Only where the definition is found."""
    config: Literal["run", "rerender"] | None = None
    """run: only the image changes; rerender: config_files are rendered before the container starts. Where the
    definition is found, only what the operator or a release says counts."""
    config_files: ConfigFiles | None = None
    """Path on the node → template on Salt's file server."""
    options: Options | None = None
    """What the templates get: any plain data."""
    quadlet: Quadlet | None = None
    """Sections of the container's quadlet and their keys; a list is one line each."""
    health: HealthEntry | None = None
    """When the container is healthy."""
    guard: Guard | None = None
    """Who sees the container through its change."""
    legacy_units: list[UnitName] | None = None
    """Units of earlier installers that ran it, without .service; removed, since two may not run it."""
    enabled: bool | None = None
    """Whether it is there at all."""
    irreversible: bool | None = None
    """Whether it cannot go back once it has moved, such as one that migrates what it stores: a rollback of a
    run that moved it is refused.
    """


class ServiceEntry(Entry):
    """What the operator says of a service. Any key may lack."""

    type: ServiceType | None = None
    """The service type whose description it starts from; by default the one of its own name. Where there is
    none, it is a type of its own: image, container, roles and stage are needed then."""


class Service(Strict):
    """A service as all layers together have it: of parts that were checked as each layer said them."""

    name: str
    type: str
    image: str = ""
    container: str = ""
    roles: list[str] = Field(min_length=1)
    stage: StageOfService
    deploy: Literal["container", "package"] = "container"
    packages: dict[str, list[str]] = {}
    libraries: dict[str, list[str]] = {}
    units: dict[str, list[str]] = {}
    agent: str | None = None
    backend: str | None = None
    order: int = 0
    alone: bool = False
    definition: Literal["found", "declared"] = "found"
    start: Literal["kolla", "image"] = "kolla"
    sidecars: list[str] = []
    one_shot: bool = False
    config: Literal["run", "rerender"] = "run"
    config_files: dict[str, str] = {}
    options: dict[str, Any] = {}
    quadlet: dict[str, dict[str, Any]] = {}
    health: Health = Health()
    guard: str = "none"
    legacy_units: list[str] = []
    enabled: bool = False
    irreversible: bool = False

    @property
    def image_key(self) -> tuple[str, str | None]:
        """The image key, and the back end where it is a map of them: ("cinder_volume_images", "pure")."""
        return (self.image, self.backend or "default") if self.image in BACKEND_MAPS else (self.image, None)
