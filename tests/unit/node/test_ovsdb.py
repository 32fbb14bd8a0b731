"""ovsdb: OVSDB's JSON as Python."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.node import ovsdb


def document(headings, *rows):
    return json.dumps({"headings": headings, "data": rows})


def test_tables_are_listed_in_one_transaction():
    assert ovsdb.listing({"Bridge": "name,ports", "Port": "_uuid"}) == [
        "--format=json", "--columns=name,ports", "list", "Bridge", "--", "--columns=_uuid", "list", "Port",
    ]  # fmt: skip


def test_the_tables_come_back_in_their_order():
    printed = f"{document(['name'], ['br-int'])}\n\n{document(['_uuid'], [['uuid', 'p1']])}\n"
    assert ovsdb.tables(printed, {"Bridge": "name", "Port": "_uuid"}) == {
        "Bridge": [{"name": "br-int"}],
        "Port": [{"_uuid": "p1"}],
    }


@pytest.mark.parametrize("printed", ["", "no json", document(["name"], ["br-int"])])
def test_a_table_that_is_missing_is_an_error(printed):
    with pytest.raises(ValueError):
        ovsdb.tables(printed, {"Bridge": "name", "Port": "_uuid"})


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("text", "text"),
        (3, 3),
        (True, True),
        (["uuid", "a"], "a"),
        (["set", []], []),
        (["set", [["uuid", "a"], ["uuid", "b"]]], ["a", "b"]),
        (["map", [["key", "value"], ["other", ["uuid", "a"]]]], {"key": "value", "other": "a"}),
    ],
)
def test_values(cell, value):
    assert ovsdb.value(cell) == value
    assert ovsdb.record({"column": cell}) == {"column": value}
    assert ovsdb.rows(document(["column"], [cell])) == [{"column": value}]


def test_a_client_that_prints_nothing_lists_no_rows():
    assert ovsdb.rows("") == []


def test_a_set_of_one_member_is_written_as_that_member():
    assert ovsdb.members("a") == ["a"] and ovsdb.members(["a", "b"]) == ["a", "b"] and ovsdb.members([]) == []
    assert ovsdb.optional("a") == "a" and ovsdb.optional([]) is None
