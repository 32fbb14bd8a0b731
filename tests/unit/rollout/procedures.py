"""The commands of docs/how-to/procedures.md, typed on a simulated cloud, and what is seen.

`PYTHONPATH=.:_utils python -m tests.unit.rollout.procedures` writes what is seen into the page anew.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openstack_rollout.on_salt.terminal import PROMPT
from tests.unit.desk import Desk
from tests.unit.simulated_fleet import Cloud, Master

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "procedures.md"
SHORT = {"controller": "ctl", "gateway": "gtw", "compute": "cmp"}
BEGUN = datetime(2026, 11, 30, 2, 15, tzinfo=UTC)
_SECTION = re.compile(r"^## (\w+)", re.MULTILINE)
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def cloud():
    """Three controllers, two gateways and four computes, called as everybody calls them."""
    found = Cloud(controller=3, gateway=2, compute=4)
    found.now = BEGUN.timestamp()
    short = {name: SHORT[node.role] + name[len(node.role) :] for name, node in found.nodes.items()}
    found.nodes = {short[name]: node for name, node in found.nodes.items()}
    found.openstack["roles"] = {role: f"{SHORT[role]}*" for role in SHORT}
    return found


def sections(page):
    """Whose procedure → its blocks, each a command with its answers and what is seen."""
    parts = _SECTION.split(page)[1:]
    return {name: _BLOCK.findall(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def typed(desk, block):
    """Type the command of a block, and the answers that are in it; returns what is seen then."""
    command, *seen = block.splitlines()
    before = len(desk.transcript)
    desk.type(command.removeprefix("# "), *(one.removeprefix(PROMPT) for one in seen if PROMPT in one))
    return "".join(f"{line}\n" for line in desk.transcript[before:])


def _written_anew(page, monkeypatch, folder):
    for name, blocks in sections(page).items():
        (folder / name).mkdir()
        desk = Desk(Master(cloud(), folder / name), monkeypatch)
        for block in blocks:
            page = page.replace(block, typed(desk, block), 1)
    return page


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as somewhere:
        PAGE.write_text(_written_anew(PAGE.read_text(), patch, Path(somewhere)))
