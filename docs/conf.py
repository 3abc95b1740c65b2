"""The documentation as a site, by Sphinx: ``make docs``.

The pages are plain Markdown and read as well on GitHub. So the order of the site stands in index.md
as headings above lists of links, and the site's own table of contents is made from these.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

project = "EoS-FM"
html_title = "EoS-FM"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
highlight_language = "none"  # of blocks that name no language
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_mock_imports = ["terratorch"]  # an extra of its own
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"  # not a second list beside the attributes
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 60
napoleon_use_ivar = True
default_role = "code"  # docstrings write `name` as Markdown does

CONTENTS = ("index", "api/index")
"""Pages whose lists of links are the order of the site."""

MEASURED = {"benchmarks": "README.md", "choices": "choices.md"}
"""Pages of the site, and the files of benchmarks/ that they show."""


def on_source_read(_: Sphinx, name: str, source: list[str]) -> None:
    """Add what the site has beyond the Markdown."""
    text = source[0]
    shown = MEASURED.get(name)
    if shown:
        text = (Path(__file__).parents[1] / "benchmarks" / shown).read_text()
    for page, file in MEASURED.items():
        text = text.replace(f"]({'' if shown else '../benchmarks/'}{file}", f"](/{page}.md")
    if name in CONTENTS:
        text += "".join(map(contents, re.split(r"^## ", text, flags=re.MULTILINE)))
    source[0] = text


def contents(section: str) -> str:
    """A hidden table of contents of the pages that a section lists, under the section's title."""
    title, _, body = section.partition("\n")
    links = re.findall(r"^- \[(.*?)\]\(([\w/-]+)\.md\)", body, flags=re.MULTILINE)
    if not links:
        return ""
    lines = [f"{text} <{page}>" for text, page in links]
    return "\n".join(["\n\n```{toctree}", ":hidden:", f":caption: {title}", "", *lines, "```\n"])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", on_source_read)
