"""Masters and minions of real Salt: quiet, started side by side, and killed when nobody needs them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from saltfactories.utils import random_string

#: What Salt keeps of a master's `_modules` and the like, in a minion's folder of extension modules.
SYNCED = ("modules", "states", "utils")


def salt_master(factories, name, **overrides):
    """A master that is not started, which accepts every minion."""
    own = {"auto_accept": True, "fileserver_list_cache_time": 0, "worker_threads": 3}
    return factories.salt_master_daemon(
        random_string(f"{name}-"), overrides={**own, **_quiet("master"), **overrides}
    )


def salt_minion(master, name, /, **overrides):
    """A minion of a master that is not started; of several by the setting `master`."""
    return master.salt_minion_daemon(name, overrides={**_quiet("minion"), **overrides})


def have_synced(minion, roots):
    """Give a minion, before it starts, what saltutil.sync_all would bring it; the first root counts."""
    for kind in SYNCED:
        to = Path(minion.config["extension_modules"]) / kind
        for source in reversed([root / f"_{kind}" for root in roots]):
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, to, dirs_exist_ok=True, ignore=ignored)


def start(master, minions):
    """Start a master, then its minions at once."""
    assert master.start()
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda minion: minion.start(), minions))


def stop(*daemons):
    """Kill daemons with all their processes: none has to save anything."""
    for daemon in daemons:
        daemon.slow_stop = False
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda daemon: daemon.terminate(), daemons))


def _quiet(role):
    """Salt's warnings alone, in its log and in pytest's: each of its processes has thousands of lines."""
    return {"log_level_logfile": "warning", f"pytest-{role}": {"log": {"level": "warning"}}}
