import re

from markdown_it import MarkdownIt

from openstack_rollout.screens import markdown
from tests.unit.screens.accounts import EVIL, poisoned, updated


def parsed(text):
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def test_it_tells_what_the_page_tells(tmp_path):
    text = markdown.render(updated(tmp_path, controller=1, compute=3), 0.0)
    assert text.startswith("# ! Completed, with open ends: orch.update to 1.0.1\n")
    for part in ("Stages", "Pauses", "Failures", "What is left", "Nodes", "Who, and what was accepted"):
        assert f"\n## {part}\n" in text, part
    assert "CONTAINER\\_EXITED: simulated" in text and "accepted failed\\_units" in text


def test_every_table_is_one_and_what_comes_from_elsewhere_is_text(tmp_path):
    data = poisoned(updated(tmp_path, controller=1, compute=3))
    data["nodes"]["compute1"]["silences"] = [{"name": EVIL, "id": "3f9", "begun": 1.0, "ended": 2.0}]
    text = markdown.render(data, 0.0)
    assert "## Alerts that were silenced" in text
    tokens = parsed(text)
    inside = [child.type for token in tokens for child in token.children or ()]
    assert not {"html_block"} & {token.type for token in tokens}
    assert not {"html_inline", "link_open", "code_inline", "image"} & set(inside)
    for table in re.split(r"\n\n+", text):
        if table.startswith("|"):
            heads = [token for token in parsed(table) if token.type == "th_open"]
            rows = [len(re.findall(r"(?<!\\)\|", line)) - 1 for line in table.splitlines()]
            assert heads and set(rows) == {len(heads)}
    said = "".join(child.content for token in tokens for child in token.children or ())
    assert " ".join(EVIL.split()) in said
