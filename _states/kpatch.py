"""The running kernel live-patched, as far as its vendor has a patch."""

from __future__ import annotations

from salt.exceptions import CommandExecutionError


def patched(name, exclude=()):
    """Have the newest kpatch, and the patch of the running kernel where there is one.

    name (str): any text. exclude (list): globs of packages that must not move, kernels among them.

    The comment of a failure is led by PACKAGE_FAILED or another reason of the package manager's.

    .. code-block:: yaml

        live patches:
          kpatch.patched:
            - exclude: ['kernel', 'kernel-*']
    """
    answer = {"name": name, "result": True, "comment": "nothing newer for the running kernel", "changes": {}}
    try:
        due = __salt__["kpatch.due"]()
        if not due:
            return answer
        named = ", ".join(f"{package} {version}" for package, version in sorted(due.items()))
        if __opts__["test"]:
            predicted = {package: {"old": "", "new": version} for package, version in due.items()}
            return answer | {"result": None, "comment": f"would be installed: {named}", "changes": predicted}
        moved = __salt__["package_set.bring"](due, exclude=list(exclude))
    except CommandExecutionError as error:
        return answer | {"result": False, "comment": str(error)}
    return answer | {"comment": f"installed: {named}", "changes": moved}
