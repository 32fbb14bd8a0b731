"""Running a program on a node, for execution modules.

A command is always a list of arguments, never a line for a shell. Code of this package does not see the
functions of Salt's loader, so a module passes its own `__salt__`:

    result = commands.run(__salt__, ["podman", "ps"])
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import unit_processes
from openstack_rollout.node.errors import NodeError

#: needrestart, which apt calls by itself, restarts what it likes unless it is told not to (needrestart(1)).
NOTHING_RESTARTED = {"NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
#: The environment in which a package manager asks nothing, restarts nothing, and answers in English.
UNATTENDED = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", **NOTHING_RESTARTED}
UNIT = ".service"
_ENGINES = ("docker_engine", "podman")  # the modules that tell of containers
_NAMED = 6  # words of a command that an error message repeats
_LONGEST = 300  # characters of a program's complaint that an error message repeats
_NOT_THERE = 125  # podman's exit status for a container that does not run; docker has none of its own
_NOT_FOUND = 127  # the exit status of an engine's exec, as of a shell, when there is no such program
_PODMANS_LOG = "time="  # how a line of podman's own log begins
#: How lines begin that dnf and systemd-run print whether or not something is wrong.
NOISE = (
    "Failed loading plugin ",
    "Last metadata expiration check",
    "Running as unit: ",
    "Running scope as unit",
)


class Result(NamedTuple):
    """How a command ended.

    retcode (int): its exit status, 0 for success. stdout, stderr (str): what it printed. secret (bool):
    whether its output has secrets in it.
    """

    retcode: int
    stdout: str
    stderr: str
    secret: bool = False

    def complaint(self, longest: int = _LONGEST, lines: int = 0) -> str:
        """What the command says is wrong, on one line.

        longest (int): characters; the end is kept. lines (int): only the last lines of it, 0 for all.

        Returns what it printed to stderr, else to stdout unless that is secret, else how it ended; without
        what is no complaint.
        """
        printed = _telling(self.stderr) or ([] if self.secret else _telling(self.stdout))
        own = [line for line in printed if not line.startswith(_PODMANS_LOG)] or printed
        return " ".join(" ".join(own[-lines:]).split())[-longest:] or self.ended()

    def said(self) -> str:
        """All that it printed, as text; and by which signal it was killed, where it was."""
        killed = [self.ended()] if self.retcode < 0 else []
        return "\n".join([self.stdout, self.stderr, *killed])

    def ended(self) -> str:
        """How it ended: its exit status, or the signal that killed it."""
        return f"killed by signal {-self.retcode}" if self.retcode < 0 else f"exit status {self.retcode}"


def run(
    salt: Mapping[str, Any],
    command: Sequence[str],
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    secret: bool = False,
    stdin: str | None = None,
    folder: str | None = None,
) -> Result:
    """Run a command and wait for it. A failure is an answer here, so it does not get into the minion's log.

    salt (dict): the caller's `__salt__`. command (list): the program and its arguments.
    timeout (float): seconds, after which Salt ends the command; None for no limit. env (dict): variables that
    are set on top of the minion's own. secret (bool): whether the command, or what it prints, has secrets in
    it: neither gets into the minion's log then, whatever its level. stdin (str): what it reads; None for
    nothing. folder (str): where it runs; None for the minion's own.

    Raises CommandExecutionError when there is no such program.
    """
    done = salt["cmd.run_all"](
        list(command),
        python_shell=False,
        ignore_retcode=True,
        timeout=timeout,
        env=dict(env) if env else None,
        output_loglevel="quiet" if secret else "debug",
        **({} if stdin is None else {"stdin": stdin}),
        **({} if folder is None else {"cwd": folder}),
    )
    return Result(done["retcode"], done["stdout"], done["stderr"], secret)


def checked(
    salt: Mapping[str, Any],
    command: Sequence[str],
    reason: str = "",
    *,
    lines: int = 0,
    timeout: float | None = None,
) -> str:
    """Run a command that has to succeed.

    salt (dict), command (list): as for `run`. reason (str): a word of errors.REASONS for its failure, "" for
    none. lines (int): as for Result.complaint. timeout (float): as for `run`.

    Returns what it printed. Raises NodeError under that reason, or CommandExecutionError without one; the
    message repeats the command's first words and its complaint.
    """
    result = run(salt, command, timeout=timeout)
    if result.retcode:
        message = f"{' '.join(command[:_NAMED])}: {result.complaint(lines=lines)}"
        raise NodeError(reason, message) if reason else CommandExecutionError(message)
    return result.stdout


def unattended(salt: Mapping[str, Any], command: Sequence[str], folder: str | None = None) -> Result:
    """As `run`, for a package manager: it asks nothing, and answers in English.

    salt (dict), command (list), folder (str): as for `run`.
    """
    return run(salt, command, env=UNATTENDED, folder=folder)


def is_unit(name: str) -> bool:
    """Whether what a guard is given is a unit of a service that is packages, and no container.

    name (str): of the container, or the unit's with `.service`.
    """
    return name.endswith(UNIT)


def in_container(
    salt: Mapping[str, Any], container: str, command: Sequence[str], *, timeout: float | None = None
) -> Result:
    """Run a command inside a container that runs, by the engine that runs it.

    salt (dict): the caller's `__salt__`. container (str): its name; a unit's is that of a service which is
    packages, whose commands are those of the node. command (list), timeout (float): as for
    `run`.

    Returns the result of the command; the engine's own failures have the exit status 125, 126 or 127.
    """
    if is_unit(container):
        # Without a home, as a unit of the system has none, clients do not read root's own option files.
        home = {"HOME": os.path.expanduser("~")}
        try:
            return run(salt, command, timeout=timeout, env=home)
        except CommandExecutionError as error:
            return Result(_NOT_FOUND, "", str(error))
    engine = _engine(salt, container)
    if engine is None:
        return Result(_NOT_THERE, "", f"{container} does not run")
    return run(salt, [engine, "exec", container, *command], timeout=timeout)


def inside(salt: Mapping[str, Any], container: str, command: Sequence[str]) -> list[str]:
    """The command line by which a command runs inside a container, what it reads handed on to it.

    For who has to stream what it reads or prints; others take `in_container`, which is as this.

    salt (dict), container (str), command (list): as for `in_container`. Raises CommandExecutionError
    where the container does not run.
    """
    if is_unit(container):
        return ["env", f"HOME={os.path.expanduser('~')}", *command]
    engine = _engine(salt, container)
    if engine is None:
        raise CommandExecutionError(f"{container} does not run")
    return [engine, "exec", "--interactive", container, *command]


def processes(salt: Mapping[str, Any], container: str) -> str:
    """The command lines of a container's processes, one a line; "" when it does not run.

    salt (dict): the caller's `__salt__`. container (str): its name, or a unit's as for `in_container`.
    """
    if is_unit(container):
        return unit_processes.command_lines(container)
    process = main_process(salt, container)
    told = unit_processes.of_container(process) if process else ""
    if told is not None:
        return told
    engine = _engine(salt, container)
    columns = {"podman": ["args"], "docker": ["-eo", "pid,args"]}
    return run(salt, [engine, "top", container, *columns[engine]]).stdout if engine else ""


def main_process(salt: Mapping[str, Any], container: str) -> str:
    """The process id of what a container runs, as the node sees it; "" when there is no such container.

    salt (dict): the caller's `__salt__`. container (str): its name, or a unit's as for `in_container`.
    """
    if is_unit(container):
        told = run(salt, ["systemctl", "show", "--property=MainPID", "--value", container]).stdout.strip()
        return "" if told == "0" else told
    running = (salt[f"{engine}.process"](container) for engine in _ENGINES if f"{engine}.process" in salt)
    return next((str(process) for process in running if process), "")


def _telling(printed: str) -> list[str]:
    return [line for line in printed.strip().splitlines() if not line.startswith(NOISE)]


def _engine(salt: Mapping[str, Any], container: str) -> str | None:
    """The program of the engine that runs a container; None where there is docker alone, and it does not."""
    if "docker_engine.process" in salt and salt["docker_engine.process"](container):
        return "docker"
    return "podman" if "podman.containers" in salt or "docker_engine.process" not in salt else None
