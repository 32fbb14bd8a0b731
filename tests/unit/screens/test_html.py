"""The report as HTML: whole, self-contained, and nothing in it is markup that came from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from openstack_rollout.rollout.account import account
from openstack_rollout.screens import html
from tests.unit.screens.accounts import EVIL, poisoned, updated
from tests.unit.simulated_fleet import Cloud, Master

VOID = {"meta", "circle", "rect", "path"}
CLOSED_BY_ITSELF = re.compile(r"<(rect|path|circle)\b[^>]*/>")


class Page(HTMLParser):
    """The elements, the ids, and the words of a page; raises where an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def values(self, name):
        return [value for key, value in self.attributes if key == name]


@pytest.fixture
def data(tmp_path):
    return updated(tmp_path, controller=1, gateway=1, compute=4)


def test_it_tells_the_verdict_what_failed_what_is_left_and_who(data):
    page = Page(html.render(data, 0.0))
    assert page.text.index("Completed, with open ends") < page.text.index("6 nodes: 5 done, 1 quarantined")
    for words in ("CONTAINER_EXITED: simulated", "overcome", "9 h 0 min", "accepted failed_units"):
        assert words in page.text, words
    assert "set aside, the run went on without it: OVS_FAILED: simulated 1 compute2" in page.text
    assert "1.0.0 (1.0.0) 1.0.1 (1.0.1) changed" in page.text
    for stage in ("prefetch", "ovn", "control_plane", "services", "ovs", "system"):
        assert f"k-{stage}" in page.values("class"), stage


def test_it_needs_nothing_else(data):
    page = Page(html.render(data, 0.0))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    leads = [one for key in ("href", "src", "xlink:href") for one in page.values(key)]
    assert leads and all(one.startswith("#") for one in leads)
    ids = page.values("id")
    assert len(ids) == len(set(ids)) and {one[1:] for one in leads} <= set(ids)
    assert not re.search(r"@import|url\((?!#)", html.render(data, 0.0))


def test_what_comes_from_elsewhere_is_text(data):
    text = html.render(poisoned(data), 0.0)
    page = Page(text)
    assert "script" not in page.tags and "alert" in page.text and "<script" not in text
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert page.text.count(" ".join(EVIL.split())) > 10


def test_colours_are_never_the_only_sign(data):
    page = Page(html.render(data, 0.0))
    assert {"P", "O", "C", "S", "V", "Y", "×"} <= {one.strip() for one in page.words}
    style = html.render(data, 0.0).partition("<style>")[2].partition("</style>")[0]
    for stage in ("prefetch", "control_plane", "services", "ovs", "system"):
        assert re.search(rf"\.k-{stage} {{[^}}]*url\(#p-{stage}\)", style), stage


def test_it_can_be_printed_read_by_keyboard_and_in_the_dark(data):
    page = Page(html.render(data, 0.0))
    style = html.render(data, 0.0)
    assert "@media print" in style and "prefers-color-scheme: dark" in style
    assert page.values("tabindex") == ["0"] * page.values("role").count("region")
    assert "<th></th>" not in style, "a head says what is below it, also to who hears it"
    assert page.values("lang") == ["en"] and "#verdict" in page.values("href")


def test_the_templates_go_wherever_the_program_goes():
    """saltutil.sync_utils, which brings it to a master of gitfs, carries no other files."""
    package = Path(html.__file__).parents[1]
    assert {path.suffix for path in package.rglob("*") if path.is_file()} <= {".py", ".pyc"}


def test_silenced_alerts_are_named_where_there_are_any(data):
    assert "silenced" not in Page(html.render(data, 0.0)).text
    silence = {"name": EVIL, "id": "3f9", "begun": data["run"]["created"], "ended": None}
    data["nodes"]["compute1"]["silences"] = [silence]
    page = Page(html.render(data, 0.0))
    assert "Alerts that were silenced" in page.text and " ".join(EVIL.split()) in page.text
    assert "ends by itself" in page.text and "script" not in page.tags


def test_windows_are_drawn_and_named(data):
    assert "window" not in Page(html.render(data, 0.0)).values("class")
    begin, end = data["run"]["created"], data["run"]["latest"]
    data["run"]["windows"] = [{"roles": ["compute", EVIL], "from": begin - 3600, "to": (begin + end) / 2}]
    page = Page(html.render(data, 0.0))
    assert page.values("class").count("window") == 2 and f"compute, {' '.join(EVIL.split())}" in page.text


def test_a_thousand_nodes(data):
    some = list(data["nodes"].items())
    data["nodes"] = {f"{name}-{number}": node for number in range(167) for name, node in some}
    page = html.render(data, 0.0)
    assert len(page) < 2_500_000
    assert Page(page).tags.count("title") == 1003  # of the page, and of each node's row


def test_a_run_that_changed_nothing_and_one_without_nodes(tmp_path):
    master = Master(Cloud(deployed="1.0.1", compute=1), tmp_path)
    master.update()
    told = account(master.journal)
    assert "Completed" in Page(html.render(told, 0.0)).text
    told["nodes"], told["stages"], told["left"], told["failures"] = {}, {}, [], []
    assert "no node was touched" in Page(html.render(told, 0.0)).text
