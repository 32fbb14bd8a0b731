"""The failures of package managers: which reason their message stands for, and the lines of it that matter.

The patterns are messages of dnf, rpm, apt and dpkg, in English. The scripts of packages speak among them, so
a pattern is as long as a package manager's own words.
"""

from __future__ import annotations

import re

from openstack_rollout.node.commands import NOISE
from openstack_rollout.node.errors import NodeError

# In what dnf and apt say, the lines that an operator needs; dnf may put a repository's settings after them.
_SAYS_WHAT_IS_WRONG = re.compile(
    r"\b(?:Error|Problem)(?: \d+)?: *\S|\bE: |nothing provides|conflicts with|No match for"
    r"|No package \S+ avail|(?:Curl|GPG|OpenPGP|Checksum) .*(?:error|failed|check)"
    r"|^\S+ : (?:(?:Pre-?)?Depends|Conflicts|Breaks): "  # of a set that cannot come together, by apt
    r"|^killed by signal|Status code|Public key for \S+ is not|Failing package is|dpkg: error",
)
# A set that cannot come together does not tomorrow either.
_NO_PLAN = re.compile(r"you have held broken packages|nothing provides|conflicts with")
_SETTING = re.compile(r"\s*(?:\[[\w.:-]+\]$|[\w.-]+ ?=)")
# Of a repository that is broken, what stays so: somebody has to mend its address, or what it holds.
_STAYS = re.compile(
    r"Status code:? 4(?!08|29)\d\d\b|\b404  Not Found|a Release file|Cache-only enabled but no cache"
    r"|There are no enabled repo|Cannot find a valid baseurl"
)
_LONGEST = 400
_SILENT = "it did not say why"
# The first that matches counts.
_REASONS = (
    (
        "DISK_FULL",
        re.compile(
            r"no space left|more space (?:needed|on the)|enough free space|disk quota exceeded"
            r"|needs \d+\w* (?:more )?(?:inodes |space )?on the \S+ filesystem"
            r"|database or disk is full|Curl error \(23\)",
            re.I,
        ),
    ),
    (
        "PACKAGE_LOCKED",
        re.compile(
            r"Could not get lock /var/|Unable to (?:acquire|lock) the .*another process"
            r"|Unable to lock directory|dpkg: error: .* (?:locked|used) by another process"
            r"|debconf: .* locked by another process|obtain (?:the|rpm) transaction lock"
            r"|transaction lock on .*Resource temporarily unavailable|already locked by \d+",
            re.I,
        ),
    ),
    ("PROXY_LOGIN", re.compile(r"Proxy Authentication Required|(?:HTTP code|Status code:) 407\b", re.I)),
    (
        "CLOCK_DISAGREES",
        re.compile(r"Release file for \S+ is (?:not valid yet|expired)|signature: Not live until", re.I),
    ),
    (
        "REPOSITORY_CERTIFICATE",
        re.compile(
            r"Certificate verification failed|certificate verify failed|Error in the certificate verification"
            r"|SSL certificate problem|Curl error \((?:51|60|77|83|90|91)\)",
            re.I,
        ),
    ),
    (
        "SIGNATURE_WRONG",
        re.compile(
            r"GPG check FAILED|GPG error|OpenPGP signature|not signed|NO_PUBKEY|BADSIG|key is not trusted"
            r"|(?:signature|digest)s? .*(?:BAD|NOKEY|NOT ?OK|not be verified|invalid)|is not installed.*GPG"
            r"|package \S+ does not verify: |GPG key retrieval failed|retrieve GPG key .*Curl error \(37\)"
            r"|GPG signature is not available",
            re.I,
        ),
    ),
    (
        "REPOSITORY_LOGIN",
        re.compile(r"Status code: 40[13]\b|\b401  Unauthorized|\b403  Forbidden|Curl error \((?:58|67)\)"),
    ),
    (
        "REPOSITORY_BROKEN",
        re.compile(
            r"Failed to (?:download|fetch|synchronize)|Cannot (?:download|prepare)|Unable to fetch|Curl error"
            r"|repomd|Status code: [45]|Hash Sum mismatch|[Cc]hecksum doesn't match"
            r"|(?:does not have|no longer has) a Release file|Cache-only enabled but no cache"
            r"|Cannot find a valid baseurl|There are no enabled repo|No more mirrors to try"
            r"|Unable to connect to (?:[A-Za-z][\w-]*(?:\.[\w-]+)+|\S+:https?:)",
        ),
    ),
)


def classified(text: str, reason: str) -> NodeError:
    """The error to raise for a package manager that failed.

    text (str): what it printed. reason (str): a word of errors.REASONS, where none of the patterns matches.
    """
    found = next((word for word, pattern in _REASONS if pattern.search(text)), reason)
    stays = {"REPOSITORY_BROKEN": _STAYS, reason: _NO_PLAN}.get(found)
    return NodeError(found, line(text), False if stays and stays.search(text) else None)


def line(text: str) -> str:
    """What a package manager printed, as one line (str): what says what is wrong, else the last lines but for
    what it prints in any case.

    text (str): all of it.
    """
    lines = [one.strip(" -") for one in text.splitlines() if not _is_noise(one)]
    wrong = [one for one in lines if _tells(one)] or [one for one in lines if one][-3:]
    return "; ".join(dict.fromkeys(wrong))[:_LONGEST] or _SILENT


def _is_noise(one: str) -> bool:
    return one.strip().startswith(NOISE) or bool(_SETTING.match(one))


def _tells(one: str) -> bool:
    return bool(_SAYS_WHAT_IS_WRONG.search(one)) or any(pattern.search(one) for _, pattern in _REASONS)
