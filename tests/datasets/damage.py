"""Copies of a dataset that a reader must refuse."""

from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Dataset, Window


def check_refused(dataset: Dataset, root: Path, message: str) -> None:
    """Some scene of a damaged copy is refused in one line that says what to do."""
    with pytest.raises(EosfmError, match=message) as error:
        for scene in dataset.scenes(root):
            window = Window(0, 0, scene.height, scene.width)
            scene.image(window)
            scene.target(window)
    assert "\n" not in str(error.value)
    assert any(word in str(error.value) for word in ("fetch", "complete copy", "valid", "did you"))
