"""The servers of a cloud's monitoring, and how the master speaks to them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import PlainValidator, WithJsonSchema, model_validator

from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import Line, Text, WholeNumber
from openstack_rollout.declared.problems import Wrong
from openstack_rollout.declared.secrets import Secret

_LONGEST = 1000


def _address(value: Any) -> str:
    """The address of a server. It may have a password in it: no line shows it."""
    text = value if isinstance(value, str) and len(value) <= _LONGEST else ""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or not re.fullmatch(r"[!-~]+", text):
        raise Wrong("has to be the address of a server, such as https://prometheus.example:9090")
    if "@" in parts.netloc:
        raise Wrong("has a login in it: give it as username and password, or as token")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise Wrong("has more than an address: leave out what begins with ? or #")
    if re.search(r"/api/v[12](?:/|$)", parts.path):
        raise Wrong("has the path of the API in it: leave out what begins with /api")
    return text.rstrip("/")


Address = Annotated[
    str, PlainValidator(_address), WithJsonSchema({"type": "string", "pattern": "^https?://[!-~]+$"})
]
FilePath = Annotated[str, Text(r"(?:/[A-Za-z0-9_.+@%=:,~-]+)+", "has to be the absolute path of a file", 512)]
Seconds = Annotated[int, WholeNumber(1, 300)]


class Server(Strict):
    """A server that the master asks over HTTP."""

    address: Address
    """Its address, such as https://prometheus.example:9090, without the path of the API."""
    cacert: FilePath | None = None
    """A file with the certificates of the authorities that its certificate is of, on the master; by default
    those that the master trusts. There is no way to leave the verification out."""
    username: Line | None = None
    """The user, where it asks for one."""
    password: Secret | None = None
    """The sdb:// address of the password."""
    token: Secret | None = None
    """The sdb:// address of a bearer token, in place of a user."""
    connect_timeout: Seconds = 5
    """Seconds until it has to take a connection."""
    read_timeout: Seconds = 10
    """Seconds until it has to have answered."""

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.token is not None and (self.username or self.password):
            text = "a token is in place of username and password: leave it out, or them"
            raise Wrong(text, lines=[(("token",), text)])
        if (self.username is None) != (self.password is None):
            lacks = "password" if self.username else "username"
            text = f"{lacks} is missing: a user and a password belong together"
            raise Wrong(text)
        if self.cacert and not self.address.startswith("https:"):
            text = "is of no use: the address is not https"
            raise Wrong(text, lines=[(("cacert",), text)])
        return self


class Monitoring(Strict):
    """The cloud's own monitoring, for the gates and silences of policies alone."""

    prometheus: Server | None = None
    """Prometheus, or what speaks its query API (Thanos, Mimir, VictoriaMetrics)."""
    alertmanager: Server | None = None
    """Alertmanager, or what speaks its API v2."""
