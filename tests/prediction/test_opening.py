"""Scenes that are not there."""

import subprocess
import sys

import pytest

from eosfm.core.closure import ROOT
from eosfm.core.errors import EosfmError
from eosfm.prediction.opening import expect_there, is_served


def test_what_is_not_there_is_named_and_what_is_elsewhere_is_left_to_be_asked_for(tmp_path):
    there = tmp_path / "scene.tif"
    there.touch()
    expect_there([str(there), str(tmp_path), "https://a.b/c.tif", "/vsizip/a.zip/b.tif", "zip://a"])
    with pytest.raises(EosfmError, match=r"^none\.tif not found; give the path of a scene"):
        expect_there([str(there), "none.tif"])
    with pytest.raises(EosfmError, match="an empty path not found"):
        expect_there([""])


@pytest.mark.parametrize(
    "words", [["predict", "none.tif", "--task", "oscd"], ["embed", "none.tif"]], ids=" ".join
)
def test_a_misspelt_scene_is_named_before_libraries_are_loaded(words):
    program = f"import sys, eosfm.cli; sys.argv = ['eosfm', *{words}, '-o', 'map.tif']\n"
    program += "try: eosfm.cli.main()\nfinally: print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "False\n"), done.stderr
    assert done.stderr.startswith("error: none.tif not found")


@pytest.mark.parametrize(
    ("path", "served"),
    [("https://a.b/c.tif", True), ("/vsizip//vsicurl/https://a.b/c.zip/c.tif", True),
     ("s3://a/c.tif", True), ("/vsizip//tmp/c.zip/c.tif", False), ("zip://c.zip!c.tif", False),
     ("c.tif", False)],
)  # fmt: skip
def test_what_a_server_has(path, served):
    assert is_served(path) == served
