"""The way back of services that are packages: the versions that they have, kept on the node before a move.

The files come from the package manager's cache, else from a repository while that still has them
(node/kept_packages.py). What is nowhere is told before anything moves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import apt, dnf_transaction, errors, kept_packages
from openstack_rollout.node.kept_packages import Kept
from openstack_rollout.node.packages import Source


def due(service: str, packages: Mapping[str, str], exclude: Sequence[str] = ()) -> dict[str, dict]:
    """What would have to be kept before a service moves. Nothing is fetched.

    service (str): its name. packages (dict): {name: version} that it is about to move to. exclude (list): as
    for package_set.bring.

    Returns {"keep": {name: version that it has, and that is not kept yet}, "missing": {name: why it cannot be
    kept}}: also of what comes along. While a move is begun and not proven, what was there before it counts.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.due nova-api '{nova-api: "2:26.2.2-1~deb12u3"}'
    """
    _, wanted, found = _looked(service, packages, exclude)
    missing = {name: one.why for name, one in found.items() if one.why}
    return {"keep": {name: wanted[name] for name in found if name not in missing}, "missing": missing}


def keep(
    service: str,
    packages: Mapping[str, str],
    exclude: Sequence[str] = (),
    patience: float | None = None,
) -> dict[str, dict]:
    """Have the versions that a service has on the node, as files, and no others.

    service (str), packages (dict), exclude (list): as for `due`, which says what is kept. patience (float):
    seconds that looking for the files may take; what was not found by then is missing. None: no limit.

    Returns {"kept": {name: version} of what was not kept before, "missing": {name: why it cannot be kept}}.
    Raises NodeError DISK_FULL, or NODE_ERROR.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.keep nova-api '{nova-api: "2:26.2.2-1~deb12u3"}'
    """
    until = float("inf") if patience is None else time.monotonic() + patience
    before, wanted, found = _looked(service, packages, exclude, until)
    if not wanted:
        return {"kept": {}, "missing": {}}
    fetch = {name: wanted[name] for name, one in found.items() if not (one.path or one.why)}
    if fetch:
        found |= _fetched(service, fetch, until)
    there = {name: Source(path) for name, path in before.files.items() if name in wanted}
    taken = kept_packages.take(service, wanted, there | found)
    kept_packages.write(
        service, taken._replace(begun=before.begun, listened=before.listened, spoke=before.spoke)
    )
    kept = {name: wanted[name] for name in taken.files if name in found}
    return {"kept": kept, "missing": taken.missing}


def begin(service: str, listened: Sequence[int], spoke: Sequence[int] | None = None) -> None:
    """Note that a service's move begins: what is kept now is what it goes back to until it is proven.

    service (str): its name. listened (list): the ports on which its units listen. spoke (list): those on
    which they answer HTTP, None where nobody was asked. Raises NodeError DISK_FULL, or NODE_ERROR.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.begin nova-api '[8774]'
    """
    kept = kept_packages.of(service)
    if not kept.begun:
        told = None if spoke is None else list(spoke)
        kept_packages.write(service, kept._replace(begun=True, listened=list(listened), spoke=told))


def ended(service: str) -> None:
    """Note that a service is back at what is kept: its next move begins anew.

    service (str): its name. Raises NodeError DISK_FULL, or NODE_ERROR.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.ended nova-api
    """
    kept_packages.write(service, kept_packages.of(service)._replace(begun=False))


def status(service: str) -> dict:
    """What is kept of a service.

    service (str): its name.

    Returns {"packages": {name: version}, "files": {name: path}, "missing": {name: why}, "begun": whether a
    move began that is not proven, "listened": [ports], "spoke": [ports] or None, "back": {name: version} of
    what is not at the version that is kept}.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.status nova-api
    """
    kept = kept_packages.of(service)
    installed = __salt__["package_set.installed"]() if kept.packages else {}
    return {**kept._asdict(), "back": kept_packages.due_back(kept, installed)}


def forget(service: str) -> None:
    """Keep nothing of a service any more: it is proven at its new version.

    service (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' kept_packages.forget nova-api
    """
    kept_packages.drop(service)


def _looked(
    service: str, packages: Mapping[str, str], exclude: Sequence[str], until: float = float("inf")
) -> tuple[Kept, dict[str, str], dict[str, Source]]:
    """What is kept that still counts, the versions to keep, and where the files are that are not kept yet."""
    there = __salt__["package_set.installed"]()
    before = kept_packages.of(service)
    begun = before.begun and bool(kept_packages.due_back(before, there))
    # Of packages that move: not of those that come anew, or that are there more than once.
    moving = {*packages, *(__salt__["package_set.along"](packages, list(exclude)) if packages else ())}
    wanted = {name: there[name][0] for name in sorted(moving) if len(there.get(name, ())) == 1}
    wanted |= before.packages if begun else {}
    same = {name for name, version in wanted.items() if before.packages.get(name) == version}
    files = {name: path for name, path in before.files.items() if name in same}
    # Where a version was that is no longer installed cannot be found out.
    lost = {name: Source("", why) for name, why in before.missing.items() if begun and name in same}
    found = _sources({name: one for name, one in wanted.items() if name not in {*files, *lost}}, until) | lost
    return before._replace(files=files, begun=begun), wanted, found


def _sources(packages: Mapping[str, str], until: float) -> dict[str, Source]:
    """Where their files are. Who cannot be asked has none."""
    if not packages:
        return {}
    try:
        return _manager().sources(__salt__, packages, _own(), until=until)
    except CommandExecutionError as error:
        return dict.fromkeys(packages, Source("", errors.text_of(error)))


def _fetched(service: str, packages: Mapping[str, str], until: float) -> dict[str, Source]:
    folder = kept_packages.folder(service)
    try:
        return _manager().fetched(__salt__, packages, _own(), folder, until=until)
    except CommandExecutionError as error:
        return dict.fromkeys(packages, Source("", errors.text_of(error)))


def _manager():
    return apt if __grains__.get("os_family") == "Debian" else dnf_transaction


def _own() -> str:
    return __grains__.get("osarch", "")
