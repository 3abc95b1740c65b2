"""The Python in the pages compiles; what needs no data runs."""

from pathlib import Path

import numpy as np
import torch

from eosfm.core.closure import ROOT
from tests.test_docs import blocks, page


@page
def test_python_compiles(page):
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


def test_the_backbone_page_runs(make_specialist, tmp_path, monkeypatch):
    """Block after block, in one session, but for what another library's tests run."""
    from eosfm.encoding.artifact import save_artifact
    from eosfm.interop import smp
    from eosfm.interop.hub import export_folder
    from eosfm.model import EosFM
    from eosfm.simulation.images import write_geotiff

    monkeypatch.chdir(tmp_path)
    known = {"units": ("reflectance_1e4",) * 3, "mean": (1000.0,) * 3, "std": (400.0,) * 3}
    save_artifact(
        "models/eosfm.pth",
        [make_specialist(name, ("B04", "B03", "B02"), **known) for name in ("one", "two")],
    )
    export_folder("models/eosfm.pth", Path("hub"))
    pixels = np.random.default_rng(0).integers(1, 4000, (3, 64, 64)).astype("uint16")
    write_geotiff(Path("scene.tif"), pixels, 10.0, (0.0, 0.0))
    names: dict = {}
    for block in blocks(ROOT / "docs/backbone.md", "python"):
        if "torchgeo" in block:  # tests/interop/test_smp.py runs it, from where it also stands
            assert squeezed(block) in squeezed(str(smp.__doc__))
        else:
            exec(block, names)
    assert torch.isfinite(names["loss"])
    assert len(names["small"].selected) == len(names["again"].selected) == 1
    x = torch.randn(1, 3, 64, 64)
    for one, other in zip(names["again"].eval()(x), names["small"](x), strict=True):
        torch.testing.assert_close(one, other)
    assert isinstance(names["backbone"], EosFM)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_example_datasets_are_those_of_the_tests():
    examples = [path.read_text() for path in (ROOT / "tests/datasets/examples").glob("*.py")]
    base = (ROOT / "tests/datasets/base.py").read_text()
    shown = blocks(ROOT / "docs/your-dataset.md", "python")
    assert len(shown) == 3
    for block in shown:
        assert any(squeezed(block) in squeezed(whole) for whole in [*examples, base])
