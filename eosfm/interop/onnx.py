"""Write a backbone as an ONNX file; needs the extra ``eosfm[onnx]``.

eosfm onnx BACKBONE OUT
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.model import EosFM
from eosfm.nn.backbone import STRIDES

INPUT = "image"
OUTPUTS = tuple(f"stride{stride}" for stride in STRIDES)
FEWEST = 2
"""Example sizes above one, in coarsest cells or images: one would be taken for a constant."""


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
        EosfmError: onnx or onnxscript is missing.
    """
    try:
        import onnxscript  # noqa: F401  (the exporter needs it, and says so less clearly)
    except ImportError as error:
        raise EosfmError(f"{error.name} is not installed; pip install 'eosfm[onnx]'") from None
    small = backbone.prune().eval().cpu()
    coarsest = STRIDES[-1]
    height, width = (size, size) if size else (FEWEST * coarsest, FEWEST * coarsest)
    dims: dict[int, Any] = {0: Dim("batch")}
    if size is None:
        dims |= {2: coarsest * Dim("rows"), 3: coarsest * Dim("columns")}
    program = torch.onnx.export(
        small,
        (torch.zeros(FEWEST, small.input.in_chans, height, width),),
        dynamo=True,
        dynamic_shapes=(dims,),
        input_names=[INPUT],
        output_names=OUTPUTS,
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props["input"] = json.dumps(small.input.as_dict())
    program.model.metadata_props["specialists"] = json.dumps(small.selected)
    with atomic(path) as beside:
        program.save(beside)
