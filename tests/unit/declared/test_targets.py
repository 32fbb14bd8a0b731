"""Compound targets: what Salt's matchers would read alike, and everything else refused."""

import itertools
import logging

import pytest

from openstack_rollout.declared import targets

READABLE = [
    "*", "cmp*", "cmp1", "cmp1.example.org", "cmp[1-3]*", "cmp?", "cmp1 or cmp2", "cmp* and not cmp1",
    "not cmp1",
    "cmp* not cmp1", "( cmp* or ctl* )", "( cmp* or ctl* ) and not ( cmp1 or ctl1 )", "not ( not cmp1 )",
    "E@cmp(1|2)",
    "E@cmp[0-9]+$", "E@^(?:cmp|ctl)\\d+", "G@os:Debian", "G@os_family:Red*", "P@os:(Debian|Ubuntu)",
    "P|@os|(a|b)",
    "G%@os%Debian", "G@ipv4:10.0.0.1", "L@cmp1,cmp2", "L@cmp1", "S@10.0.0.0/24", "S@10.0.0.1", "S@fd00::/64",
    "cmp* and G@os:Debian or E@ctl.*", "( ( cmp1 ) )", "cmp!1", "G@a:b:c", "cmp[!1]", "cmp[a-c1]",
        " or ".join(["a"] * 500),
    "( " * 50 + "a" + " )" * 50, "S@10.0.0.0/8",
]  # fmt: skip
UNREADABLE = [
    "(cmp* or ctl*", "( cmp* or ctl*", "cmp* )", "(cmp* or ctl*)", "cmp* or ctl*)", ") cmp* (", "( )", "()",
    "cmp* ( ctl* )",
    "cmp* and", "cmp* or", "cmp* not", "not", "and cmp*", "or cmp*", "and", "( and cmp* )", "( cmp* and )",
    "cmp* and or ctl*",
    "cmp* and and ctl*", "not not cmp*", "not and cmp*", "cmp1 cmp2", "cmp*, ctl*", "cmp*,ctl*",
    "cmp* AND ctl*", "Not cmp1",
    "cmp{1,2}", "cmp* & ctl*", "cmp* | ctl*", "!cmp1 || x", "E@cmp[(", "E@(", "E@*", "E@a{2,1}", "E@(?P<x",
    "E@a b", "E@",
    "P@os:[", "P@os", "P@:x", "P@os:", "P@os:(?i", "G@os", "G@:x", "G@os:", "G@", "N@computes", "I@role:x",
    "J@role:x",
    "cmp* and I@role:x", "I:@a:b", "J|@x|y", "X@y", "e@cmp1", "g@os:Debian", "EE@x", "GG@os:x", "E|@cmp",
    "R@cmp[1-3]", "T@x:y",
    "M@cmp1", "L@cmp*", "L@", "L@,cmp1", "L@cmp1,", "L@cmp1, cmp2", "S@10.0.0.1/24", "S@x", "S@10.0.0.0/33",
    "S@cmp*", "@x",
    "cmp1@site", "cmp[1", "cmp1]", "-cmp1", "--all", "", " ", "cmp\u200b*", "cmp*\u202e", "cmp*\n",
    "\tcmp*", "cmp\u00a0* or x",
    "cmp1\u2003or\u2003cmp2", "cm\u0440*", "cmp1; reboot", "cmp$(x)", "cmp'1'", 'cmp"1"', "cmp\\1", "cmp/1",
    "cmp1#2", "cmp1\0", "cmp[]", "cmp[!]", "cmp[3-1]", "cmp]1[", " or ".join(["a"] * 501), "S@10.0.0.1/8",
    "( " * 51 + "a" + " )" * 51, "( " * 5000 + "a" + " )" * 5000,
]  # fmt: skip


def problem(target):
    """As the pillar's types have it: characters first, then the syntax."""
    from openstack_rollout.declared import names

    return names.TARGET.problem(target)


@pytest.mark.parametrize("target", READABLE)
def test_readable(target):
    assert problem(target) == ""


@pytest.mark.parametrize("target", UNREADABLE)
def test_unreadable(target):
    text = problem(target)
    assert text and text.isascii() and text.isprintable()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("E@", "'E@': nothing stands behind it"),
        ("L@", "'L@': nothing stands behind it"),
        ("S@10.0.0.1/8", "'S@10.0.0.1/8' has to be written as the network: S@10.0.0.0/8"),
        ("cmp[3-1]", "'cmp[3-1]': 3-1 is no range, write 1-3"),
        ("cmp[]", "'cmp[]': [] and [!] match nothing, name characters in them"),
        (" or ".join(["a"] * 501), "has 1001 words, 1000 are allowed"),
        ("( " * 51 + "a" + " )" * 51, "has more than 50 parentheses inside each other"),
    ],
)
def test_what_is_said(target, said):
    assert problem(target).endswith(said)


def _minion(words, ids):
    """Salt's own matcher of a minion, for each id; None where it cannot read the words."""
    from salt.matchers import compound_match

    compound_match.__context__ = {
        "matchers": {"glob_match.match": lambda word, opts, minion_id: word == minion_id}
    }
    said = []

    class Log(logging.Handler):
        def emit(self, record):
            said.append(record)

    handler = Log(logging.ERROR)
    compound_match.log.addHandler(handler)
    try:
        found = [bool(compound_match.match(" ".join(words), {"id": one}, one)) for one in ids]
    finally:
        compound_match.log.removeHandler(handler)
    return None if said else found


def _master(words, ids):
    """Salt's own matcher on the master."""
    from salt.utils.minions import CkMinions

    class Minions(CkMinions):
        def __init__(self):
            self.opts = {"minion_data_cache": True}

        def _pki_minions(self):
            return set(ids)

        def _check_glob_minions(self, expr, greedy, minions=None):
            return {"minions": [one for one in ids if one == expr], "missing": []}

    found = Minions()._check_compound_minions(" ".join(words), ":", False)["minions"]
    return [one in found for one in ids]


def test_whatever_is_readable_means_the_same_to_master_and_minion():
    """All orders of up to five words: Salt's own matchers are the judge."""
    ids = ["a", "b", "c"]
    words = ["a", "b", "and", "or", "not", "(", ")"]
    readable = 0
    for length in range(1, 6):
        for some in itertools.product(words, repeat=length):
            if not targets.problem(" ".join(some)):
                readable += 1
                on_minion = _minion(some, ids)
                assert on_minion is not None, some
                assert on_minion == _master(some, ids), some
    assert readable > 100


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("L@cmp1,cmp2", ["cmp1", "cmp2"]),
        ("cmp1 or cmp2 or cmp*", ["cmp1", "cmp2"]),
        ("cmp* and not cmp9 and not L@cmp7,cmp8", []),
        ("( cmp1 or G@os:Debian ) and not ( x or y )", ["cmp1"]),
        ("E@cmp[0-9] or S@10.0.0.1", []),
    ],
)
def test_the_minions_that_a_target_names(target, names):
    assert targets.named(target) == names
