"""The lock of the one run at a time: where the journal is, so that who sees the one sees the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.lock import FileLock, Lock

WITHIN = 5.0  # seconds for Redis to answer
_leases: dict[tuple[Any, ...], Lock] = {}


def of(opts: Mapping[str, Any]) -> Lock:
    """The lock of a master: in its Redis where that is its cache, else in a file of its own.

    opts (dict): the master's options. Raises RolloutError LIBRARY_MISSING.
    """
    if opts.get("cache") != "redis":
        return FileLock(os.path.join(opts["cachedir"], "openstack_rollout.lock"))
    # A process that was forked off has not taken what is held here.
    settings = sorted((name, str(one)) for name, one in opts.items() if name.startswith("cache.redis."))
    key = os.getpid(), *settings
    return _leases.get(key) or _leases.setdefault(key, _lease(opts))


def _lease(opts: Mapping[str, Any]) -> Lock:
    """The lock in the Redis in which Salt's cache is: its driver's own settings, and its defaults."""
    try:
        import redis  # noqa: PLC0415 - a master with a cache of its own does without
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        from openstack_rollout.records.lease import Lease  # noqa: PLC0415
    except ImportError as error:
        text = f"cache: redis (the master's configuration) needs redis in the master's Python: {error}"
        raise RolloutError("LIBRARY_MISSING", text) from error
    server = redis.Redis(
        opts.get("cache.redis.host", "localhost"),
        opts.get("cache.redis.port", 6379),
        unix_socket_path=opts.get("cache.redis.unix_socket_path"),
        db=opts.get("cache.redis.db", "0"),
        password=opts.get("cache.redis.password", ""),
        socket_timeout=WITHIN,
        socket_connect_timeout=WITHIN,
        retry=Retry(NoBackoff(), 1),
    )
    keys = opts.get("cache.redis.keys_prefix", "$KEYS") + opts.get("cache.redis.separator", "_")
    return Lease(server, f"{keys}openstack/rollout:lock")
