"""Pillar files that do not render: file, line and cause."""

import pytest

from openstack_rollout.declared import reading, rendering
from tests.unit.cloud_pillar import PILLAR, valid
from tests.unit.declared.pillars import is_clear

SLS = "openstack.releases.1_0_1"
FAILED = f"Rendering SLS '{SLS}' failed. Please see master log for details."
NAME = "pillar file openstack/releases/1_0_1.sls"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "openstack" / "releases").mkdir(parents=True)
    return tmp_path


def write(root, text, name="openstack/releases/1_0_1.sls"):
    (root / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "openstack:\n\treleases: {}\n",
            "line 2: while scanning for the next token, found character '\\t' that cannot start any token",
        ),
        ("openstack:\n  a: 1\n  b: 2\n  a: 3\n", "line 4: key 'a' is there twice, first in line 2"),
        (
            "openstack:\n  releases:\n    1.0.1: {}\n    1.0.1: {}\n",
            "line 4: key '1.0.1' is there twice, first in line 3",
        ),
        ("openstack: {a: 1, a: 2}\n", "line 1: key 'a' is there twice, first in line 1"),
        ("openstack:\n  a: !own x\n", "line 2: could not determine a constructor for the tag '!own'"),
        (
            "openstack:\n  a: !!python/object:os.system x\n",
            "line 2: could not determine a constructor for the tag",
        ),
        ("openstack:\n  a: [1, 2\n  b: 3\n", "line 3: "),
        ("openstack:\n  a: 'x\n", "line 3: while scanning a quoted scalar, found unexpected end of stream"),
        ("openstack:\n  a: b: c\n", "line 2: mapping values are not allowed here"),
        ("openstack:\n  a: *none\n", "line 2: found undefined alias 'none'"),
        ("openstack:\n a: 1\n  b: 2\n", "line 3: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "line 2: expected a single document in the stream"),
        ("- openstack\n", "has to be a mapping, with openstack as its top key"),
        ("openstack\n", "has to be a mapping, with openstack as its top key"),
        ("openstack:\n{% if x %}\n  a: 1\n", "line 2: Unexpected end of template."),
        ("openstack:\n  a: {{ x\n", "line 2: "),
        ("openstack:\n{% endfor %}\n", "line 2: Encountered unknown tag 'endfor'."),
        ("openstack:\n  a: {{ x | }}\n", "line 2: "),
    ],
)
def test_the_cause_is_named_with_its_line(root, text, said):
    write(root, text)
    (line,) = rendering.explain([str(root)], [FAILED])
    assert line.startswith(NAME) and said in line and is_clear(line)


@pytest.mark.parametrize(
    "text",
    [
        "openstack:\n  a: {{ pillar.nope.nope }}\n",
        "{% import_yaml 'x.yaml' as x %}\nopenstack: {}\n",
        "{% load_yaml as x %}\na: 1\n{% endload %}\nopenstack: {}\n",
        "{% do x.update({}) %}\nopenstack: {}\n",
        "#!py\ndef run():\n    return {}\n",
        "openstack: {}\n",
        "openstack:\n  a: &a {x: 1}\n  b: {<<: *a, y: 2}\n  c: {<<: *a, x: 3}\n",
        "openstack:\n  '1': a\n  1: b\n",
        "openstack:\n  a: 2024-13-45\n",
    ],
)
def test_what_is_only_seen_when_it_is_filled_in_keeps_salts_sentence(root, text):
    write(root, text)
    assert rendering.explain([str(root)], [FAILED]) == [f"pillar file {SLS}: {FAILED}"]


def test_other_errors_are_one_line_each(root):
    errors = [
        "Specified SLS 'a.b' in environment 'base' is not\navailable",
        'The "ext_pillar" option is malformed',
        5,
        None,
    ]
    found = rendering.explain([str(root), "/nowhere"], errors)
    assert len(found) == 4 and all(map(is_clear, found))
    assert found[0] == "pillar file a.b: Specified SLS 'a.b' in environment 'base' is not available"


@pytest.mark.parametrize("sls", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "openstack.nope", "\u200b"])
def test_no_other_file_is_read(root, sls):
    (line,) = rendering.explain([str(root)], [f"Rendering SLS '{sls}' failed."])
    assert line.startswith("pillar") and is_clear(line)


def test_a_folders_init_and_the_top_file(root):
    write(root, "a: [\n", "openstack/init.sls")
    write(root, "base:\n  '*': [\n", "top.sls")
    errors = ["Rendering SLS 'openstack' failed.", "Error encountered while rendering pillar top file."]
    found = rendering.explain([str(root)], errors)
    assert [line.split(" line ")[0] for line in found] == [
        "pillar file openstack/init.sls",
        "pillar file top.sls",
    ]


def test_bytes_and_large_files(root):
    (root / "openstack/releases/1_0_1.sls").write_bytes(b"\xff\xfe")
    (line,) = rendering.explain([str(root)], [FAILED])
    assert line.startswith(f"{NAME}: cannot be read:") and is_clear(line)
    write(root, "#" * 10_000_001)
    assert "larger" in rendering.explain([str(root)], [FAILED])[0]


def test_aliases_cost_nothing(root):
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 30))
    write(root, f"l0: &l0 [x]\n{levels}\nopenstack: {{}}\n")
    assert rendering.explain([str(root)], [FAILED]) == [f"pillar file {SLS}: {FAILED}"]
    assert rendering.stray_release_files([str(root)]) == []


def test_an_explanation_is_a_reason_as_it_is(root):
    write(root, "openstack:\n\ta: 1\n")
    explained = rendering.explain([str(root)], [FAILED])
    assert reading.reasons(valid(), explained)[0] == [("INVALID_PILLAR", explained[0])]


def test_two_files_of_one_version_and_files_that_are_ignored(root):
    write(root, "openstack:\n  releases:\n    1.0.1: {}\n")
    write(root, "openstack:\n  releases:\n    1.0.2: {}\n    1.0.1: {}\n", "openstack/releases/1_0_2.sls")
    write(root, "releases:\n  1.0.3: {}\n", "openstack/releases/1_0_3.sls")
    write(root, "1.0.4:\n  images: {}\n", "openstack/releases/1_0_4.sls")
    write(root, "{% if x %}{% endif %}\n", "openstack/releases/1_0_5.sls")
    write(root, "openstack: [\n", "openstack/releases/1_0_6.sls")
    write(root, "", "openstack/releases/1_0_7.sls")
    write(root, "- x\n", "openstack/releases/1_0_8.sls")
    folder = "pillar file openstack/releases"
    assert rendering.stray_release_files([str(root)]) == [
        f"{folder}/1_0_2.sls: defines release '1.0.1', which openstack/releases/1_0_1.sls defines too",
        f"{folder}/1_0_3.sls: its top key has to be openstack, not releases; the file is ignored",
        f"{folder}/1_0_4.sls: its top key has to be openstack, not 1.0.4; the file is ignored",
    ]


def test_the_shipped_files_are_all_right():
    root = str(PILLAR.parent)
    assert rendering.stray_release_files([root]) == []
    assert rendering.explain([root], ["Rendering SLS 'openstack.services' failed."]) == [
        "pillar file openstack.services: Rendering SLS 'openstack.services' failed."
    ]
