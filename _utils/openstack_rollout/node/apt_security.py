"""What of apt's plan comes from a distribution's repository of security updates."""

from __future__ import annotations

import re

#: Hides from apt all that is not of such a repository (apt_preferences(5): the first record of this form that
#: fits a version counts, and what is installed stays as it is).
PINS = (
    "Package: *\nPin: release l=Debian-Security\nPin-Priority: 500\n",
    "Package: *\nPin: release a=*-security\nPin-Priority: 500\n",
    "Package: *\nPin: release *\nPin-Priority: -10\n",
)
_INSTALLS = re.compile(r"^Inst (?P<name>\S+) (?:\[[^\]]+\] )?\(\S+ (?P<places>[^\[)]*)", re.M)
_OF_SECURITY = re.compile(r"Debian-Security:|/[\w.-]+-security\b")


def others(printed: str) -> list[str]:
    """The packages of a plan that come from no such repository.

    printed (str): by `apt-get --simulate`: Inst NAME [OLD] (NEW LABEL:RELEASE/SUITE, … [ARCH]).
    """
    rows = _INSTALLS.finditer(printed)
    return sorted({one["name"] for one in rows if not _OF_SECURITY.search(one["places"])})
