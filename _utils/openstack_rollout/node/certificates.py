"""The certificates of OpenStack's services on this node, and when they end. No private key is told."""

from __future__ import annotations

import calendar
import glob
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

#: Where deployers of OpenStack put them. CAs that a system trusts are not among them.
PLACES = (
    "/etc/pki/tls/certs/*.crt",
    "/etc/pki/tls/certs/*/*.crt",
    "/etc/pki/tls/private/overcloud_endpoint.pem",
    *(f"/etc/pki/{name}/**/*.{end}" for name in ("libvirt*", "qemu", "haproxy") for end in ("pem", "crt")),
    *(f"/etc/kolla/**/*.{end}" for end in ("pem", "crt")),
    *(f"/var/lib/openstack/certs/**/*.{end}" for end in ("pem", "crt")),
    *(
        f"/etc/{name}/**/*.{end}"
        for name in ("haproxy", "openvswitch", "ovn", "octavia/certs", "rabbitmq", "mysql", "ssl/openstack")
        for end in ("pem", "crt")
    ),
    *(f"/etc/{name}/ssl/**/*.{end}" for name in ("apache2", "nginx") for end in ("pem", "crt")),
    "/etc/openvswitch/*-cert.pem",
)
#: What packages put there for themselves, and nobody uses, and collections of CAs.
_NOT = ("localhost.crt", "ca-bundle.crt", "ca-bundle.trust.crt", "tls-ca-bundle.pem")
_MOST_FILES, _LARGEST = 300, 256 * 1024
_BUNDLE = 8  # certificates in one file: those are CAs
_DAY = 86_400
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
_TIME = "%Y-%m-%d %H:%M:%S"


def ending(
    salt: Mapping[str, Any], days: float, places: Iterable[str] = (), now: float | None = None
) -> list[dict[str, Any]]:
    """The certificates that have ended, or end within some days.

    salt (dict): the caller's `__salt__`. days (float). places: further globs, absolute. now: seconds since
    the epoch, by default those of the clock.

    Returns [{"path", "subject", "ends": seconds since the epoch}], the first that ends first.
    """
    read = salt["x509.read_certificate"]
    limit = (time.time() if now is None else now) + days * _DAY
    found = []
    for path in _files((*PLACES, *places)):
        text = _first(path)
        if not text:
            continue
        try:
            told = read(text)
            ends = calendar.timegm(time.strptime(told["not_after"], _TIME))
        except (CommandExecutionError, SaltInvocationError, KeyError, ValueError):
            continue  # what cannot be read is used by nobody
        if ends <= limit:
            found.append({"path": str(path), "subject": str(told["subject_str"]), "ends": ends})
    return sorted(found, key=lambda one: (one["ends"], one["path"]))


def _files(places: Iterable[str]) -> Iterator[Path]:
    """The files of some globs, each once, whatever links lead to it."""
    known: set[Path] = set()
    for place in places:
        for name in sorted(glob.iglob(place, recursive=True)):
            path = Path(name)
            real = path.resolve()
            if path.name in _NOT or real in known or not real.is_file():
                continue
            known.add(real)
            yield path
            if len(known) >= _MOST_FILES:
                return


def _first(path: Path) -> str:
    """The first certificate in a file, that of the service itself; "" where it has none, or is of CAs."""
    try:
        if path.stat().st_size > _LARGEST:
            return ""
        listed = _PEM.findall(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return listed[0] if 0 < len(listed) <= _BUNDLE else ""
