"""An artifact that a user brings, where the pipeline's text was rewritten."""

from pathlib import Path

import pytest

from eosfm.artifacts.use import use_built, use_file
from eosfm.core.errors import EosfmError


def test_a_rewritten_stage_is_refused_before_anything_is_exchanged(
    artifact_file: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = "stages:\n  export:\n    cmd: python mine.py\n"
    Path("dvc.yaml").write_text(text)
    Path("models").mkdir()
    Path("models/eosfm.pth").write_text("former")
    with pytest.raises(EosfmError, match=r"dvc.yaml does not begin its stage export as in .* cmd:"):
        use_file(artifact_file)
    assert Path("models/eosfm.pth").read_text() == "former"
    assert not Path("results").exists()
    Path("models/eosfm.pth").unlink()
    with pytest.raises(EosfmError, match="does not begin its stage export"):
        use_built()
    assert Path("dvc.yaml").read_text() == text
