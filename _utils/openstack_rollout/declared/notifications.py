"""Who is told of what becomes of a run."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import Text
from openstack_rollout.declared.secrets import Secret

Happening = Literal["pause", "failure", "confirmation", "end"]
HAPPENINGS: tuple[Happening, ...] = get_args(Happening)
Link = Annotated[str, Text(r"https?://[!-~]+", "has to be the address of a page", 1000)]


class Notifications(Strict):
    """Who is told, once of each happening, through apprise."""

    to: list[Secret] = []
    """The sdb:// addresses of those who are told: there is a URL of apprise, such as mailtos://… or slack://…"""
    about: list[Happening] = list(HAPPENINGS)
    """Of what they are told: that a run pauses, that a node failed, that a yes is waited for, that a run
    ended."""
    link: Link | None = None
    """The address of a page that is told too; {run} in it is the run's identifier."""
