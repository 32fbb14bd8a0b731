"""The faults of a small cloud of RHEL's flavour: a controller, a gateway, two computes."""

from __future__ import annotations

from ..events import step
from . import machines, masters, packages, registries
from .matrix import Fault

KEY = masters.METADATA
AGENT = "ovn_metadata_agent"
TOKEN = "s3cr3t-t0ken"
_QUICK = {"policies": {"compute": {"silence": 20}}}
_APPLY = step(stage="services", node="cmp1", step="apply", status="started")
_PREFETCHED = step(stage="services", node="cmp1", step="apply", status="started")
_SELINUX = "openstack-selinux"

DECLARED = (
    Fault("a target that no release is", ("UNKNOWN_TARGET",), masters.page(target_version="9.9.9"),
          untouched=True),
    Fault("a policy that is misspelt", ("INVALID_PILLAR",), masters.page(policies={"compute": {"bach": 2}}),
          untouched=True),
    Fault("a release file that does not render", (), masters.release_does_not_render, masters.release_renders,
          by_salt="Rendering SLS 'openstack.releases.", untouched=True),
    Fault("a role names a minion that is not there", ("NO_NODES",),
          masters.page(roles={"controller": "ctl*", "gateway": "gtw*", "compute": "L@cmp1,cmp2,cmp9"}),
          untouched=True),
    Fault("a quadlet key that podman does not know", ("DEFINITION_REFUSED", "INVALID_PILLAR"),
          masters.page(services={"neutron-metadata": {"quadlet": {"Container": {"PodmanArg": "x"}}}}),
          untouched=True),
    Fault("a record of the journal is garbage", ("JOURNAL_DAMAGED",), masters.journal_garbage,
          masters.journal_repaired, untouched=True),
)  # fmt: skip
REGISTRY = (
    Fault("the registry is away", ("REGISTRY_UNREACHABLE",), registries.away, registries.back,
          untouched=True),
    Fault("the registry accepts and never answers", ("REGISTRY_UNREACHABLE",), registries.behaves("silent"),
          registries.back, untouched=True),
    Fault("the registry wants a login", ("REGISTRY_LOGIN",), registries.behaves("401"), registries.back,
          untouched=True),
    Fault("the registry allows no more pulls", ("REGISTRY_RATE_LIMIT",), registries.behaves("429"),
          registries.back, untouched=True, limit=700),
    Fault("the registry has an error of its own", ("REGISTRY_UNREACHABLE",), registries.behaves("500"),
          registries.back, untouched=True),
    Fault("a digest that the registry does not have", ("IMAGE_MISSING",), registries.forget_images,
          images=masters.digest_missing, untouched=True),
    Fault("a node wants signatures", ("SIGNATURE_WRONG",), registries.wants_signatures,
          registries.wants_none, untouched=True),
    Fault("no room to unpack an image", ("DISK_FULL",), registries.no_room_to_unpack,
          registries.room_to_unpack, untouched=True),
    Fault("the registry goes away after prefetch", (), lambda case: case.lab.stop_registry(),
          registries.back, when=_APPLY),
    Fault("images are removed after prefetch", (), machines.images_removed("cmp1"), when=_APPLY),
)  # fmt: skip
MACHINES = (
    Fault("a machine is off", ("NODE_SILENT",), machines.plug_pulled("cmp2"), machines.switched_on("cmp2"),
          hit=("cmp2",), untouched=True),
    Fault("a minion does not run", ("NODE_SILENT",), machines.minion_stopped("cmp2"),
          machines.minion_started("cmp2"), untouched=True),
    Fault("a minion's key was made anew", ("KEY_DENIED",), machines.key_made_anew("cmp2"),
          machines.key_accepted("cmp2"), untouched=True),
    Fault("the plug is pulled in mid-apply", ("NODE_SILENT",), machines.plug_pulled("cmp1"),
          machines.switched_on("cmp1"), when=_APPLY, page=_QUICK, hit=("cmp1",)),
    Fault("the machine is rebooted in mid-apply", ("NODE_REBOOTED",), machines.rebooted("cmp1"),
          machines.switched_on("cmp1"), when=_APPLY, hit=("cmp1",)),
    Fault("a minion stands still for ever", ("NODE_SILENT",), machines.frozen("cmp1"),
          machines.thawed("cmp1"), when=_APPLY, page=_QUICK),
    Fault("a minion stands still for 40 s", (), machines.frozen("cmp1", 40), when=_APPLY,
          page={"policies": {"compute": {"silence": 180}}}),
    Fault("a node's network is away for 20 s", (), machines.network_cut("cmp1", 20), when=_APPLY,
          page={"policies": {"compute": {"silence": 180}}}),
    Fault("the unit of a running container is masked", ("UNIT_MASKED",),
          machines.masked("cmp1", AGENT), machines.unit_gone("cmp1", AGENT)),
    Fault("a unit stands before the quadlet's", ("DEFINITION_REFUSED", "CONTAINER_FOREIGN"),
          machines.shadowed("cmp1", AGENT), machines.unit_gone("cmp1", AGENT)),
    Fault("a drop-in that the generator refuses", ("DEFINITION_REFUSED",),
          machines.bad_drop_in("cmp1", AGENT), machines.drop_in_gone("cmp1", AGENT)),
)  # fmt: skip
CONTAINERS = (
    Fault("an image that exits at once", ("CONTAINER_EXITED",), registries.forget_images,
          images=masters.image("broken")),
    Fault("an image that stays unhealthy", ("CONTAINER_UNHEALTHY",), registries.forget_images,
          images=masters.image("unhealthy")),
)  # fmt: skip
RUN = (
    Fault("the run is killed", ("INTERRUPTED", ""), masters.run_killed, when=_APPLY),
    Fault("the operator pauses", ("PAUSED_BY_OPERATOR",), masters.told("pause"), when=_APPLY),
    Fault("the operator aborts", ("ABORTED",), masters.told("abort"), when=_APPLY),
    Fault("the salt-master is restarted", (), masters.master_restarted, when=_APPLY,
          page={"policies": {"compute": {"silence": 180}}}),
    Fault("a digest is edited in mid-run", ("TARGET_CHANGED",), masters.digest_edited, when=_APPLY),
    Fault("another target is named in mid-run", ("TARGET_CHANGED",), masters.target_edited, when=_APPLY),
    Fault("a hook fails", ("HOOK_FAILED",), lambda case: None,
          page=masters.hook(command=["/usr/bin/false", TOKEN])),
    Fault("a hook takes too long", ("HOOK_FAILED",), lambda case: None,
          page=masters.hook(command=["/usr/bin/env", f"TOKEN={TOKEN}", "sleep", "600"], timeout=2)),
    Fault("a hook's program is not there, go on", (), lambda case: None,
          page=masters.hook(command=["/usr/bin/lab-nothing", TOKEN], on_failure="go_on")),
)  # fmt: skip
PACKAGES = (
    Fault("the repositories are broken", ("REPOSITORY_BROKEN", "PACKAGE_DOWNLOAD_FAILED"),
          packages.repository_broken, packages.repository_whole, packages="1.0.1"),
    Fault("the package manager's lock is held", ("PACKAGE_LOCKED",),
          packages.together(packages.older(("cmp1",), _SELINUX),
                            packages.lock_held("cmp1", packages.RPM_LOCK)),
          packages.lock_free("cmp1"), page={"packages": {"lock_timeout": 4}}, packages="1.0.1"),
    Fault("dnf is killed in mid-transaction", ("PACKAGE_FAILED",),
          packages.together(packages.older(("cmp1",), _SELINUX), packages.killed_at("cmp1", _SELINUX)),
          packages.was_killed("cmp1"), packages="1.0.1"),
)  # fmt: skip
FAULTS = (*DECLARED, *REGISTRY, *CONTAINERS, *MACHINES, *RUN, *PACKAGES)
