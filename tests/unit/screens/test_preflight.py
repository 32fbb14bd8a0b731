"""The text of a preflight."""

from __future__ import annotations

from openstack_rollout.screens import preflight


def one(verdict, *seen, acceptable=False):
    remedy = "Mend it." if seen else ""
    return {
        **{"asks": "it is so", "verdict": verdict, "seen": list(seen), "remedy": remedy, "nodes": []},
        "acceptable": acceptable,
    }


def data(verdict, **conditions):
    of = {"verdict": verdict, "name": "lab", "target": "1.0.1", "orchestration": "orch.update", "limit": ""}
    return {"preflight": of, "conditions": conditions}


def test_every_condition_has_its_verdict_and_what_was_seen():
    text = preflight.text(
        data(
            "refuse",
            nodes=one("ok"),
            clocks=one("warn", "cmp1 is 3 s ahead"),
            room=one("refuse", "cmp2: /var", acceptable=True),
        )
    )
    assert text.splitlines()[0] == "lab: preflight of orch.update to 1.0.1"
    assert "nodes      ok       it is so" in text
    assert "clocks: warn\n  cmp1 is 3 s ahead\n  -> Mend it." in text
    assert "may be accepted for one run: accept=room" in text
    assert text.splitlines()[-1] == "refuse: a run would be refused"


def test_a_preflight_in_which_all_is_well_says_so():
    text = preflight.text(data("ok", nodes=one("ok")))
    assert text.splitlines()[-1] == "ok: a run may begin" and "accept=" not in text
