"""EosFM as a TerraTorch backbone, under the published name and argument names.

    python -m eosfm.interop.terratorch fit --config CONFIG

is TerraTorch's command line with ``backbone: EosFM`` known to it; in a script, importing this
module registers it. Needs the extra ``eosfm[terratorch]``.
"""

from collections.abc import Sequence
from typing import Any

from terratorch.registry import TERRATORCH_BACKBONE_REGISTRY

from eosfm import model
from eosfm.core.errors import EosfmError
from eosfm.fusion.fuser import PUBLISHED


@TERRATORCH_BACKBONE_REGISTRY.register
def EosFM(
    model_weights: str | None = None,
    device: str | None = None,
    in_chans: int | None = None,
    freeze: bool = False,
    feature_fusion: str | None = None,
    fuse_to_mult: float = 1,
    normalize_features: bool = True,
    normalization_type: str = "batch",
    projection_layer: bool = False,
    max_encoders: int | None = None,
    scale_features: bool = False,
    encoder_selection_mode: str = "topk",
    ablate_encoders: Sequence[str | int] = (),
    **options: Any,
) -> model.EosFM:
    """Build the backbone from the published arguments, with the published defaults.

    Args:
        model_weights: The ensemble artifact.
        device: Taken because published configurations give it; the trainer places the model.
        in_chans: Channels of the input; ``bands`` may name them instead.
        freeze: Whether the encoders stay as they are.
        feature_fusion: None concatenates; else ``conv1x1``, ``mlp``, ``addition`` or
            ``multiplication``.
        fuse_to_mult: Output channels over those of one encoder.
        normalize_features: Whether pyramids are normalised.
        normalization_type: ``batch`` or ``layer``.
        projection_layer: Whether a 1x1 convolution follows the normalisation.
        max_encoders: Encoders to keep.
        scale_features: Whether gates scale the features.
        encoder_selection_mode: ``topk`` or ``smooth``.
        ablate_encoders: Encoders to leave out, by index or name.
        **options: Further options of :meth:`eosfm.EosFM.from_specialists` (``bands``, ...).

    Raises:
        EosfmError: The artifact is not named or cannot be used, or an option is wrong.
    """
    if model_weights is None:
        raise EosfmError(
            "no artifact is named; give backbone_model_weights (TerraTorch hands a backbone only "
            "those model_args that start with backbone_)"
        )
    return model.EosFM.from_artifact(
        model_weights,
        in_chans=in_chans,
        freeze=freeze,
        fusion=feature_fusion or "concat",
        width_multiplier=fuse_to_mult,
        normalize=normalization_type if normalize_features else "none",
        projection=projection_layer,
        max_encoders=max_encoders,
        scale_features=scale_features,
        selection=PUBLISHED + encoder_selection_mode,
        ablate=ablate_encoders,
        **options,
    )


if __name__ == "__main__":
    from terratorch.cli_tools import build_lightning_cli

    build_lightning_cli()
