"""Encoders: timm models that give four feature maps."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from eosfm.core.errors import EosfmError, tells_of_memory

STRIDES = (4, 8, 16, 32)
"""Pixels per cell of the four maps that every encoder gives, finest first."""

LAST = (-4, -3, -2, -1)
"""The coarsest of a model's maps; a ResNet has one more, at stride 2."""

INSTEAD = "set backbone.name to a hierarchical model such as convnextv2_atto"
HUB_TIMEOUT_S = 5.0
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def on_grid(images: Tensor) -> Tensor:
    """Pad images (B, C, H, W) to multiples of the coarsest stride by repeating their edges."""
    height, width = images.shape[-2:]
    bottom, right = -height % STRIDES[-1], -width % STRIDES[-1]
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images


def cut_maps(maps: Iterable[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Crop four maps (..., h, w) to an image of a size (H, W): ceil(H/s), ceil(W/s)."""
    height, width = size
    return [
        level[..., : -(-height // stride), : -(-width // stride)]
        for level, stride in zip(maps, STRIDES, strict=True)
    ]


def build_backbone(name: str, in_chans: int, pretrained: bool = False) -> nn.Module:
    """Build timm's ``features_only`` model of a name: all encoders are built here.

    Without ``pretrained`` its weights are drawn from torch's random state, or, inside
    ``with torch.device("meta")``, not allocated.

    Args:
        name: timm model name, with or without a weights tag; nothing that timm would fetch.
        in_chans: Number of input channels; timm adapts a pretrained three-channel stem to others.
        pretrained: Start from the published ImageNet weights, from the local Hugging Face cache
            where they are there, else from the hub.

    Returns:
        A model that gives four maps at :data:`STRIDES`.

    Raises:
        EosfmError: timm does not know the model, it has no such pyramid, or its pretrained weights
            cannot be had.
    """
    import timm

    from eosfm.nn.depthwise import use_lean_depthwise
    from eosfm.nn.grn import use_lean_norms

    if not timm.is_model(name):  # neither is "hf-hub:..." nor "local-dir:..."
        near = timm.list_models(f"{name.split('_')[0]}*")[:5] or timm.list_models("convnextv2*")
        raise EosfmError(f"backbone {name!r} is unknown to timm; for example {', '.join(near)}")
    options: dict[str, Any] = {"features_only": True, "in_chans": in_chans, "out_indices": LAST}
    if pretrained:
        options |= {"pretrained": True, "pretrained_cfg_overlay": _weights(name)}
    try:
        model: Any = timm.create_model(name, **options)
    except (RuntimeError, AttributeError) as error:
        if tells_of_memory(error):
            raise
        raise EosfmError(
            f"timm cannot build backbone {name!r} with features_only "
            f"({str(error).splitlines()[0][:120]}); {INSTEAD}"
        ) from None
    strides = tuple(model.feature_info.reduction())
    if strides != STRIDES:
        raise EosfmError(
            f"backbone {name!r} gives feature maps at strides {list(strides)}, expected "
            f"{list(STRIDES)}; {INSTEAD}"
        )
    use_lean_norms(model)
    use_lean_depthwise(model)
    return model


def build_unset(name: str, in_chans: int) -> nn.Module:
    """As :func:`build_backbone`, three times as fast, for callers that load their own weights.

    Its parameters are uninitialised, and torch's random state is left alone.

    Raises:
        EosfmError: As :func:`build_backbone` does.
    """
    with _ParametersUnset():
        return build_backbone(name, in_chans)


class _ParametersUnset(TorchFunctionMode):
    """Skips in-place operations on parameters, as all initialisers are; not on buffers."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        name = getattr(func, "__name__", "")
        in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        if in_place and isinstance(target, nn.Parameter):
            return target
        return func(*args, **kwargs)


def _weights(name: str) -> dict[str, str]:
    """Where timm is to find pretrained weights: the cached file, downloaded if missing.

    timm itself asks the hub first, even for cached files, and retries for most of a minute where
    the hub cannot be reached.

    Raises:
        EosfmError: None are published, or they are not cached and the hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None or not config.has_weights or not config.hf_hub_id:
        raise EosfmError(
            f"no pretrained weights are published for backbone {name!r}; "
            "set backbone.pretrained=false"
        )
    repository = config.hf_hub_id
    for file in WEIGHT_FILES:
        cached = try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return {"file": cached}
    refusal = EosfmError(
        f"pretrained weights of {name!r} are neither in the Hugging Face cache nor can the hub be "
        f"reached; run `hf download {repository}` where there is a network and copy the cache "
        "(HF_HOME) here, or set backbone.pretrained=false"
    )
    if not _answers(hf_hub_url(repository, WEIGHT_FILES[0])):
        raise refusal
    try:
        return {"file": hf_hub_download(repository, WEIGHT_FILES[0])}
    except (HfHubHTTPError, OSError) as error:
        raise refusal from error


def _answers(url: str) -> bool:
    """Whether a server answers at all, asked once and briefly."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        return False
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return True  # the download will say what is wrong
    except OSError:
        return False
    return True
