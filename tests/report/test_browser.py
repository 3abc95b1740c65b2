"""The page in a real browser, network off: on a phone, a tablet, a large screen."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .test_page import Page

FRAME = """<!doctype html><meta charset="utf-8"><title>frame</title><link rel="icon" href="data:,">
<iframe style="width: {width}px; height: 900px; border: 0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const page = frames[0].document, root = page.documentElement;
  const rows = () => [...page.querySelectorAll("#scores tbody tr")].filter(row => !row.hidden);
  const first = () => rows()[0].cells[0].textContent;
  const heading = page.querySelectorAll("#scores th button")[2];
  const field = page.querySelector(".filter[data-table=scores]");
  const found = {{
    width: frames[0].innerWidth,
    wider: root.scrollWidth - root.clientWidth,
    scores: page.getElementById("scores").outerHTML,
  }};
  heading.click();
  found.lowest = first();
  heading.click();
  found.highest = first();
  field.value = "EuroSAT";
  field.dispatchEvent(new Event("input"));
  found.filtered = rows().map(row => row.cells[0].textContent);
  document.documentElement.dataset.found = JSON.stringify(found);
}});
</script>
"""
"""The page in a frame, since no window of Chromium is narrower than 500 pixels. The script works it
as a reader would, and leaves what it finds where it is dumped."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium's command; skips where there is none, but fails where EOSFM_BROWSER asks for it."""
    wanted = os.environ.get("EOSFM_BROWSER")
    found = shutil.which(wanted or "chromium")
    if found is None and wanted:
        pytest.fail(f"EOSFM_BROWSER is {wanted!r}, which is not there; install Debian's chromium")
    if found is None:
        pytest.skip("no chromium; install Debian's package, or name another in EOSFM_BROWSER")
    return found


def opened(chromium: str, page: Path, profile: Path) -> tuple[str, list[str]]:
    """The document after its scripts, and what they said on the console."""
    done = subprocess.run(
        [
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions",
            f"--user-data-dir={profile}", "--window-size=1700,1000",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",  # network off
            "--enable-logging=stderr", "--log-level=0", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [390, 900, 1600])
def test_the_page_opens_and_shows_the_metrics(chromium, params, page, tmp_path, width):
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width, page=html.escape(page.read_text())))
    document, console = opened(chromium, frame, tmp_path / "profile")
    assert console == []
    dumped = re.search('data-found="([^"]*)"', document)
    assert dumped is not None
    found = json.loads(html.unescape(dumped[1]))
    assert found["width"] == width
    assert found["wider"] == 0, "the page as a whole scrolls sideways"
    rows = {row[0]: row for row in Page(found["scores"]).tables["scores"]}
    metrics = json.loads((page.parent / "metrics.json").read_text())
    for name in params.tasks:
        assert rows[name][2].split(" ")[0] == f"{metrics[f'score.{name}']:.3f}"
    assert rows["mean"][2].split(" ")[0] == f"{metrics['score.mean']:.3f}"
    by_score = sorted(params.tasks, key=lambda name: metrics[f"score.{name}"])
    assert (found["lowest"], found["highest"]) == (by_score[0], by_score[-1])
    assert found["filtered"] == ["eurosat"]


def test_what_goes_wrong_on_a_page_is_seen(chromium, tmp_path):
    page = tmp_path / "wrong.html"
    page.write_text("<script>missing()</script>")
    _, console = opened(chromium, page, tmp_path / "profile")
    assert any("missing is not defined" in line for line in console)
