"""Registries that want a login, have mirrors, or whose images have to be signed."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from openstack_rollout.declared import references
from openstack_rollout.declared.base import Strict, without_nulls
from openstack_rollout.declared.image_signers import Gpg, Identity
from openstack_rollout.declared.names import Line, Text
from openstack_rollout.declared.problems import Wrong
from openstack_rollout.declared.public_keys import PublicKey
from openstack_rollout.declared.secrets import Secret
from openstack_rollout.vocabulary import SIGNED_BY

_LONGEST = 400


def _place(value: str) -> str:
    """What is wrong with a place in a registry, "" for nothing."""
    registry, slash, path = value.partition("/")
    try:
        # Any repository will do where none is named.
        references.parse(f"{registry}/{path if slash else 'any'}:any")
    except ValueError as error:
        return str(error).replace(":any", "")
    return ""


PLACE = Text(
    r"[A-Za-z0-9\[\]:._/-]+",
    "has to be a registry, such as registry.example, or a path in it",
    _LONGEST,
    _place,
)
Place = Annotated[str, PLACE]


class Registry(Strict):
    """How a registry, or what is below a path of it, is reached by nodes and the master."""

    username: Line | None = None
    """The user, where it wants a login."""
    password: Secret | None = None
    """The sdb:// address of the password, or of a token that is given in its place."""
    mirrors: list[Place] = []
    """Places that are asked before it, in this order, for the same images by the same digests; what is below
    the registry, or its path, is below them. Podman's alone."""
    signed_by: list[PublicKey] = []
    """Public keys (PEM), by one of which its images have to be signed as cosign and podman do; [] for none.
    Checked by the master before anything is touched, and by podman on each node beside its own policy."""
    signed_by_gpg: Gpg | None = None
    """The same by GPG's simple signing, in place of signed_by."""
    signed_by_identity: Identity | None = None
    """The same by cosign without a key, in place of signed_by."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            lacks = "password" if self.username else "username"
            raise Wrong(f"{lacks} is missing: a user and a password belong together")
        if self.username and ":" in self.username:
            text = "has a colon in it, which ends a user's name"
            raise Wrong(text, lines=[(("username",), text)])
        if (kinds := [kind for kind in SIGNED_BY if getattr(self, kind)])[1:]:
            text = "images are signed in one way: leave the other out"
            raise Wrong(text, lines=[((kinds[1],), text)])
        twice = {one for one in self.mirrors if self.mirrors.count(one) > 1}
        if twice:
            text = f"names {', '.join(sorted(twice))} twice"
            raise Wrong(text, lines=[(("mirrors",), text)])
        return self


Registries = Annotated[dict[Place, Registry], BeforeValidator(without_nulls)]
