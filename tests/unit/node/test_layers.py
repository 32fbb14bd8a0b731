"""layers: files of unpacked layers that are missing or cut short, by the list that is kept beside each."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from openstack_rollout.node import layers


@pytest.fixture
def layer(tmp_path):
    """A layer as containers-storage keeps it: its folder."""
    folder = tmp_path / "overlay" / ("a" * 64) / "diff"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/hosts").write_text("12345")
    (folder / "etc/odd\udcff").write_text("")
    (folder / "etc/link").symlink_to("nowhere")
    raw = base64.b64encode(b"./etc/odd\xff").decode()
    entries = [
        {"type": 2, "payload": "AAAA", "position": 0},
        {"type": 1, "name": "./etc/hosts", "size": 9},
        {"type": 1, "name": "./etc/", "payload": None},
        {"type": 1, "name": "./etc/hosts", "size": 5},
        {"type": 1, "name": "etc/link"},
        {"type": 1, "name_raw": raw},
        {"type": 1, "name": "etc/.wh.gone"},
    ]
    lists = tmp_path / "overlay-layers"
    lists.mkdir()
    with gzip.open(lists / f"{'a' * 64}.tar-split.gz", "wt") as listed:
        listed.write("\n".join(map(json.dumps, entries)))
    return folder


def test_a_whole_layer(layer):
    assert layers.missing([str(layer)]) == ""


def test_a_file_that_is_gone_is_named(layer):
    (layer / "etc/hosts").unlink()
    assert str(layer / "etc/hosts") in layers.missing([str(layer)])


def test_a_file_that_was_cut_short_is_named(layer):
    (layer / "etc/hosts").write_text("1")
    assert str(layer / "etc/hosts") in layers.missing([str(layer)])


def test_a_layer_that_is_gone_is_named(layer, tmp_path):
    gone = str(tmp_path / "overlay" / "b" / "diff")
    assert gone in layers.missing([str(layer), gone])


def test_of_a_layer_without_a_list_nothing_is_known(layer, tmp_path):
    next((tmp_path / "overlay-layers").iterdir()).unlink()
    (layer / "etc/hosts").unlink()
    assert layers.missing([str(layer)]) == ""


def test_a_list_that_is_damaged_is_named(layer, tmp_path):
    listed = next((tmp_path / "overlay-layers").iterdir())
    listed.write_bytes(listed.read_bytes()[:-20])
    assert str(listed) in layers.missing([str(layer)])
