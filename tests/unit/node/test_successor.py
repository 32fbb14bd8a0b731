"""successor: what a replacement that was killed finds when its container's deployer came back meanwhile."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from openstack_rollout.node import successor, unit_stop

UNIT = "tripleo_keystone.service"
TOKEN = {"unit": UNIT, "previous": "old", "next": "new", "ran": True}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_stop, "FOLDER", tmp_path)


@pytest.mark.parametrize("kept", [{}, {"keystone-previous": {"id": "old", "running": False}}])
def test_a_container_that_its_deployer_made_anew_is_not_stopped(kept):
    did = []
    salt = {
        "podman.containers": lambda: {"keystone": {"id": "anew", "running": True}, **kept},
        **{
            name: lambda *arguments, name=name: did.append(name)
            for name in ("quadlet.stop", "quadlet.restart", "podman.rename", "podman.remove")
        },
    }
    with pytest.raises(CommandExecutionError, match="made anew by somebody else"):
        successor.put_back(salt, "keystone", TOKEN)
    assert did == []
