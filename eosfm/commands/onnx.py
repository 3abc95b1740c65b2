"""``eosfm onnx``."""

from pathlib import Path


def onnx(backbone: Path, out: Path, size: int | None = None) -> None:
    """Write a saved backbone as an ONNX file.

    BACKBONE is a file of `EosFM.save`, OUT the ONNX file. Images of any
    size in multiples of 32 pixels are taken unless --size fixes one.
    """
    from eosfm import EosFM
    from eosfm.interop.onnx import export_onnx

    opened = EosFM.load(backbone)
    export_onnx(opened, out, size)
    print(f"{', '.join(opened.selected)} in {out}")
