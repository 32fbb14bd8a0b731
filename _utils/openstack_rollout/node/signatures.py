"""Signatures that an image has to have: podman is given the node's own policy, made stricter for one pull.

What is declared comes on top of what the node asks for (containers-policy.json(5)): both have to hold, so no
policy of a node becomes looser. Nothing of the node's own configuration is written.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from openstack_rollout.node import images, registries
from openstack_rollout.node.errors import NodeError

_SYSTEM = Path("/etc/containers")
_OTHERS = Path("/usr/share/containers")
_BELOW_HOME = Path(".config/containers")
_LOOKED_UP = "registries.d"
_OWN_FILE = "openstack-rollout.yaml"
_REJECT = [{"type": "reject"}]  # without a policy podman itself pulls nothing


class Enforced(NamedTuple):
    """What makes podman ask for the signatures: arguments of its pull, and variables."""

    arguments: list[str]
    env: dict[str, str]


@contextmanager
def enforced(reference: str, declared: registries.Declared, folder: str) -> Iterator[Enforced]:
    """What makes podman ask for the signatures that are declared for an image, for a while; nothing for none.

    reference (str): by digest. declared (dict): as registries.of tells. folder (str): where files may be
    written, "" for anywhere. Raises NodeError SIGNATURE_WRONG where the node's own policy cannot be read.
    """
    wanted = registries.signing(reference, declared)
    if not wanted:
        yield Enforced([], {})
        return
    with tempfile.TemporaryDirectory(dir=folder or None) as place:
        policy = Path(place, "policy.json")
        policy.write_text(json.dumps(stricter(_own_policy(), images.without_tag(reference), wanted)))
        # podman has no other way to be told where signatures are looked up.
        home = _home(Path(place, "home"), registries.names(reference, declared), _looked_up(wanted))
        yield Enforced(["--signature-policy", str(policy)], {"HOME": str(home)})


def stricter(own: Mapping[str, Any], reference: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with what it asks of an image, and a signature as is declared.

    own (dict): the policy. reference (str): registry/repository@digest. wanted (dict): of registries.signing.
    """
    # What is signed names no tag and no digest, or an older tag.
    requirement = {**_requirement(wanted), "signedIdentity": {"type": "matchRepository"}}
    transports = {name: dict(scopes) for name, scopes in (own.get("transports") or {}).items()}
    scopes = transports.setdefault("docker", {})
    scopes[reference] = [*_asked(own, scopes, reference), requirement]
    return {**own, "default": own.get("default") or _REJECT, "transports": transports}


def _requirement(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What containers-policy.json(5) has for a way of signing."""
    if gpg := wanted.get("signed_by_gpg"):
        return {"type": "signedBy", "keyType": "GPGKeys", "keyData": _data("".join(gpg["keys"]))}
    if who := wanted.get("signed_by_identity"):
        fulcio = {
            "caData": _data(who["fulcio"]),
            "oidcIssuer": who["issuer"],
            "subjectEmail": who["email"],
        }
        return {"type": "sigstoreSigned", "fulcio": fulcio, "rekorPublicKeyData": _data(who["rekor"])}
    data = [_data(key) for key in wanted["signed_by"]]
    # Older releases of podman know one key alone.
    by = {"keyData": data[0]} if len(data) == 1 else {"keyDatas": data}
    return {"type": "sigstoreSigned", **by}


def _data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _looked_up(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Where signatures are, as containers-registries.d(5) has it."""
    if gpg := wanted.get("signed_by_gpg"):
        # By the name that older releases know, too.
        return {"lookaside": gpg["lookaside"], "sigstore": gpg["lookaside"]}
    return {"use-sigstore-attachments": True}


def _asked(own: Mapping[str, Any], scopes: Mapping[str, Any], reference: str) -> list[Any]:
    """What a policy asks of an image: that of the narrowest scope in which it is."""
    name = reference.partition("@")[0]
    host = name.partition("/")[0]
    parts = name.split("/")
    parents = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    labels = host.split(".")
    wildcards = [f"*.{'.'.join(labels[start:])}" for start in range(1, len(labels))]
    for scope in (reference, *parents, *wildcards, ""):
        if scope in scopes:
            return list(scopes[scope])
    return list(own.get("default") or _REJECT)


def _own_policy() -> dict[str, Any]:
    """The node's own policy, which podman would take."""
    places = (Path.home() / _BELOW_HOME, _SYSTEM, _OTHERS)
    path = next((one for place in places if (one := place / "policy.json").is_file()), None)
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NodeError("SIGNATURE_WRONG", f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise NodeError("SIGNATURE_WRONG", f"{path}: is not a policy")
    return found


def _home(home: Path, names: Sequence[str], looked_up: Mapping[str, Any]) -> Path:
    """A home with all that podman takes from the own one, in which signatures of images are looked up.

    names (list): registry/repository of the image and of its mirrors. looked_up (dict): where.
    """
    place, own = home / _BELOW_HOME, Path.home()
    (place / _LOOKED_UP).mkdir(parents=True)
    for entry in (own / _BELOW_HOME).glob("*"):
        if entry.name != _LOOKED_UP:
            (place / entry.name).symlink_to(entry)
    if (own / ".docker").exists():
        (home / ".docker").symlink_to(own / ".docker")
    mine = own / _BELOW_HOME / _LOOKED_UP
    texts = []
    for entry in (mine if mine.is_dir() else _SYSTEM / _LOOKED_UP).glob("*.yaml"):
        (place / _LOOKED_UP / entry.name).symlink_to(entry)
        texts.append(entry.read_text(encoding="utf-8", errors="replace"))
    # podman refuses what two files say of the same name; what the node says of it then counts.
    free = [name for name in names if not any(f"{name}:" in text for text in texts)]
    said = {"docker": dict.fromkeys(free, looked_up)}
    (place / _LOOKED_UP / _OWN_FILE).write_text(json.dumps(said))
    return home
