"""The JSON of OVSDB, the database of Open vSwitch and OVN, read into Python.

Its clients (ovs-vsctl, ovn-nbctl, ovn-sbctl, ovsdb-client) print it as RFC 7047 describes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TAGGED = ("uuid", "named-uuid", "set", "map")


def listing(tables: Mapping[str, str]) -> list[str]:
    """The arguments with which a client lists tables, all in one transaction.

    tables (dict): {table: "column,column"}.
    """
    words: list[str] = []
    for table, columns in tables.items():
        words += ["--", f"--columns={columns}", "list", table]
    return ["--format=json", *words[1:]]


def tables(printed: str, names: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What a client printed for `listing`: {table: its rows}.

    printed (str): a JSON document a line, in the order of the tables. names (dict): as for `listing`.

    Raises ValueError when it is no JSON, or when a table is missing.
    """
    documents = [line for line in printed.splitlines() if line.strip()]
    return {name: rows(document) for name, document in zip(names, documents, strict=True)}


def rows(document: str) -> list[dict[str, Any]]:
    """The rows of one table: [{column: value}].

    document (str): one JSON document, as `ovs-vsctl --format=json list TABLE` prints it; "" has no rows.
    """
    table = json.loads(document or '{"headings": [], "data": []}')
    return [dict(zip(table["headings"], map(value, row), strict=True)) for row in table["data"]]


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a transaction's answer (`ovsdb-client query`), its values as Python's.

    row (dict): {column: value in OVSDB's JSON}.
    """
    return {column: value(cell) for column, cell in row.items()}


def value(cell: Any) -> Any:
    """A value as Python's: a uuid is a str, a set a list, a map a dict; anything else stays as it is.

    cell: one value in OVSDB's JSON. A set of exactly one member is written as that member.
    """
    if not (isinstance(cell, list) and len(cell) == 2 and cell[0] in _TAGGED):
        return cell
    kind, content = cell
    if kind == "set":
        return [value(one) for one in content]
    return {value(key): value(one) for key, one in content} if kind == "map" else content


def members(column: Any) -> list[Any]:
    """The members of a set (list).

    column: a value as `rows` gives it, where a set of exactly one member is that member.
    """
    return column if isinstance(column, list) else [column]


def optional(column: Any) -> Any:
    """The value of a column that may be empty, None when it is.

    column: a value as `rows` gives it, where an empty column is an empty set.
    """
    return next(iter(members(column)), None)
