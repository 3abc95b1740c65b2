"""Encoders: timm models, each giving four feature maps, channels first, at the same strides."""

import os
import urllib.error
import urllib.request
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from eosfm.core.errors import EosfmError, tells_of_memory
from eosfm.nn.pyramid import STRIDES, as_pyramid

LAST = (-4, -3, -2, -1)
"""The coarsest of a model's maps; a ResNet has one more, at stride 2."""

ANY_SIZE: dict[str, dict[str, bool]] = {
    "deit": {"dynamic_img_size": True},
    "eva": {"dynamic_img_size": True},
    "swin_transformer": {"strict_img_size": False},
    "swin_transformer_v2": {"strict_img_size": False},
    "vision_transformer": {"dynamic_img_size": True},
}
"""What lets a module's models take images of other sizes than they were made for."""

PROBE = (64, 96)
"""Size of the image with which a model is tried: as small as at ``mini``, and not square."""

INSTEAD = "set backbone.name to a model such as convnextv2_atto"
_TRIED: set[str] = set()
HUB_TIMEOUT_S = 5.0
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def synchronise_batch_norms(model: nn.Module) -> nn.Module:
    """The model, its batch norms replaced by those over the batches of several GPUs' processes.

    torch's own function would replace timm's batch norms with activation by ones without.
    """
    from timm.layers import convert_sync_batchnorm

    converted: nn.Module = convert_sync_batchnorm(model)
    return converted


def build_backbone(name: str, in_chans: int, pretrained: bool = False) -> nn.Module:
    """Build timm's ``features_only`` model of a name: all encoders are built here.

    A plain vision transformer (ViT) gives tokens of four blocks, evenly spread over its depth, as
    maps that are resized to the strides, without weights of their own.

    Without ``pretrained`` its weights are drawn from torch's random state, or, inside
    ``with torch.device("meta")``, not allocated.

    Args:
        name: timm model name, with or without a weights tag; nothing that timm would fetch.
        in_chans: Number of input channels; timm adapts a pretrained three-channel stem to others.
        pretrained: Start from the published ImageNet weights, from the local Hugging Face cache
            where they are there, else from the hub.

    Returns:
        A model that turns images (B, in_chans, H, W), H and W multiples of 32, into four maps
        (B, C, H/s, W/s), s in :data:`STRIDES`.

    Raises:
        EosfmError: timm does not know the model, it gives no such maps, it takes images of one size
            alone, or its pretrained weights cannot be had.
    """
    import timm
    from timm.models import is_model_in_modules

    from eosfm.nn.depthwise import use_lean_depthwise
    from eosfm.nn.grn import use_lean_norms

    if not timm.is_model(name):  # neither is "hf-hub:..." nor "local-dir:..."
        near = timm.list_models(f"{name.split('_')[0]}*")[:5] or timm.list_models("convnextv2*")
        raise EosfmError(f"backbone {name!r} is unknown to timm; for example {', '.join(near)}")
    options: dict[str, Any] = {"features_only": True, "in_chans": in_chans, "out_indices": LAST}
    for module, further in ANY_SIZE.items():
        if is_model_in_modules(name, [module]):
            options |= further
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
    strides = list(model.feature_info.reduction())
    if not as_pyramid(model):
        raise EosfmError(
            f"backbone {name!r} gives feature maps at strides {strides}, expected "
            f"{list(STRIDES)}, or one of these throughout; {INSTEAD}"
        )
    use_lean_norms(model)
    use_lean_depthwise(model)
    _try(model, name, in_chans)
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


def _try(model: Any, name: str, in_chans: int) -> None:
    """Encode a small image, once per name: some models fail on other sizes than their own.

    Raises:
        EosfmError: It fails, or gives maps of other shapes.
    """
    if name in _TRIED:
        return
    height, width = PROBE
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            maps = model.eval()(torch.zeros(1, in_chans, height, width, device=device))
        widths = zip(model.feature_info.channels(), STRIDES, strict=True)
        shapes = [tuple(level.shape[1:]) for level in maps]
        right = shapes == [(c, height // s, width // s) for c, s in widths]
        fault = "" if right else f"its maps are {shapes}"
    except (AssertionError, RuntimeError, ValueError) as error:
        if tells_of_memory(error):
            raise
        fault = str(error).splitlines()[0][:120]
    finally:
        model.train()
    if fault:
        raise EosfmError(
            f"backbone {name!r} cannot encode images of {height} x {width} px ({fault}), as it "
            f"would of any multiples of {STRIDES[-1]} px; {INSTEAD}"
        )
    _TRIED.add(name)


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
