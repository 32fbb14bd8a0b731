"""Many minions in one process: Salt's own channels to a real master, and nodes that exist in memory.

What they ask of the master is what real ones ask: their pillar, compiled anew, for each question and each
state run. Their work takes no time, and their modules are not fetched.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import salt.channel.client
import salt.config
import salt.pillar
import salt.utils.secret

from openstack_rollout.declared.facts import SCHEMA
from openstack_rollout.node import share as shares
from openstack_rollout.records import processes
from tests.unit.cloud_pillar import QUIET
from tests.unit.simulated_fleet import PACKAGES, containers_at

FACTS, RUNNING = "openstack_node.facts", "rollout_job.running"
FIND = "saltutil.find_job"  # what masters of older commits ask instead


class Minion:
    """One of them. opts (dict): a minion's. at (str): the release that its node is at."""

    def __init__(self, opts: dict[str, Any], at: str):
        self._opts = opts
        self._at: dict[str, str] = {}
        self._first = at
        self._jobs: set[asyncio.Task[None]] = set()
        self._running: set[str] = set()
        self._requests: Any = None

    async def connect(self) -> None:
        """Sign in to the master, and hear what it publishes."""
        self._requests = salt.channel.client.AsyncReqChannel.factory(self._opts)
        published = salt.channel.client.AsyncPubChannel.factory(self._opts)
        await published.connect()
        published.on_recv(self._heard)
        self._published = published

    async def _heard(self, payload: Mapping[str, Any]) -> None:
        load = payload["load"]
        if load["tgt_type"] == "list" and self._opts["id"] in load["tgt"]:
            job = asyncio.create_task(self._do(load))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def _do(self, load: Mapping[str, Any]) -> None:
        self._running.add(load["jid"])
        try:
            answer = await self._answer(load["fun"], *load["arg"])
        except salt.exceptions.SaltException as error:
            # As a real one returns it: what failed is in its return.
            answer = f"The minion function caused an exception: {error}"
        finally:
            self._running.discard(load["jid"])
        returned = {"cmd": "_return", "id": self._opts["id"], "success": True, "retcode": 0, "return": answer}
        await self._requests.send(
            {**returned, "jid": load["jid"], "fun": load["fun"], "fun_args": load["arg"]}
        )

    async def _answer(self, function: str, first: str, *arguments: Any) -> Any:
        keywords = next((one for one in arguments if isinstance(one, dict) and one.get("__kwarg__")), {})
        if function == "state.sls":
            return await self._apply(first.rpartition(".")[2], keywords)
        who = {"boot": processes.boot(), "started": 1}
        if first == RUNNING:
            return {"value": sorted(self._running), "minion": who}
        if first == FIND:
            (jid,) = arguments[0]
            return {"value": {"jid": jid} if jid in self._running else {}, "minion": who}
        if first == FACTS:
            return {"value": self._facts(shares.of(await self._pillar())), "minion": who}
        return {"value": {}, "minion": who}

    async def _apply(self, stage: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
        pillar = await self._pillar()
        if stage != "prefetch":
            found = shares.of_stage({**pillar, **keywords.get("pillar", {})}, stage)
            self._at[stage] = found["target"]
        done = {
            "result": True,
            "changes": {},
            "comment": "",
            "name": stage,
            "__id__": stage,
            "__run_num__": 0,
        }
        return {f"simulated_|-{stage}_|-{stage}_|-done": done}

    async def _pillar(self) -> dict[str, Any]:
        """As `fresh_pillar` of a node asks for it, and a state run."""
        grains = {"id": self._opts["id"], "os_family": "Debian"}
        asked = salt.pillar.AsyncRemotePillar(
            dict(self._opts),
            grains,
            self._opts["id"],
            self._opts["saltenv"],
            pillarenv=self._opts["pillarenv"],
        )
        try:
            return dict(salt.utils.secret.expose(await asked.compile_pillar()))
        finally:
            await asked.aclose()

    def _facts(self, share: Mapping[str, Any]) -> dict[str, Any]:
        at = {stage: self._at.get(stage, self._first) for stage in share["stages"]}
        containers = containers_at(at)
        return {
            **QUIET,
            "schema": SCHEMA,
            "id": self._opts["id"],
            "target": share["target"],
            "roles": share["roles"],
            "os_family": "Debian",
            "boot_id": processes.boot(),
            "containers": containers,
            "managed": list(containers),
            "carried": {},
            "images": [service["image"] for service in share["services"]],
            "packages": {PACKAGES[stage]: [version] for stage, version in at.items() if stage in PACKAGES},
        }


async def run(folder: Path, overrides: Mapping[str, Any], names: list[str], at: str) -> None:
    """Have minions of these names (list) serve, until somebody ends the process.

    folder: for their keys. overrides: of a minion's configuration. at (str): the release of their nodes.
    """
    minions = []
    for name in names:
        keys = folder / name
        keys.mkdir()
        for kind in ("pem", "pub"):
            shutil.copy(folder.parent / f"minion.{kind}", keys)
        opts = salt.config.minion_config(None, minion_id=name)
        own = {
            "id": name,
            "pki_dir": str(keys),
            "__role": "minion",
            "sock_dir": str(folder),
            "cachedir": str(folder),
        }
        minions.append(Minion({**opts, **overrides, **own}, at))
    for minion in minions:
        await minion.connect()
    print("connected", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(run(Path(given["folder"]), given["overrides"], given["names"], given["at"]))
