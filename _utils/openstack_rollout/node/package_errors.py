"""The failures of package managers: which reason their message stands for, and the lines of it that matter.

The patterns are messages of dnf, rpm, apt and dpkg, in English.
"""

from __future__ import annotations

import re

from openstack_rollout.node.errors import NodeError

# In what dnf and apt say, the lines that an operator needs; dnf may put a repository's settings after them.
_SAYS_WHAT_IS_WRONG = re.compile(
    r"\b(?:Error|Problem)(?: \d+)?: *\S|\bE: |nothing provides|conflicts with|No match for"
    r"|No package \S+ avail|(?:Curl|GPG|OpenPGP|Checksum) .*(?:error|failed|check)|[Nn]o space left"
    r"|Status code|more space|Public key for \S+ is not|Failing package is"
    r"|dpkg: error",
)
_SETTING = re.compile(r"\s*(?:\[[\w.:-]+\]$|[\w.-]+ ?=)")
_LONGEST = 400
# The first that matches counts.
_REASONS = (
    ("DISK_FULL", re.compile(r"[Nn]o space left|more space (?:needed|on the)|enough free space", re.I)),
    (
        "PACKAGE_LOCKED",
        re.compile(
            r"Could not get lock|Unable to (?:acquire|lock)|is being used by another|obtain the .* lock", re.I
        ),
    ),
    (
        "SIGNATURE_WRONG",
        re.compile(
            r"GPG check FAILED|GPG error|OpenPGP signature|not signed|NO_PUBKEY|BADSIG|key is not trusted"
            r"|(?:signature|digest)s? .*(?:BAD|NOKEY|NOT ?OK|not be verified|invalid)|is not installed.*GPG",
            re.I,
        ),
    ),
    (
        "REPOSITORY_BROKEN",
        re.compile(
            r"Failed to (?:download|fetch|synchronize)|Cannot (?:download|prepare)|Unable to fetch|Curl error"
            r"|repomd|Status code: [45]|Hash Sum mismatch|[Cc]hecksum doesn't match"
            r"|(?:does not have|no longer has) a Release file|Cache-only enabled but no cache",
        ),
    ),
)


def classified(text: str, reason: str) -> NodeError:
    """The error to raise for a package manager that failed.

    text (str): what it printed. reason (str): a word of errors.REASONS, where none of the patterns matches.
    """
    found = next((word for word, pattern in _REASONS if pattern.search(text)), reason)
    return NodeError(found, line(text))


def line(text: str) -> str:
    """What a package manager printed, as one line (str): what says what is wrong, else the last lines.

    text (str): all of it.
    """
    lines = [one.strip(" -") for one in text.splitlines() if not _SETTING.match(one)]
    wrong = [one for one in lines if _SAYS_WHAT_IS_WRONG.search(one)] or [one for one in lines if one][-3:]
    return "; ".join(dict.fromkeys(wrong))[:_LONGEST]
