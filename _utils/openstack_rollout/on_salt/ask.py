"""One question to a few minions, from any thread: drains ask nodes beside the engine's steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import salt.client
import salt.utils.minions
from salt.exceptions import AuthenticationError, AuthorizationError, SaltClientError

from openstack_rollout.drains.contract import Answer
from openstack_rollout.on_salt.returns import read_call

_OF_SALT = ("test.ping",)  # asked as it is: a node answers it before it has our modules


class SaltAsk:
    """Implements drains.contract.Ask. opts (dict): the master's options."""

    def __init__(self, opts: Mapping[str, Any]):
        self._opts = opts

    def members(self, target: str) -> list[str]:
        """The ids of the accepted minions that a compound target (str) matches, sorted."""
        return sorted(salt.utils.minions.CkMinions(self._opts).check_minions(target, "compound")["minions"])

    def ask(
        self,
        nodes: Iterable[str],
        function: str,
        keywords: Mapping[str, Any] | None = None,
        timeout: int = 15,
    ) -> dict[str, Answer]:
        """Call a function on nodes. Returns an answer for each of them, also for those that gave none.

        nodes: minion ids. function (str): an execution module's. keywords: its arguments. timeout (int):
        seconds after which a node that shows no sign of the call counts as silent (NODE_SILENT).
        """
        asked = list(nodes)
        plain = function in _OF_SALT
        wrapped = {"function": function, "kwargs": dict(keywords or {})}
        # A client of its own each time: one is not made for several threads.
        client = salt.client.LocalClient(mopts=dict(self._opts))
        try:
            returns = client.cmd(
                asked,
                function if plain else "rollout_call.run",
                kwarg=dict(keywords or {}) if plain else wrapped,
                tgt_type="list",
                timeout=timeout,
                full_return=True,
            )
        except (SaltClientError, AuthenticationError, AuthorizationError) as error:
            return {node: Answer(None, f"the job was not published: {error}") for node in asked}
        finally:
            client.destroy()
        return {node: _read(node, returns.get(node), plain) for node in asked}


def _read(node: str, returned: Any, plain: bool) -> Answer:
    if not isinstance(returned, Mapping) or "ret" not in returned:
        return Answer(None, "no answer", "NODE_SILENT")
    if plain and not returned.get("retcode"):
        return Answer(returned["ret"])
    found = read_call(node, returned["ret"])
    return Answer(found.value, found.message, found.reason)
