"""Packages that a killed transaction left half done, and mending them by the package manager's own means.

RPM: a package installed in two versions of which only one should be there (kernels and their like are not
meant), or one that a transaction brought which has no end in dnf's history, so that its scripts may not have
run. dpkg: one that is not installed whole, by dpkg's own status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    apt,
    commands,
    dnf_library,
    fingerprint,
    package_errors,
    transactions,
    updaters,
)
from openstack_rollout.node import packages as comparing
from openstack_rollout.node.errors import NodeError
from openstack_rollout.records.state_file import StateFile

_RUN = Path("/run/openstack-rollout")
_REMEMBERED = _RUN / "package-repair.json"
_SCRIPT = _RUN / "package-repair.dnf"
#: Files that change whenever rpm's or dnf's databases do.
_DATABASES = (
    *(f"{place}/{name}" for place in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
      for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db")),
    "/var/lib/dnf/history.sqlite",
    "/var/lib/dnf/history.sqlite-wal",
    "/etc/dnf/dnf.conf",
)  # fmt: skip
#: Of a pair of which only one should be there no other package may fall: dnf protects names, not versions.
_SETTINGS = ("clean_requirements_on_remove=0", "protected_packages=")
#: seconds that a measurement waits for a package manager that works
_PATIENCE = 60.0
# ${binary:Package} would name the architecture of each package that may be there for several.
_ROW = "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Eflag}\\t${db:Status-Status}\\n"
_WHOLE = ("installed", "config-files", "not-installed")
_UNPACK = "reinstreq"
_CONFIGURE = ("--force-confold", "--configure", "--pending")
_FIX = ("--fix-broken", "install")
_AGAIN = ("--reinstall", "install")


def found() -> dict:
    """What a killed transaction left half done.

    Returns {"doubles": {name: [version]} from the oldest to the newest, "half": {name: version} of what is
    not installed whole, "unknown": why that cannot be told, or ""}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_repair.found
    """
    nothing: dict[str, Any] = {"doubles": {}, "half": {}, "unknown": ""}
    if __salt__["bootc.status"]():
        return nothing
    try:
        # what a package manager does at this moment is half done as well
        __salt__["package_lock.wait"](min(_PATIENCE, __salt__["package_lock.patience"]()))
        if _is_apt():
            return {**nothing, "half": _half_of_dpkg()}
        state = _state_of_rpm()
    except CommandExecutionError as error:
        return {**nothing, "unknown": str(error)[:1000]}
    return {
        **nothing,
        "doubles": {_name(some[-1]): [one["version"] for one in some] for some in state["doubles"]},
        "half": {_name(one): one["version"] for one in state["half"]},
    }


def due(stage: str, packages: Iterable[str] = (), exclude: Sequence[str] = ()) -> dict[str, str]:
    """What a stage has to mend: {name: what of it is not as it must be}.

    stage (str): `system` mends everything but Open vSwitch's and Salt's own packages, which others do; any
    other stage mends its packages. packages (list): names and globs of those of the stage. exclude (list):
    globs of packages that must not move.

    Raises NodeError PACKAGE_FAILED when it cannot be told.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_repair.due system
    """
    state = found()
    if state["unknown"]:
        raise NodeError("PACKAGE_FAILED", f"whether packages are whole cannot be told: {state['unknown']}")
    broken = {name: f"{version}, half installed" for name, version in state["half"].items()}
    broken |= {name: ", ".join(versions) for name, versions in state["doubles"].items()}
    names = comparing.to_mend(stage, packages, broken, exclude)
    return {name: broken[name] for name in sorted(names)}


def mend(names: Sequence[str], exclude: Sequence[str] = ()) -> dict:
    """Have these packages installed once and whole, their scripts run; nothing else goes.

    dnf removes the older ones of doubles and installs the newest again in one transaction, which brings other
    packages only where they would break. dpkg configures what is unpacked, and apt installs again what is
    not; all that dpkg has half done, for apt does nothing before.

    names (list): as `due` has them. exclude (list): globs of packages that must not move.

    Returns {name: {"old", "new"}}. Raises NodeError PACKAGE_REMOVAL (nothing was touched), PACKAGE_FAILED, or
    another reason of the package manager's.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_repair.mend '[bash, glibc]'
    """
    if not names:
        return {}
    with updaters.held_off(__salt__):
        __salt__["package_lock.wait"]()
        before = found()
        if _is_apt():
            finish_dpkg(exclude=exclude)
        else:
            _mend_rpm(set(names), exclude)
        after = found()
    left = sorted({*after["doubles"], *after["half"]} & set(names))
    if left or after["unknown"]:
        raise NodeError("PACKAGE_FAILED", f"still half installed: {', '.join(left) or after['unknown']}")
    now = __salt__["package_set.installed"](fresh=True)
    return {
        name: {"old": ", ".join(before["doubles"].get(name) or [f"{before['half'].get(name)}, half"]),
               "new": ", ".join(now.get(name, ()))}
        for name in names
    }  # fmt: skip


def commands_to_mend(names: Sequence[str], exclude: Sequence[str] = ()) -> list[list[str]]:
    """The commands that mend packages, to be run by somebody else: Salt's own move when this job has ended.

    names (list): of packages. exclude (list): globs of packages that must not move.

    Returns [[argument, …]], [] where they are whole. Raises NodeError PACKAGE_REMOVAL when another package
    would go or an excluded one move; PACKAGE_FAILED, also where dpkg has Open vSwitch half installed, which
    any transaction of apt's would finish; or another reason of the package manager's.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_repair.commands_to_mend '[salt-minion]'
    """
    state = found()
    if _is_apt():  # it finishes all that is half done, whatever it is asked for
        _refuse_switch(state["half"])
    broken = sorted({*state["doubles"], *state["half"]} & set(names))
    if not broken:
        return []
    if not _is_apt():
        return [_transaction_of_rpm(set(broken), exclude)[0]]
    request = ["--fix-broken", *_AGAIN, *sorted(_to_unpack() & set(broken) or broken)]
    _refuse_apts_plan(state["half"], request, False, exclude)
    return [["dpkg", *_CONFIGURE], _apt(*request)]


def finish_dpkg(switch: bool = False, exclude: Sequence[str] = ()) -> None:
    """Have dpkg configure what it unpacked, and apt install again what is not whole; apt refuses to work
    before.

    switch (bool): Open vSwitch may be among it. Only a caller that keeps its scripts from stopping the switch
    may say so. exclude (list): globs of packages that must not move.

    Raises NodeError PACKAGE_REMOVAL when apt would have to remove a package, or move an excluded one;
    PACKAGE_FAILED, or another reason of the package manager's.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' package_repair.finish_dpkg
    """
    half = _half_of_dpkg()
    if not half:
        return
    if not switch:
        _refuse_switch(half)
    said = _run(["dpkg", *_CONFIGURE])
    for plan in (_FIX, _AGAIN):
        if left := _half_of_dpkg():
            # The first passes over a package that dpkg wants unpacked again. That one alone: apt has no file
            # name for others that are unpacked, and configures them with it.
            request = plan if plan is _FIX else (*plan, *sorted(_to_unpack() or left))
            _refuse_apts_plan(left, request, switch, exclude)
            said += _run(_apt(*request))
    audit = commands.unattended(__salt__, ["dpkg", "--audit", *half])
    __salt__["package_set.installed"](fresh=True)
    if (left := _half_of_dpkg()) or audit.retcode or audit.stdout.strip():
        named = f"still half installed: {', '.join(sorted(left or half))}: "
        failed = package_errors.classified(said, "PACKAGE_FAILED")
        raise NodeError(failed.reason, f"{named}{failed.text}")


def _mend_rpm(names: set[str], exclude: Sequence[str]) -> None:
    command, concerned = _transaction_of_rpm(names, exclude)
    said = _run(command)
    left = _state_of_rpm()
    several = {one["nevra"] for some in left["doubles"] for one in some}
    if concerned & (several | {one["nevra"] for one in left["half"]}):
        raise package_errors.classified(said, "PACKAGE_FAILED")


def _transaction_of_rpm(names: set[str], exclude: Sequence[str]) -> tuple[list[str], set[str]]:
    """The transaction that mends packages, once it is known to take nothing else away: its command, and the
    NEVRAs that it is about.
    """
    state = _state_of_rpm()
    doubles = [some for some in state["doubles"] if _name(some[-1]) in names]
    erase = sorted(one["nevra"] for some in doubles for one in some[:-1])
    again = {some[-1]["nevra"] for some in doubles}
    again |= {one["nevra"] for one in state["half"] if _name(one) in names} - set(erase)
    question = {
        "ask": "resolve",
        "erase": erase,
        "reinstall": sorted(again),
        "exclude": list(exclude),
        "setopt": list(_SETTINGS),
    }
    plan = _planned(question)
    if gone := [nevra for nevra in plan["missing"] if nevra in again]:
        # what the repositories no longer have is mended by a newer one, which takes the place of both
        newer = _without_version(gone, state)
        erase = sorted(one["nevra"] for some in doubles if some[-1]["nevra"] not in gone for one in some[:-1])
        question |= {"erase": erase, "reinstall": sorted(again - set(gone)), "upgrade": newer}
        plan = _planned(question)
        if set(newer) - {f"{one['name']}.{one['arch']}" for one in plan.get("comes", ())}:
            raise NodeError(
                "PACKAGE_FAILED", f"no repository has {', '.join(gone)} to run their scripts again"
            )
    dnf_library.refuse_removals(plan, erase)
    if "problem" in plan:
        raise package_errors.classified(plan["problem"], "PACKAGE_FAILED")
    dnf_library.refuse_downgrades(plan)
    lines = [
        f"{verb} {' '.join(some)}"
        for verb, some in (("remove", erase), ("reinstall", question["reinstall"]),
                           ("upgrade", question.get("upgrade", ())))
        if some
    ]  # fmt: skip
    _RUN.mkdir(parents=True, exist_ok=True)
    _SCRIPT.write_text("\n".join([*lines, "run", ""]), encoding="utf-8")
    options = ["keepcache=1", "exit_on_lock=1", *_SETTINGS]
    if exclude:
        options.append(f"excludepkgs={','.join(exclude)}")
    command = ["dnf", "--quiet", "--assumeyes", *(f"--setopt={one}" for one in options)]
    return [*command, "shell", str(_SCRIPT)], {*erase, *again}


def _planned(question: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dnf_library.ask(__salt__, question)
    except NodeError as error:
        if error.reason != "REPOSITORY_BROKEN":
            raise
        __salt__["system_packages.refresh"]()
        return dnf_library.ask(__salt__, question)


def _without_version(nevras: Sequence[str], state: Mapping[str, Any]) -> list[str]:
    """name.arch of each."""
    some = [*(one for double in state["doubles"] for one in double), *state["half"]]
    return sorted({f"{one['name']}.{one['arch']}" for one in some if one["nevra"] in nevras})


def _apt(*request: str) -> list[str]:
    return ["apt-get", "--quiet", "--yes", "--no-remove", *apt.KEEP_FILES, *request]


def _refuse_switch(half: Iterable[str]) -> None:
    if any(comparing.of_the_switch(name) for name in half):
        raise NodeError("PACKAGE_FAILED", "Open vSwitch is half installed: run the stage ovs before")


def _refuse_apts_plan(
    half: Iterable[str], request: Sequence[str], switch: bool, exclude: Sequence[str]
) -> None:
    try:
        plan = apt.simulated(__salt__, request)
    except CommandExecutionError as error:
        raise package_errors.classified(str(error), "PACKAGE_FAILED") from error
    hidden = [*exclude, *(() if switch else comparing.OVS_PACKAGES)]
    moving = {name for name in plan.moving if name not in half and comparing.matches(name, hidden)}
    wrong = sorted({*plan.removed, *moving})
    if wrong:
        raise NodeError(
            "PACKAGE_REMOVAL", f"to mend {', '.join(sorted(half))}, apt would move {', '.join(wrong)}"
        )


def _state_of_rpm() -> dict[str, Any]:
    key = fingerprint.of(_DATABASES)
    known = StateFile(_REMEMBERED).read_or_none()
    if key and known and known["key"] == key:
        return known["state"]
    state = dnf_library.ask(__salt__, {"ask": "state"})
    # reading may have moved a database's journal into it
    StateFile(_REMEMBERED).write({"key": fingerprint.of(_DATABASES), "state": state})
    return state


def _half_of_dpkg() -> dict[str, str]:
    """{name: version} of what dpkg does not have whole."""
    return {
        name: version
        for name, version, flag, status in _rows_of_dpkg()
        if status not in _WHOLE or flag == _UNPACK
    }


def _to_unpack() -> set[str]:
    """The names of what dpkg wants unpacked again."""
    return {name for name, _, flag, _ in _rows_of_dpkg() if flag == _UNPACK}


def _rows_of_dpkg() -> list[tuple[str, str, str, str]]:
    """Name, version, flag and status of each package that dpkg knows."""
    printed = commands.checked(__salt__, ["dpkg-query", "--show", f"--showformat={_ROW}"], "PACKAGE_FAILED")
    rows = [line.split("\t") for line in printed.splitlines() if line]
    own = __grains__.get("osarch", "")
    return [
        (comparing.salts_name(name, arch, own, ":"), version, flag, status)
        for name, arch, version, flag, status in rows
    ]


def _run(command: Sequence[str]) -> str:
    """Run a transaction; what it printed."""
    result = transactions.run(__salt__, command, debian=_is_apt())
    return result.said()


def _name(package: Mapping[str, str]) -> str:
    return comparing.salts_name(package["name"], package["arch"], __grains__.get("osarch", ""))


def _is_apt() -> bool:
    return __grains__.get("os_family") == "Debian"
