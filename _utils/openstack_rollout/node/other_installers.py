"""Others who change this node: what applies a configuration or moves packages now, and who may soon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands

_PROC = Path("/proc")
_PATIENCE = 10.0  # seconds
#: Files that are there while an agent applies its catalogue.
LOCKS = {
    "puppet": (
        "/opt/puppetlabs/puppet/cache/state/agent_catalog_run.lock",
        "/var/cache/puppet/state/agent_catalog_run.lock",
        "/var/lib/puppet/state/agent_catalog_run.lock",
    ),
}
#: Services that apply a configuration from time to time by themselves.
AGENTS = {
    "puppet": ("puppet.service", "puppet-agent.service", "pe-puppet.service"),
    "chef": ("chef-client.service", "cinc-client.service", "chef-client.timer"),
    "cfengine": ("cfengine3.service", "cf-execd.service"),
    "ansible-pull": ("ansible-pull.timer", "ansible-pull.service"),
}


class _Program(NamedTuple):
    """A program that changes nodes: what it is called, and how its command begins (words joined by spaces).
    packages: whether it moves packages alone.
    """

    name: str
    words: re.Pattern[str]
    packages: bool = False


#: What may stand before a program's own name: its folder, and interpreters or shells with their options. A
#: name anywhere else is what another program works on (an editor, a search, a log that is followed).
_RUN_BY = r"^(?:(?:\S*/)?(?:(?:platform-)?python|ruby|perl|sh\b|bash|dash)\S*\s+(?:-\S+\s+)*)*(?:\S*/)?"
_PROGRAMS = (
    _Program(
        "ansible",
        re.compile(rf"{_RUN_BY}(?:AnsiballZ_|ansible-tmp-\S*/|ansible-(?:playbook|runner|pull)(?:\s|$))"),
    ),
    _Program("puppet", re.compile(rf"{_RUN_BY}(?:puppet apply\b|puppet agent: applying)")),
    _Program("chef", re.compile(rf"{_RUN_BY}(?:chef|cinc)-(?:client|solo)(?![\w.-])(?!.*--daemonize)")),
    _Program("cfengine", re.compile(rf"{_RUN_BY}cf-agent(?:\s|$)")),
    _Program(
        "salt-call", re.compile(rf"{_RUN_BY}salt-call\s.*\bstate\.(?:apply|sls|highstate|high|single)\b")
    ),
    _Program("os-net-config", re.compile(rf"{_RUN_BY}os-net-config(?:\s|$)")),
    _Program("unattended-upgrades", re.compile(rf"{_RUN_BY}unattended-upgrades?(?:\s|$)"), packages=True),
    _Program("dnf-automatic", re.compile(rf"{_RUN_BY}dnf5?-automatic(?:\s|$)"), packages=True),
    _Program(
        "package manager",
        re.compile(
            rf"{_RUN_BY}(?:apt|apt-get|aptitude|dnf|dnf-3|dnf5|yum|zypper)\s+(?:-\S+\s+)*"
            r"(?:install|remove|purge|erase|upgrade|dist-upgrade|full-upgrade|update|downgrade|reinstall|swap"
            r"|distro-sync|autoremove)\b"
            rf"|{_RUN_BY}(?:rpm\s+(?:-[Uie]|--install|--upgrade|--erase)"
            r"|dpkg\s+(?:\S+\s+)*(?:-i|-r|-P|--install|--configure|--unpack|--remove|--purge)(?:\s|$))"
        ),
        packages=True,
    ),
)
#: Words with which such a program only waits, looks or fetches.
_LOOKS = re.compile(
    r"unattended-upgrade-shutdown|--wait-for-signal|\bapt(?:-get|itude)?\s(?:.*\s)?-s(?:\s|$)"
    r"|\s(?:--simulate|--dry-run|--print-uris|--assumeno"
    r"|--download-only|--downloadonly)(?:\s|$)"
)
#: Programs that have others run in another place.
_ELSEWHERE = re.compile(r"^(?:\S*/)?(?:ssh|nsenter|chroot|machinectl|podman|docker|systemd-nspawn)\s")


def found(salt: Mapping[str, Any]) -> list[dict[str, str]]:
    """Others who change this node. salt (dict): the caller's `__salt__`.

    Returns [{"name", "kind", "seen"}]: the kind is `configuration` (it applies one now), `packages` (it moves
    packages now), or `agent` (it runs, and may apply a configuration at any time).
    """
    some = [*_at_work(), *_locked(), *_agents(salt)]
    return [dict(one) for one in dict.fromkeys(tuple(one.items()) for one in some)]


def _at_work() -> Iterator[dict[str, str]]:
    own = _namespace(_PROC / "self")
    for process in _PROC.glob("[0-9]*"):
        try:
            raw = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if _namespace(process) != own:
            continue  # of a container, which changes itself
        words = raw.replace(b"\0", b" ").decode(errors="replace").strip()
        if not words or _LOOKS.search(words) or _ELSEWHERE.match(words):
            continue
        for program in _PROGRAMS:
            if program.words.search(words):
                kind = "packages" if program.packages else "configuration"
                yield {"name": program.name, "kind": kind, "seen": f"process {process.name}"}
                break


def _namespace(process: Path) -> str:
    """The process namespace of a process, "" where it is not known."""
    try:
        return str((process / "ns" / "pid").readlink())
    except OSError:
        return ""


def _locked() -> Iterator[dict[str, str]]:
    for name, files in LOCKS.items():
        for file in files:
            try:
                pid = Path(file).read_text(encoding="utf-8").strip()
            except OSError:
                continue
            if pid.isdigit() and (_PROC / pid).exists():  # one that a dead agent left says nothing
                yield {"name": name, "kind": "configuration", "seen": file}


def _agents(salt: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    units = [unit for some in AGENTS.values() for unit in some]
    command = ["systemctl", "show", "--property=Id,ActiveState", *units]
    try:
        printed = commands.run(salt, command, timeout=_PATIENCE).stdout
    except CommandExecutionError:
        return
    blocks = printed.split("\n\n")
    told = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    active = {one["Id"] for one in told if one.get("ActiveState") == "active" and "Id" in one}
    for name, own in AGENTS.items():
        for unit in own:
            if unit in active:
                yield {"name": name, "kind": "agent", "seen": unit}
