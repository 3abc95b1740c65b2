"""A worker's clone, where it cannot be made."""

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from eosfm.cluster.clone import Clone, Settings
from eosfm.core.errors import EosfmError


@pytest.mark.parametrize("threads", [1, 2])
def test_a_refused_worker_keeps_its_folder_and_environment(tmp_path, threads):
    away = tmp_path / "not here"
    clone = Clone(Settings("run", away, b"", {"dir": str(away)}, "", {}, Counter(), Counter()))
    worker = SimpleNamespace(
        address="tcp://worker", nanny=None, state=SimpleNamespace(nthreads=threads)
    )
    folder, environment = Path.cwd(), dict(os.environ)
    with pytest.raises(EosfmError, match="share them" if threads == 1 else "a process of its own"):
        clone.setup(worker)
    clone.teardown(worker)  # which Dask does before the next run
    assert (Path.cwd(), dict(os.environ)) == (folder, environment)
