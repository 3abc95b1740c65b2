"""An artifact as a folder that the Hugging Face hub takes: safetensors and JSON.

``model.safetensors`` has the tensors: ``specialists.<index>.<key>``, and ``fusion.<key>`` where the
artifact is a saved backbone. ``config.json`` has all else: ``specialists``, one config per entry of
the artifact with its ``in_chans``, and ``fusion``, or null.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core.errors import EosfmError, brief
from eosfm.core.files import as_path, read_json
from eosfm.encoding.artifact import STATE_KEY, check_entries, load_entries, read_entries
from eosfm.nn.specialist import Specialist

FORMAT = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"
REMEDY = "write the folder again with `eosfm export ARTIFACT FOLDER`"


def write_folder(artifact: Path | str, folder: Path) -> None:
    """Write the two files of an artifact into a folder that exists.

    Raises:
        EosfmError: The artifact cannot be used, or holds facts that JSON cannot.
    """
    from safetensors.torch import save

    entries = read_entries(artifact)
    load_entries(entries, artifact)
    tensors: dict[str, Tensor] = {}
    specialists, fusion = [], None
    for index, (in_chans, weights, config) in enumerate(entries):
        facts = dict(config)
        if (state := facts.pop(STATE_KEY, None)) is not None and index == 0:
            fusion = {key: value for key, value in state.items() if key != "weights"}
            tensors |= {f"fusion.{key}": value for key, value in state["weights"].items()}
        specialists.append({**facts, "in_chans": in_chans})
        tensors |= {f"specialists.{index}.{key}": value for key, value in weights.items()}
    content = {
        "model_type": "eosfm",
        "format": FORMAT,
        "specialists": specialists,
        "fusion": fusion,
    }
    try:
        text = json.dumps(content, indent=1, default=_plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise EosfmError(
            f"{artifact} has a fact that {CONFIG} cannot hold ({error}); expected finite numbers, "
            "text, lists and tables; build it again without"
        ) from None
    (folder / CONFIG).write_text(text + "\n")
    # safetensors refuses tensors that share memory, as those of published files may.
    own = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    (folder / WEIGHTS).write_bytes(save(own, metadata={"format": "pt"}))


def read_folder(folder: Path | str) -> tuple[list[Specialist], dict[str, Any] | None]:
    """Read a folder: specialists, and fusion settings and weights, or None.

    Raises:
        EosfmError: A file is missing or damaged, or weights do not fit their backbone.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = as_path(folder)
    config = read_json(folder / CONFIG, REMEDY)
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT or config.get("model_type") != "eosfm":
        raise EosfmError(
            f"{folder / CONFIG} is of format {found!r}; expected {FORMAT} of model_type 'eosfm'; "
            f"{REMEDY}"
        )
    if not (folder / WEIGHTS).is_file():
        raise EosfmError(f"{folder / WEIGHTS} not found; {REMEDY}")
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise EosfmError(f"{folder / WEIGHTS} is damaged ({error}); {REMEDY}") from None
    try:
        entries = [
            (facts.pop("in_chans"), _below(f"specialists.{index}.", tensors), facts)
            for index, facts in enumerate(config["specialists"])
        ]
        state = config["fusion"]
        if not isinstance(state, dict | None):
            raise TypeError(f"a fusion of {brief(state)}")
    except (LookupError, TypeError, AttributeError) as error:
        raise EosfmError(
            f"{folder / CONFIG} is no config of this format ({type(error).__name__}: {error}); "
            f"{REMEDY}"
        ) from None
    if state is not None:
        state["weights"] = _below("fusion.", tensors)
    return load_entries(check_entries(entries, folder), folder), state


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _plain(value: Any) -> Any:
    """Statistics that a published file keeps as a tensor."""
    if isinstance(value, Tensor):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")
