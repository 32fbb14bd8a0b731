"""Image references."""

import pytest

from openstack_rollout.declared import references

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("registry.example/a:1", ("registry.example", "a", "1", None)),
        (f"registry.example:5000/a/b-c_d@{DIGEST}", ("registry.example:5000", "a/b-c_d", None, DIGEST)),
        (f"localhost/a:v1.0@{DIGEST}", ("localhost", "a", "v1.0", DIGEST)),
        ("10.88.0.1:5000/x:latest", ("10.88.0.1:5000", "x", "latest", None)),
        ("[fd00::1]:5000/x:1", ("[fd00::1]:5000", "x", "1", None)),
    ],
)
def test_parts(text, parts):
    parsed = references.parse(text)
    assert (parsed.registry, parsed.repository, parsed.tag, parsed.digest) == parts
    assert str(parsed) == text
    assert str(parsed.pinned(DIGEST)) == f"{parts[0]}/{parts[1]}@{DIGEST}"
    assert references.digest_of(text) == parts[3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        None,
        5,
        [],
        "a",
        "a:1",
        "library/a:1",
        "registry.example/",
        "registry.example/a",
        "registry.example/A:1",
        "registry.example/a:",
        "registry.example/a:t t",
        "registry.example/a@sha256:1",
        "registry.example/a@md5:1",
        "https://registry.example/a:1",
        "registry.example//a:1",
        "registry.example/a:1\n",
        "-x.example/a:1",
        f"registry.example/a@{DIGEST.upper()}",
        "registry.example/a b:1",
        "registry.example:port/a:1",
        "registry.example/" + "a" * 1000 + ":1",
        "registry.example/\u200ba:1",
    ],
)
def test_malformed(text):
    with pytest.raises(ValueError, match=r".+") as error:
        references.parse(text)
    assert str(error.value).isascii() and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registry.example:65536/a:1", "65536 is not a port: give one from 1 to 65535"),
        ("registry.example:0/a:1", "0 is not a port: give one from 1 to 65535"),
        ("registry..example/a:1", "'registry..example' is not a registry's name"),
        ("registry-.example/a:1", "'registry-.example' is not a registry's name"),
        (f"registry.example/a@sha256:{'A' * 64}", "the digest has to be in lower case"),
        (f"docker://registry.example/a@{DIGEST}", "leave docker:// out"),
        ("https://registry.example/a:1", "leave https:// out"),
    ],
)
def test_what_is_said(text, said):
    with pytest.raises(ValueError, match=r".+") as error:
        references.parse(text)
    assert str(error.value).endswith(f": {said}")
