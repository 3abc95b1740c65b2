"""The documentation as a site: every page is in its contents, every object of its API exists."""

import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from eosfm.core.closure import ROOT

DOCS = ROOT / "docs"
OBJECTS = [
    name
    for page in sorted((DOCS / "api").glob("*.md"))
    for name in re.findall(r"^\.\. auto\w+:: (\S+)", page.read_text(), re.MULTILINE)
]


@pytest.fixture(scope="module")
def conf():
    """The site's settings, which need Sphinx: the extra ``docs``."""
    pytest.importorskip("sphinx")
    spec = spec_from_file_location("conf", DOCS / "conf.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "folder"), [("index", DOCS), ("api/index", DOCS / "api")])
def test_contents_are_the_lists_of_links_in_their_order(conf, name, folder):
    source = [(DOCS / f"{name}.md").read_text()]
    before = re.findall(r"^- \[.*?\]\((\S+)\.md\)", source[0], re.MULTILINE)
    conf.on_source_read(None, name, source)
    assert re.findall(r"^.* <(\S+)>$", source[0], re.MULTILINE) == before
    pages = {path.stem for path in folder.glob("*.md")} - {"index"}
    assert set(before) - {"api/index"} == pages


def test_links_to_the_figures_lead_to_their_page(conf):
    source = ["[measured](../benchmarks/README.md#pipeline)"]
    conf.on_source_read(None, "start", source)
    assert source == ["[measured](/benchmarks.md#pipeline)"]
    page = ["# Title\n\nwords"]
    conf.on_source_read(None, "choices", page)
    assert page[0].startswith("# How settings were chosen") and "words" not in page[0]
    assert "](/benchmarks.md)" in page[0]


@pytest.mark.parametrize("name", [name for name in OBJECTS if "terratorch" not in name])
def test_objects_of_the_api_exist_and_say_what_they_are(name):
    module, _, attribute = name.rpartition(".")
    assert getattr(import_module(module), attribute).__doc__
