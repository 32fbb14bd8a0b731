"""A program for the Python that dnf itself runs on: answers as JSON what only dnf's own library knows.

It reads one question (JSON) and changes nothing on the node. It imports nothing of this package, and runs on
Python 3.9 and later, for it is not the minion's Python that runs it (node/dnf.py does).
"""

from __future__ import annotations

import fnmatch
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import dnf
import dnf.exceptions
import dnf.subject
import dnf.transaction
import hawkey
import libdnf.transaction

_LOCKS = "versionlock"
#: What a transaction did to a package that it brought.
_BROUGHT = ("Install", "Upgrade", "Downgrade", "Reinstall", "Obsoletes")


def state(question: dict[str, Any]) -> dict[str, Any]:
    """Packages that a transaction which died left: installed twice, or with scripts that may not have run.

    Returns {"doubles": [[package, …]] from the oldest to the newest, of which only one should be there,
    "half": [package] that a transaction brought which has no end in dnf's own history}.
    """
    base = dnf.Base()
    base.conf.read()
    base.conf.exit_on_lock = True
    base.conf.disable_excludes = ["all"]
    base.fill_sack(load_available_repos=False)
    installed = base.sack.query().installed()
    several = installed.duplicated().difference(base._get_installonly_query(installed))
    doubles: dict[tuple[str, str], list[Any]] = {}
    for one in several:
        doubles.setdefault((one.name, one.arch), []).append(one)
    here = {str(one): one for one in installed}
    return {
        "doubles": [[_package(one) for one in sorted(some)] for some in doubles.values() if len(some) > 1],
        "half": [_package(here[nevra]) for nevra in sorted(_without_end(base) & set(here))],
    }


def resolve(question: dict[str, Any]) -> dict[str, Any]:
    """What dnf would do, without erasing anything that it was not asked to erase.

    Returns {"comes": [package], "downgraded": [package] that comes in place of a newer one, "removed":
    {NEVRA: package} without another version ("by": which replaces it), "retired": {NEVRA: package} that makes
    room for a newer one beside it (kernels), "missing": [what no repository has], "hidden": {of those: the
    lock or exclude that hides it}}; where there is no solution, {"problem", "needs": what would have to go,
    None where that would not help, "missing", "hidden"}.

    question: "install" (specs), "files", "erase", "reinstall" (NEVRAs), "upgrade", "exclude", "setopt".
    """
    base = _with_repositories(question)
    said = _solved(base, question)
    return {**said, "hidden": _hidden(base, said["missing"])}


def unfetched(question: dict[str, Any]) -> dict[str, Any]:
    """What dnf would still have to fetch for what `resolve` tells: that, and "unfetched": [package].

    question: as for `resolve`.
    """
    base = _with_repositories(question)
    said = _solved(base, question)
    lacking = [one for one in base.transaction.install_set if not _is_here(one)] if "comes" in said else []
    return {**said, "unfetched": [_package(one) for one in lacking]}


def newer(question: dict[str, Any]) -> dict[str, Any]:
    """What dnf would do to bring everything that is installed to the newest.

    question: "exclude", "setopt". Returns as `resolve`, and "wanted": every package that is newer; "left":
    those of them that stay for the sake of what is excluded or locked ("by": which would have to go), or that
    lack something where dnf may leave them out (`best` is off); "locked": those that a version lock keeps
    back ("by": its line); "excluded": those that a setting of dnf's hides ("by"); "replaced": installed
    packages ("by": the one that would take its place under another name, "version": its).
    """
    base = _with_repositories(question)
    wanted = _newest(base)
    said = _solved(base, {**question, "install": [str(one) for one in wanted]})
    held = _held(base, said)
    if "problem" in said and _may_be_left(said["needs"], held, best=base.conf.best):
        for one in wanted:
            base.package_upgrade(one)
        base.resolve(allow_erasing=False)
        said = {**_transaction(base), "missing": []}
    comes = {one["nevra"] for one in said.get("comes", ())}
    left = [one for one in wanted if str(one) not in comes] if "comes" in said else []
    free = {str(one) for one in wanted}
    replaced = _replaced(base, said.get("removed", {}))
    locked = _locked(base, free)
    return {
        **said,
        "wanted": [_package(one) for one in wanted],
        "left": [{**_package(one), "by": ", ".join(held)} for one in left],
        "replaced": replaced,
        "locked": locked,
        "excluded": _excluded(base, free | {one["nevra"] for one in locked}, question),
    }


def _may_be_left(needs: dict[str, Any] | None, held: list[str], *, best: bool) -> bool:
    """Whether dnf may leave out what it has no solution for: because of what is excluded or locked, or for
    want of something. What is merely in the way is somebody's decision.
    """
    return not best if needs is None else not needs or bool(held)


def _held(base: Any, said: dict[str, Any]) -> list[str]:
    """What would have to go, where version locks alone keep all of it as it is."""
    needs, lines = said.get("needs") or {}, _lock_lines(base)
    installed = {str(one): one for one in base.sack.query(flags=hawkey.IGNORE_EXCLUDES).installed()}
    held = [nevra for nevra in needs if _line_of(base, lines, installed[nevra], named=True)]
    return sorted(held) if len(held) == len(needs) else []


def locks(question: dict[str, Any]) -> list[dict[str, str]]:
    """The installed packages that version locks keep where they are: of no other version may any come.

    question: "repositories" false: without any, all that a lock names. Returns them, each with "by", the line
    of the lock.
    """
    base = _with_repositories(question)
    lines = _lock_lines(base)
    found = []
    for one in base.sack.query().installed() if lines else ():
        if line := _line_of(base, lines, one, named=True):
            others = base.sack.query().available().filter(name=one.name, arch=one.arch, evr__neq=one.evr)
            if not others:
                found.append({**_package(one), "by": line})
    return found


def _locked(base: Any, free: set[str]) -> list[dict[str, str]]:
    """What would be newer too without version locks. It is the last to ask: the base has none then."""
    lines = _lock_lines(base)
    if not lines:
        return []
    base.sack.reset_excludes()
    base.sack.reset_includes()
    base._setup_excludes_includes()
    some = [one for one in _newest(base) if str(one) not in free]
    return [{**_package(one), "by": _line_of(base, lines, one)} for one in some]


def _excluded(base: Any, known: set[str], question: dict[str, Any]) -> list[dict[str, str]]:
    """What would be newer too without dnf's own settings. It is the last to ask: the base has none then."""
    base.sack.reset_excludes()
    base.sack.reset_includes()
    ours = {str(one) for glob in question.get("exclude", ()) for one in _of_glob(base, glob)}
    some = [one for one in _newest(base) if str(one) not in known | ours]
    return [{**_package(one), "by": _setting_of(base, one)} for one in some]


def _setting_of(base: Any, package: Any) -> str:
    """The setting that hides a package."""
    settings = [base.conf, *(one for one in base.repos.iter_enabled() if one.id == package.reponame)]
    globs = [glob for one in settings for glob in one.excludepkgs]
    found = next((glob for glob in globs if package in _of_glob(base, glob)), "")
    return f"excludepkgs={found}" if found else "includepkgs"


def _of_glob(base: Any, glob: str) -> Any:
    return dnf.subject.Subject(glob).get_best_query(base.sack, with_provides=False, with_filenames=False)


def _hidden(base: Any, specs: list[str]) -> dict[str, str]:
    """What hides specs that some repository has. It is the last to ask: the base has no excludes then."""
    lines = _lock_lines(base)
    base.sack.reset_excludes()
    base.sack.reset_includes()
    found = {}
    for spec in specs:
        some = list(_of_glob(base, spec).available())
        if some:
            line = _line_of(base, lines, some[0])
            found[spec] = f"version lock {line}" if line else _setting_of(base, some[0])
    return found


def _replaced(base: Any, going: dict[str, Any]) -> list[dict[str, str]]:
    """Installed packages that one of another name would replace, and that stay."""
    installed = base.sack.query().installed()
    names = {one.name for one in installed}
    found = []
    for new in base.sack.query().available().filter(obsoletes=installed).latest():
        replaces = {str(one).split()[0] for one in new.obsoletes} if new.name not in names else ()
        for old in installed.filter(provides=new.obsoletes):
            if old.name in replaces and str(old) not in going:
                found.append({**_package(old), "version": new.evr, "by": new.name})
    return found


def _newest(base: Any) -> list[Any]:
    return sorted(base.sack.query().filter(upgrades_by_priority=True).latest())


def _lock_lines(base: Any) -> list[str]:
    """The lines of the version locks, as their own plugin reads them."""
    if not any(one.name == _LOCKS for one in base._plugins.plugins):
        return []
    return sys.modules[f"dnf.plugin.dynamic.{_LOCKS}"]._read_locklist()


def _line_of(base: Any, lines: list[str], package: Any, *, named: bool = False) -> str:
    """The line that keeps a package away, in the plugin's own grammar; "" when there is none.

    named: a line counts that says anything of its name.
    """
    for line in lines:
        excludes = line.startswith("!")
        forms = [hawkey.FORM_NEVRA, hawkey.FORM_NEVR, hawkey.FORM_NEV, hawkey.FORM_NA, hawkey.FORM_NAME]
        for nevra in dnf.subject.Subject(line.lstrip("!")).get_nevra_possibilities(forms=forms):
            if not fnmatch.fnmatchcase(package.name, nevra.name):
                continue
            matching = nevra.to_query(base.sack)
            if not matching and not excludes:
                continue
            if named or excludes == (package in matching):
                return line
    return ""


def _solved(base: Any, question: dict[str, Any]) -> dict[str, Any]:
    missing = _ask_for(base, question)
    try:
        base.resolve(allow_erasing=False)
    except dnf.exceptions.DepsolveError as error:
        return {"problem": str(error), "needs": _needed_removals(base, question), "missing": missing}
    return {**_transaction(base), "missing": missing}


def _needed_removals(base: Any, question: dict[str, Any]) -> dict[str, Any] | None:
    """What would have to go so that it could be done, if nothing were excluded or locked; None where that
    would not do either.
    """
    base.sack.reset_excludes()
    base.sack.reset_includes()
    base.reset(goal=True)
    _ask_for(base, question)
    try:
        base.resolve(allow_erasing=True)
        return _transaction(base)["removed"]
    except dnf.exceptions.DepsolveError:
        return None
    finally:
        base._setup_excludes_includes()
        base._plugins.run_sack()
        base.reset(goal=True)


def _ask_for(base: Any, question: dict[str, Any]) -> list[str]:
    """Mark what is asked for; which of it no repository has."""
    missing = []
    for package in base.add_remote_rpms(question.get("files", ())):
        base.package_install(package)
    for spec in question.get("install", ()):
        try:
            base.install(spec, strict=True)
        except dnf.exceptions.MarkingError:
            missing.append(spec)
    for nevra in question.get("reinstall", ()):
        try:
            base.reinstall(nevra)
        except dnf.exceptions.PackagesNotAvailableError:
            missing.append(nevra)
    for name in question.get("upgrade", ()):
        try:
            base.upgrade(name)
        except dnf.exceptions.MarkingError:
            missing.append(name)
    installed = {str(one): one for one in base.sack.query().installed()}
    for nevra in question.get("erase", ()):
        base.package_remove(installed[nevra])
    return missing


def _transaction(base: Any) -> dict[str, Any]:
    """The resolved transaction: what comes, and what goes without another version of it coming."""
    downgrades = [one.pkg for one in base.transaction if one.action == dnf.transaction.PKG_DOWNGRADE]
    comes = [_package(one) for one in base.transaction.install_set]
    names = {(one["name"], one["arch"]) for one in comes}
    kernels = {str(one) for one in base._get_installonly_query(base.sack.query().installed())}
    removed, retired = {}, {}
    for item in base.transaction:
        if item.action not in (dnf.transaction.PKG_REMOVE, dnf.transaction.PKG_OBSOLETED):
            continue
        package = _package(item.pkg)
        if str(item.pkg) in kernels:  # dnf keeps as many of these as its installonly_limit says
            retired[str(item.pkg)] = package
            continue
        if (package["name"], package["arch"]) in names:  # another version of it comes
            continue
        package["by"] = next(
            (
                new.name
                for new in base.transaction.install_set
                if item.pkg in base._goal.obsoleted_by_package(new)
            ),
            "",
        )
        removed[str(item.pkg)] = package
    downgraded = [_package(one) for one in downgrades]
    return {"comes": comes, "downgraded": downgraded, "removed": removed, "retired": retired}


def _with_repositories(question: dict[str, Any]) -> Any:
    """A base with the repositories and dnf's plugins, as dnf itself would have them."""
    base = dnf.Base()
    base.conf.read()
    base.conf.exit_on_lock = True
    base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
    for option in question.get("setopt", ()):
        name, _, value = option.partition("=")
        if name == "excludepkgs":
            _exclude(base, value.split(","))
        else:
            base.conf._set_value(name, value, dnf.conf.PRIO_COMMANDLINE)
    _exclude(base, question.get("exclude", ()))
    base.init_plugins()
    base.pre_configure_plugins()
    base.read_all_repos()
    base.configure_plugins()
    for repository in base.repos.iter_enabled():
        if repository.repofile:  # one that a plugin made may be empty
            repository.skip_if_unavailable = False  # one that cannot be read is never "nothing is new"
    if question.get("repositories", True):
        base.fill_sack_from_repos_in_cache()
    else:
        base.fill_sack(load_available_repos=False)
    return base


def _exclude(base: Any, globs: Sequence[str]) -> None:
    """Exclude more than dnf's own settings do, in whose place such a value would come."""
    if globs:
        base.conf.exclude_pkgs([*base.conf.excludepkgs, *globs])


def _without_end(base: Any) -> set[str]:
    """What the transactions brought that dnf began to record, and never ended."""
    # from the newest: what a later transaction brought whole is whole
    found, whole = set[str](), set[str]()
    history = base.history.old(complete_transactions_only=False)
    ends = [one._trans.getState() != libdnf.transaction.TransactionState_UNKNOWN for one in history]
    oldest = max((place for place, ended in enumerate(ends) if not ended), default=-1)
    for transaction, ended in zip(history[: oldest + 1], ends, strict=False):
        brought = {one.nevra for one in transaction.packages() if one.action_name in _BROUGHT}
        if ended:
            whole |= brought
        else:
            found |= brought - whole
    return found


def _is_here(package: Any) -> bool:
    """Whether a package's file is on the node, and whole."""
    if package._is_local_pkg():  # of a local repository: used where it is
        return True
    return os.path.exists(package.localPkg()) and package.verifyLocalPkg()


def _package(one: Any) -> dict[str, str]:
    return {"name": one.name, "arch": one.arch, "version": one.evr, "nevra": str(one)}


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": _QUESTIONS[question["ask"]](question)}
    except dnf.exceptions.Error as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": str(error), "kinds": kinds}
    except Exception:
        return {"error": traceback.format_exc(limit=-2), "kinds": []}


_QUESTIONS = {"state": state, "resolve": resolve, "unfetched": unfetched, "newer": newer, "locks": locks}


def main() -> None:
    """Answer the question on standard input; what dnf's plugins print goes elsewhere."""
    out = os.dup(1)
    os.dup2(2, 1)
    answer = _answer(json.load(sys.stdin))
    with open(out, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main()
