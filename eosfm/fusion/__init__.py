"""The trainable half of the ensemble: normalise, project, select and fuse pyramids."""

FUSIONS: dict[str, str] = {
    "concat": "eosfm.fusion.concat.Concat",
    "conv1x1": "eosfm.fusion.conv1x1.Conv1x1",
    "mlp": "eosfm.fusion.mlp.Mlp",
    "addition": "eosfm.fusion.addition.Addition",
    "multiplication": "eosfm.fusion.multiplication.Multiplication",
    "geometric_mean": "eosfm.fusion.geometric_mean.GeometricMean",
}
"""Every method of fusion and its :class:`eosfm.fusion.method.Method`.

Classes are given by name, so that params.yaml can be checked without importing torch.
"""
