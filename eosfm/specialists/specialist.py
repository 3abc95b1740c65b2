"""The specialist file: one trained encoder with everything needed to feed it."""

import io
import json
import os
import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosfm.errors import EosfmError

FORMAT = 1


@dataclass(frozen=True)
class Specialist:
    """A trained encoder: tensors and plain values only.

    Attributes:
        name: Key in params.
        backbone: timm model name, such as ``convnextv2_atto``.
        bands: Input bands in channel order; a radar band may be repeated.
        units: Physical unit of each input channel.
        mean: Per channel, in that unit, over the training split: what the input was centred by.
        std: Per channel, likewise: what it was divided by.
        dataset: Dataset that it was trained on.
        task: Kind of the task that it was trained for.
        metrics: Validation scores of the best epoch, and what :func:`train_specialist` adds.
        state_dict: Weights of timm's ``features_only`` model of that name.
    """

    name: str
    backbone: str
    bands: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dataset: str
    task: str
    metrics: dict[str, Any]
    state_dict: dict[str, Tensor]

    def save(self, path: Path | str) -> None:
        """Write the file; equal content gives equal bytes, whatever the file is called."""
        facts = {"format": FORMAT} | {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "state_dict"
        }
        # Through JSON, because a pickle also tells which of its strings are the same object.
        content: dict[str, Any] = json.loads(json.dumps(facts))
        content["state_dict"] = {
            key: tensor.detach().cpu().contiguous().clone()
            for key, tensor in self.state_dict.items()
        }
        # To memory first: torch.save writes a file's own name into it.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        beside.write_bytes(buffer.getbuffer())
        os.replace(beside, path)

    @classmethod
    def load(cls, path: Path | str) -> "Specialist":
        """Read the file.

        Raises:
            EosfmError: It is missing, damaged, or not a specialist of this format.
        """
        remedy = f"train it again with `dvc repro -f train@{Path(path).stem}`"
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise EosfmError(f"{path} not found; expected a specialist file; {remedy}") from None
        except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
            reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
            raise EosfmError(
                f"{path} is damaged or no specialist file ({reason}); {remedy}"
            ) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise EosfmError(f"{path} has format {found!r}, expected {FORMAT}; {remedy}")
        names = {field.name for field in fields(cls)}
        if missing := sorted(names - content.keys()):
            raise EosfmError(f"{path} lacks {', '.join(missing)}; {remedy}")
        values: dict[str, Any] = {
            name: tuple(content[name]) if isinstance(content[name], list) else content[name]
            for name in names
        }
        return cls(**values)
