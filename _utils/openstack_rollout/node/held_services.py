"""Package transactions whose scripts leave services as they are.

Debian's scripts ask `/usr/sbin/policy-rc.d` before they start, stop or restart a service
(https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt); one of ours stands in front of the
operator's own meanwhile. It denies only what the environment of the transaction says, so that one which a
killed transaction leaves denies nobody else anything. systemctl, also rpm's macros, does nothing to services
while SYSTEMD_OFFLINE is set (https://systemd.io/ENVIRONMENT/); it still enables and disables them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from openstack_rollout.records import state_file

POLICY = Path("/usr/sbin/policy-rc.d")
OPERATORS_POLICY = Path("/usr/sbin/policy-rc.d.openstack-rollout")
_DPKG_LOCK = Path("/var/lib/dpkg/lock")
_OFFLINE = "SYSTEMD_OFFLINE"
_HELD = "OPENSTACK_ROLLOUT_HELD"  # the services that are not touched: patterns, a blank between two
_MARK = "# of openstack-rollout:"
_DENIAL = f"""#!/bin/sh
{_MARK} packages move, and leave services alone
set -f
for word; do
    for held in ${_HELD}; do
        case $word in
            $held) exit 101 ;;
        esac
    done
done
[ ! -x {{operators}} ] || exec {{operators}} "$@"
exit 0
"""


@contextlib.contextmanager
def denied(patterns: Sequence[str]) -> Iterator[None]:
    """While it lasts, Debian's package scripts may not start, stop or restart these services.

    patterns (list): of services' names, as a shell's `case` reads them. The operator's own policy still
    decides about all others. The transaction has to be run by this process.
    """
    _put()
    try:
        with _environment(_HELD, " ".join(patterns)):
            yield
    finally:
        if _HELD not in os.environ:  # else an outer one still needs it
            tidy()


@contextlib.contextmanager
def all_held(debian: bool) -> Iterator[None]:
    """While it lasts, package scripts neither start, stop nor restart any service.

    debian (bool): whether the node is of that family. What is run meanwhile must not need systemctl itself.
    """
    with _environment(_OFFLINE, "1"), denied(["*"]) if debian else contextlib.nullcontext():
        yield


def stand(debian: bool) -> dict[str, str]:
    """As `all_held`, for a transaction that another process runs: the environment that it needs.

    debian (bool): whether the node is of that family. `tidy` ends it.
    """
    if debian:
        _put()
    return {_OFFLINE: "1", **({_HELD: "*"} if debian else {})}


def _put() -> None:
    if _is_ours(POLICY):
        return
    if POLICY.exists() or POLICY.is_symlink():
        POLICY.rename(OPERATORS_POLICY)
    state_file.replace(POLICY, _DENIAL.format(operators=OPERATORS_POLICY), 0o755)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None) if before is None else os.environ.update({name: before})


def tidy() -> bool:
    """Take back the policy that a killed transaction left, and put the operator's own in its place.

    It stays while a package manager still works. Returns whether no policy of ours is there any more.
    """
    if not _is_ours(POLICY):
        if OPERATORS_POLICY.exists() and not POLICY.exists():
            OPERATORS_POLICY.rename(POLICY)
        return True
    if _dpkg_works():
        return False
    if OPERATORS_POLICY.exists():
        OPERATORS_POLICY.replace(POLICY)
    else:
        POLICY.unlink(missing_ok=True)
    return True


def _is_ours(path: Path) -> bool:
    try:
        return _MARK in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _dpkg_works() -> bool:
    """Whether a dpkg holds its lock: one that our job started goes on when the minion is stopped."""
    try:
        with _DPKG_LOCK.open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _DPKG_LOCK.exists()
    return False
