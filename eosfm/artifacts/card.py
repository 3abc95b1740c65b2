"""The model card of an artifact: Markdown with the Hugging Face hub's YAML front matter."""

from collections.abc import Iterable, Mapping, Sequence

from eosfm.artifacts.inventory import Inventory, Member, shorten_bands
from eosfm.artifacts.licences import WORDS, allows_commerce

FRONT = """\
---
library_name: eosfm
pipeline_tag: image-feature-extraction
license: other
license_name: terms-of-the-training-data
license_link: README.md#what-may-be-used-commercially
tags:
- earth-observation
- remote-sensing
- satellite-imagery
- foundation-model
- eosfm
---
"""

USE = """\
## Use

A frozen backbone for maps and scores of satellite and aerial images: an image of any of these
sensors in, four feature maps at strides 4, 8, 16 and 32 out. A light head is trained on them for
the task at hand. It needs `eosfm`, which needs torch and timm alone.

```python
from eosfm import EosFM

{example}
maps = backbone(x)  # x: (batch, channels, height, width) float32
```
"""

SIMULATED = """\
Specialists whose data are simulated have seen no image of their dataset: the pipeline makes copies
of its sensor, bands and labels to try itself out. Nobody should expect of them what images teach.
"""

UNSTATED = """\
Where the artifact does not state it, a person who publishes it says here whether data were
simulated.
"""

LIMITS = """\
## Limits

- Features alone: without a head that was trained for the task it answers no question.
- Each specialist knows the places, seasons, sensors and classes of its own dataset; elsewhere its
  features may say little. Check on labels of your own area before a map is used.
- The scores above are of validation tiles of each specialist's own dataset. They do not compare
  specialists, nor tell how well the ensemble does on another task.
- Values must be standardised: by the input's own statistics (`mean=`, `std=`), or by those of each
  specialist (`standardize="specialist"` with `units=`).
- It is no source for decisions about persons, nor for emergencies without a human's look.
"""


def write_card(
    inventory: Inventory,
    metrics: Mapping[str, float] | None = None,
    trained_kwh: float | None = None,
    opening: str = 'EosFM.from_pretrained("FOLDER"',
) -> str:
    """The card's text.

    Args:
        inventory: The artifact.
        metrics: The pipeline's flat metrics.json, where it is known: it has the energy of all.
        trained_kwh: What training the specialists took, where that alone is known.
        opening: The call that opens what the card lies beside, without what follows its place.

    Returns:
        Markdown; the same artifact and metrics give the same text.
    """
    count = len(inventory.specialists)
    parts = [
        f"{FRONT}\n# EoS-FM: {count} specialist{'s' * (count != 1)} as one backbone\n",
        f"An ensemble of small specialist encoders ({inventory.parameters / 1e6:.1f} M parameters "
        "together) that runs as one Earth-observation feature extractor, after *Can an Ensemble of "
        "Specialist Models act as a Generalist Feature Extractor?* (arXiv 2511.21523).\n",
        USE.format(example=_example(inventory, opening)),
        f"## Specialists\n\n{_specialists(inventory.specialists)}",
        f"## Training data\n\n{_training_data(inventory)}",
        f"## What may be used commercially\n\n{_commercial(inventory)}",
        LIMITS,
        f"## Energy\n\n{_energy(metrics or {}, trained_kwh)}",
    ]
    return "\n".join(parts)


def _example(inventory: Inventory, opening: str) -> str:
    if inventory.fusion is None:
        bands = next((one.bands for one in inventory.specialists if one.bands), None)
        # Each once: an encoder may have one in several channels, or the bands of several dates.
        given = (
            f"bands={list(dict.fromkeys(bands))}"
            if bands
            else f"in_chans={inventory.specialists[0].in_chans}"
        )
        return f"backbone = {opening}, {given})"
    taken = inventory.fusion["bands"] or [f"{inventory.fusion['in_chans']} channels"]
    return f"backbone = {opening})  # takes {' '.join(taken)}"


def _specialists(members: Sequence[Member]) -> str:
    rows = [
        (
            one.name,
            one.dataset or "not stated",
            one.source or "not stated",
            one.kind or "not stated",
            shorten_bands(one.bands, one.in_chans),
            one.backbone,
            "not stated" if one.score is None else f"{one.score:.3f} {one.metric}",
            f"`{one.sha256[:16]}`",
        )
        for one in members
    ]
    heads = ("name", "dataset", "data", "kind", "bands", "backbone", "validation score", "SHA-256")
    return _table(heads, rows)


def _training_data(inventory: Inventory) -> str:
    if not inventory.datasets:
        return "The artifact does not say what its specialists were trained on.\n"
    rows = [
        (
            f"[{data.title}]({data.homepage})" if data.homepage else data.name,
            data.licence or "not known",
            WORDS[data.commercial],
            data.citation or "",
        )
        for data in inventory.datasets
    ]
    table = _table(("dataset", "licence of the data", "commercial use", "cite"), rows)
    begun = dict.fromkeys(
        (one.start, one.start_licence or "not stated") for one in inventory.specialists if one.start
    )
    if begun:
        table += "\n" + _table(("weights that trainings began with", "licence"), begun)
    others = [(one.name, ", ".join(one.weights)) for one in inventory.specialists if one.weights]
    if others:
        table += "\n" + _table(("encoder that others trained", "source"), others)
    sources = {one.source for one in inventory.specialists}
    told = [SIMULATED] * ("simulated" in sources) + [UNSTATED] * (None in sources)
    return "\n".join([table, *told])


def _commercial(inventory: Inventory) -> str:
    allows = {data.name: data.commercial for data in inventory.datasets}
    groups: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for one in inventory.specialists:
        terms = {allows.get(one.dataset) if one.dataset else None}
        if one.start is not None:
            terms.add(allows_commerce(one.start_licence))
        strictest = next(answer for answer in (False, None, True) if answer in terms)
        groups[strictest].append(one.name)
    lines = [
        "Whether weights inherit the terms of the data that they were trained on, or of the "
        "weights that training began with, is not settled everywhere. By their wording:\n"
    ]
    for answer, words in (
        (True, "made of what may be used commercially, under the licence's conditions"),
        (False, "made of data or weights for research or non-commercial use alone"),
        (None, "terms not stated; ask the publisher of the data or weights"),
    ):
        if groups[answer]:
            lines.append(f"- {words}: {', '.join(groups[answer])}")
    if groups[True] and (groups[False] or groups[None]):
        names = " ".join(groups[True])
        lines.append(
            f"\nAn artifact of the first group alone: `eosfm prune ARTIFACT -o FILE --keep {names}`"
        )
    return "\n".join(lines) + "\n"


def _energy(metrics: Mapping[str, float], trained_kwh: float | None) -> str:
    if "energy.kwh" not in metrics and trained_kwh is not None:
        return (
            f"{trained_kwh:.3g} kWh for training these specialists, data and evaluation not "
            "counted (CodeCarbon; estimated where power cannot be read).\n"
        )
    if "energy.kwh" not in metrics:
        return "Not recorded with this artifact.\n"
    co2 = metrics.get("energy.co2eq_kg")
    told = f" ({co2:.3g} kg CO2 equivalent)" if co2 is not None else ""
    unknown = metrics.get("energy.unknown_stages", 0)
    without = f", without {unknown:g} stages of unknown energy" if unknown else ""
    return (
        f"{metrics['energy.kwh']:.3g} kWh{told} for the whole pipeline that built it, data, "
        f"training and evaluation together{without} (CodeCarbon; estimated where power cannot be "
        "read).\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
