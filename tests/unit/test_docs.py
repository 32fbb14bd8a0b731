"""The documentation: generated pages are current, links and names lead somewhere, every page can be found."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from openstack_rollout.errors import REASONS

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
README = CHECKOUT / "README.md"
INDEX = DOCS / "README.md"
CHANGELOG = CHECKOUT / "CHANGELOG.md"
PAGES = [README, CHANGELOG, CHECKOUT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
#: Functions of Salt itself that the pages name.
SALTS_OWN = {
    "cache.flush",
    "cmd.run",
    "fileserver.update",
    "pillar.get",
    "publish.runner",
    "saltutil.kill_job",
    "saltutil.refresh_pillar",
    "saltutil.sync_all",
    "state.apply",
    "state.orchestrate",
    "test.ping",
}
#: Capital words that are no reasons: what others call things.
NOT_OURS = {
    "ACTIVE",
    "AF_XDP",
    "CLOUD_DRAINS",
    "COMMAND",
    "COPY_ALWAYS",
    "DEFINING",
    "CONTROL_PLANE",
    "DISTURBING",
    "STAGES",
    "NODE",
    "OS_DIST_UPGRADE",
    "OS_UPGRADE",
    "SECONDS",
    "ERROR",
    "KOLLA_CONFIG_STRATEGY",
    "MIGRATING",
    "REASON",
    "SCHED_RR",
    "SHUTOFF",
    "SIGSTOP",
    "SUITE",
    "TARGET_SERVERS",
}


def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()
OURS = {room: GENERATE.functions(room) for room in ("_runners", "_modules", "_states")}
MODULES = {name.partition(".")[0] for names in OURS.values() for name in names}


def name_of(page):
    return str(page.relative_to(CHECKOUT))


def broken_links(page):
    """The relative links of a page that lead to no file, or to no heading of it."""
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            yield target


def links(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    return [one for one in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", one)]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def unknown_functions(text):
    """The functions that a page tells to type, or names in backticks, and that nobody has."""
    runners = re.findall(r"salt-run ([a-z_]+\.[a-z_]+)", text)
    typed = re.findall(r"\bsalt (?:-\w )?(?:'[^']+'|[A-Z]+|\S+) ([a-z_]+\.[a-z_]+)", text)
    named = [
        one
        for one in re.findall(r"`([a-z_]+\.[a-z_]+)", text)
        if one.partition(".")[0] in MODULES and one.rpartition(".")[2] not in ("py", "sls")
    ]
    known = set.union(*OURS.values()) | SALTS_OWN
    yield from (one for one in runners if one not in OURS["_runners"] | SALTS_OWN)
    yield from (one for one in typed if one not in OURS["_modules"] | SALTS_OWN)
    yield from (one for one in named if one not in known)


def unknown_reasons(text):
    """Words in capitals that look like reasons and are none."""
    words = set(re.findall(r"`([A-Z][A-Z_]{3,})`", text)) | set(re.findall(r"\b[A-Z]+_[A-Z_]+[A-Z]\b", text))
    return sorted(words - set(REASONS) - NOT_OURS)


@pytest.mark.parametrize("name", GENERATE.PAGES)
def test_a_generated_page_is_current(name):
    current = GENERATE.PAGES[name]()
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == current, "run: python docs/generate.py"


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_readme_names_the_test_command_of_ci():
    assert re.search(r"\bmake test\b", README.read_text(encoding="utf-8"))
    assert "\nmake test" in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_function_that_is_named_exists(page):
    assert list(unknown_functions(page.read_text(encoding="utf-8"))) == []


# The changelog names words that are gone.
@pytest.mark.parametrize("page", [page for page in PAGES if page != CHANGELOG], ids=name_of)
def test_every_reason_that_is_named_exists(page):
    assert unknown_reasons(page.read_text(encoding="utf-8")) == []


def test_every_page_can_be_reached_from_the_index():
    found, waiting = set(), [INDEX]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md" or not page.exists():
            continue
        found.add(page)
        waiting += [(page.parent / one.partition("#")[0]).resolve() for one in links(page)]
    assert sorted(name_of(page) for page in set(DOCS.rglob("*.md")) - found) == []


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.M))
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
        assert named <= targets, (name_of(page), named - targets)


def test_every_suite_that_is_named_exists():
    folder = CHECKOUT / "tests/lab/acceptance"
    suites = {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
    # a suite of several modules is a folder
    suites |= {path.relative_to(folder).parts[0] for path in folder.glob("*/**/test_*.py")}
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    (of_tests,) = re.findall(r"filter ([a-z_ ]+),\$\(SUITE\)", makefile)
    suites |= set(of_tests.split())
    for page in PAGES:
        named = set(re.findall(r"SUITE=([a-z_]+)", page.read_text(encoding="utf-8")))
        assert named <= suites, (name_of(page), named - suites)
