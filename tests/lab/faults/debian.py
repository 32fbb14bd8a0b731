"""The faults of a machine that is plain Debian."""

from __future__ import annotations

from ..events import step
from . import machines, masters, packages, registries
from .matrix import Fault

KEY = masters.METADATA
NODE = "cmp1"
PLAIN = "lab-plain"
_FOLDER = f"/usr/share/{PLAIN}"
_APPLY = step(stage="services", node=NODE, step="apply", status="started")
_OLDER = packages.debs_older(NODE, PLAIN)

FAULTS = (
    Fault("the registry is away", ("REGISTRY_UNREACHABLE",), registries.away, registries.back,
          untouched=True),
    Fault("a digest that the registry does not have", ("IMAGE_MISSING",), registries.forget_images,
          images=masters.digest_missing, untouched=True),
    Fault("no room to unpack an image", ("DISK_FULL",), registries.no_room_to_unpack,
          registries.room_to_unpack, untouched=True),
    Fault("an image that exits at once", ("CONTAINER_EXITED",), registries.forget_images,
          images=masters.image("broken")),
    Fault("the plug is pulled in mid-apply", ("NODE_SILENT",), machines.plug_pulled(NODE),
          machines.switched_on(NODE), when=_APPLY, page={"policies": {"compute": {"silence": 20}}},
          hit=(NODE,)),
    Fault("the machine is rebooted in mid-apply", ("NODE_REBOOTED",), machines.rebooted(NODE),
          machines.switched_on(NODE), when=_APPLY, hit=(NODE,)),
    Fault("the index of a repository is gone", ("REPOSITORY_BROKEN",),
          packages.together(_OLDER, packages.indexes_gone), packages.indexes_back),
    Fault("dpkg's lock is held", ("PACKAGE_LOCKED",),
          packages.together(_OLDER, packages.lock_held(NODE, packages.DPKG_LOCK)),
          packages.lock_free(NODE), page={"packages": {"lock_timeout": 4}}),
    Fault("no room for a package's file", ("DISK_FULL", "PACKAGE_FAILED"),
          packages.together(_OLDER, packages.no_room_for(NODE, _FOLDER)), packages.room_for(NODE, _FOLDER)),
    Fault("dpkg is killed in mid-transaction", ("PACKAGE_FAILED",),
          packages.together(_OLDER, packages.killed(NODE, f"{_FOLDER}/VERSION.dpkg-new", "")),
          packages.was_killed(NODE)),
)  # fmt: skip
