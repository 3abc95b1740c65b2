"""The page that people look at."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from eosfm.report.compare import lead
from eosfm.report.figures import panels
from eosfm.report.page import svg, write_page
from eosfm.report.pictures import score_dots
from eosfm.report.results import collect


class Page(HTMLParser):
    """Cells of every table by id, and every address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.addresses: list[str] = []
        self._rows: list[list[str]] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.addresses += [facts[key] for key in ("src", "href", "xlink:href") if key in facts]
        if tag == "table":
            self._rows = self.tables.setdefault(facts["id"], [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._cell:
            self._rows[-1][-1] += data.strip()


def test_the_page_shows_the_scores_of_the_stages(shown, page):
    tables = Page(page.read_text()).tables
    scores = {row[0]: row for row in tables["scores"]}
    for i, (task, entry) in enumerate(shown.tasks.items()):
        expected = "31.000" if entry.metric == "rmse" else f"{0.5 + 0.01 * i:.3f}"
        assert scores[task][2].startswith(f"{expected} (")
    assert set(shown.specialists) <= {row[0] for row in tables["specialists"]}
    assert tables["energy"][-1][0] == "all"
    header, *rows = tables["models"]
    models = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    scratch = models["from scratch"]
    assert (scratch["ahead on"], scratch["behind on"]) == (str(len(shown.tasks) - 1), "0")
    assert scratch["EosFM is"] == "ahead of"
    assert len(models) == len(tables["differences"][0])


def test_the_page_needs_no_network(page):
    text = page.read_text()
    addresses = Page(text).addresses
    assert addresses and all(one.startswith(("data:", "#")) for one in addresses)
    assert "@import" not in text and "url(http" not in text
    assert page.stat().st_size < 5_000_000


@pytest.fixture
def few(params):
    """Two specialists and two tasks."""
    sections = {"specialists": params.specialists, "tasks": params.tasks}
    first = {name: dict(list(entries.items())[:2]) for name, entries in sections.items()}
    return params.model_copy(update=first)


def test_the_page_has_the_same_bytes_again(few, page, tmp_path):
    one, again = tmp_path / "one.html", tmp_path / "again.html"
    for path in (one, again):
        write_page(few, collect(few, page.parent), page.parent, path)
    assert "<img" in one.read_text() and again.read_bytes() == one.read_bytes()


def test_a_lead_is_tested_over_all_signs(params, collected):
    """Of all patterns of signs four are as far out as all ahead: one task is even."""
    found = lead(collected, "scratch")
    errors = [task.metric == "rmse" for task in params.tasks.values()]
    ours = [0.4 if error else 0.5 + 0.01 * i for i, error in enumerate(errors)]
    theirs = [0.4 if error else 0.3 for error in errors]
    assert found.mean == pytest.approx(np.subtract(ours, theirs).mean())
    assert (found.wins, found.losses) == (len(errors) - 1, 0)
    assert found.p == pytest.approx(2 * 2 / 2 ** len(errors))


def test_a_page_without_pictures_is_a_page(few, written, tmp_path):
    write_page(few, collect(few, written), written, tmp_path / "none.html")
    assert "<img" not in (tmp_path / "none.html").read_text()


def test_confusion_is_a_percentage_of_each_class_over_all_fits(params, page):
    tables = Page(page.read_text()).tables
    classified = [name for name, task in params.tasks.items() if task.metric not in ("rmse", "map")]
    for name in classified:
        assert tables[f"confusion-task-{name}"] == [
            ["", "land", "water", "ice"],
            ["land", "75", "25", "·"],
            ["water", "·", "100", "·"],
            ["ice", "no such target"],
        ]
    assert len([name for name in tables if name.startswith("confusion")]) == len(classified)


def test_figures_of_a_single_task_are_drawn_whole_and_no_larger(collected):
    name = next(iter(collected.evaluate))
    drawn = score_dots(replace(collected, evaluate={name: collected.evaluate[name]}))
    below, above = drawn.axes[0].get_ylim()
    assert below >= 0.5 and above <= -0.5
    assert "rem" not in svg(drawn)[:400]
    assert 'style="width: 18.0rem; min-width: 0"' in svg(panels([name])[0])[:400]


def test_a_single_task_proves_nothing(collected):
    name = next(iter(collected.evaluate))
    alone = replace(collected, evaluate={name: collected.evaluate[name]})
    one = lead(alone, "scratch")
    assert (one.p, one.wins, one.losses) == (1.0, 1, 0)
    assert one.mean == pytest.approx(0.2)
