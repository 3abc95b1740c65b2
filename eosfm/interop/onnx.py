"""Write a backbone or a whole task as an ONNX file; needs the extra ``eosfm[onnx]``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.export import Dim

from eosfm.core.errors import EosfmError, expect
from eosfm.core.files import atomic
from eosfm.model import EosFM
from eosfm.nn.pyramid import STRIDES

if TYPE_CHECKING:
    from eosfm.evaluation.fitted import FittedTask

INPUT = "image"
OUTPUTS = tuple(f"stride{stride}" for stride in STRIDES)
FEWEST = 2
"""Example size of dynamic dimensions: the exporter would take a size of 1 for a constant."""


def export_onnx(backbone: EosFM, path: Path | str, size: int | None = None) -> None:
    """Write what the backbone computes in evaluation, with the selected specialists alone.

    The file takes ``image``, (B, C, H, W) float32, and gives ``stride4`` to ``stride32``, the four
    fused levels; B may vary. Its metadata hold the input's description (``input``: bands, units,
    statistics, as JSON) and the ``specialists``.

    Args:
        backbone: On any device, in any mode; it is left as it is.
        path: The file, written whole or not at all.
        size: Height and width in pixels, any, fixed in the file; None lets both vary, in multiples
            of 32.

    Raises:
        EosfmError: onnx or onnxscript is missing, or the size is no number of pixels.
    """
    _expect_exporter()
    _expect_size(size)
    small = backbone.prune().eval().cpu()
    coarsest = STRIDES[-1]
    height, width = (size, size) if size else (FEWEST * coarsest, FEWEST * coarsest)
    dims: dict[int, Any] = {0: Dim("batch")}
    if size is None:
        dims |= {2: coarsest * Dim("rows"), 3: coarsest * Dim("columns")}
    example = torch.zeros(FEWEST, small.input.in_chans, height, width)
    facts = {"input": small.input.as_dict(), "specialists": small.selected}
    _write(small, {INPUT: example}, dims, OUTPUTS, facts, path)


def export_task(task: Path, artifact: Path, path: Path, size: int | None = None) -> "FittedTask":
    """Write a fitted task: takes a window of a scene, gives the task's prediction.

    The file takes ``image``, (B, T, C, H, W) float32 in the bands' physical units, NaN where
    nothing was measured, and, where dates are attended to, ``days``, (B, T) float32 since
    1 January of the first date's year. It gives ``probabilities``, (B, K, H, W), or (B, K) for an
    answer per image, or ``value`` of a regression. B may vary. Its metadata (JSON each) hold
    ``task``, ``kind``, ``classes``, ``bands``, ``units``, ``dates``, ``window``, ``gsd``,
    ``specialists`` and ``ensemble_sha256``.

    Args:
        task: What stage evaluate kept of it.
        artifact: The ensemble that it was fitted on.
        path: The file, written whole or not at all.
        size: Height and width in pixels; None for the window that it was fitted with.

    Returns:
        The fit.

    Raises:
        EosfmError: onnx or onnxscript is missing, the size is no number of pixels, a file cannot be
            used, or the task finds objects.
    """
    from eosfm.evaluation.fitted import read_fitted
    from eosfm.interop.task import PhysicalTask
    from eosfm.kinds import get_kind
    from eosfm.kinds.regression import Regression
    from eosfm.prediction.model import load_model

    _expect_exporter()
    _expect_size(size)
    fitted = read_fitted(task)
    kind = get_kind(fitted.kind)
    if kind.answer == "object":
        raise EosfmError(
            f"task {fitted.task} finds objects, which ONNX has no one form for; export its "
            "backbone, or use `eosfm predict`"
        )
    module = PhysicalTask(fitted, load_model(fitted, artifact)).eval()
    height, width = (size, size) if size else fitted.window
    image = torch.zeros(FEWEST, fitted.dates, len(fitted.bands), height, width)
    inputs = {INPUT: image}
    if fitted.aggregation == "ltae":
        inputs["days"] = torch.zeros(FEWEST, fitted.dates)
    out = "value" if isinstance(kind, Regression) else "probabilities"
    facts = {
        "task": fitted.task, "kind": fitted.kind, "classes": fitted.classes,
        "bands": fitted.bands, "units": fitted.units, "dates": fitted.dates,
        "window": (height, width), "gsd": fitted.gsd, "specialists": fitted.specialists,
        "ensemble_sha256": fitted.artifact,
    }  # fmt: skip
    _write(module, inputs, {0: Dim("batch")}, (out,), facts, path)
    return fitted


def _expect_exporter() -> None:
    try:
        import onnxscript  # noqa: F401  (the exporter needs it, and says so less clearly)
    except ImportError as error:
        raise EosfmError(f"{error.name} is not installed; pip install '.[onnx]'") from None


def _expect_size(size: int | None) -> None:
    expect("size", size, size is None or size > 0, "a whole number of pixels, 1 or more, or none")


def _write(
    module: nn.Module, inputs: Mapping[str, torch.Tensor], dims: dict[int, Any],
    outputs: Sequence[str], facts: Mapping[str, Any], path: Path | str,
) -> None:  # fmt: skip
    """Export a module in evaluation, on the CPU.

    Args:
        module: The module.
        inputs: An example of each, by name.
        dims: Which dimensions of each input vary.
        outputs: Names of what comes out.
        facts: For the file's metadata: each value is kept as JSON.
        path: The file, written whole or not at all.
    """
    program = torch.onnx.export(
        module,
        tuple(inputs.values()),
        dynamo=True,
        dynamic_shapes=(dims,) * len(inputs),
        input_names=list(inputs),
        output_names=outputs,
        verbose=False,
    )
    assert program is not None
    for key, value in facts.items():
        program.model.metadata_props[key] = json.dumps(value)
    with atomic(path) as beside:
        program.save(beside)
