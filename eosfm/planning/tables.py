"""The plan as tables, for the terminal and for Markdown."""

from collections.abc import Sequence

from eosfm.planning.hardware import DRAW, REFERENCE, REFERENCE_SIZE
from eosfm.planning.plan import STAGES, Plan, Step
from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import GB, Work

HEADER = (
    "images", "encoder calls", "archives GB", "tiles GB", "features GB", "memory GB", "GPU-hours",
    "kWh",
)  # fmt: skip

Rows = list[list[str]]


def stage_rows(plan: Plan) -> Rows:
    """Stage by stage, and all together in the last row."""
    rows = [["stage", "to run", *HEADER]]
    for stage in STAGES:
        every = [step for step in plan.steps if step.stage == stage]
        count = f"{len(plan.ahead(stage))} of {len(every)}"
        rows.append([stage, count, *_cells(plan, plan.work(stage))])
    count = f"{len(plan.ahead())} of {len(plan.steps)}"
    return [*rows, ["all", count, *_cells(plan, plan.work())]]


def item_rows(plan: Plan) -> Rows:
    """Item by item."""
    rows = [["stage", "item", *HEADER, "note"]]
    rows += [_item_row(plan, step) for step in plan.steps]
    return rows


def dataset_rows(stores: Sequence[PlannedStore]) -> Rows:
    """Archive by archive: what to fetch, and what it becomes."""
    rows = [["dataset", "download GB", "how", "tiles", "tiles GB", "size known"]]
    for store in stores:
        source = store.dataset.source
        how = "by hand" if source.manual else "by program"
        tiles = f"{sum(store.tiles.values()):,}"
        known = "about" if store.about else "exactly"
        rows.append(
            [store.name, f"{source.size_gb:g}", how, tiles, f"{store.bytes / GB:.1f}", known]
        )
    return rows


def assumptions(plan: Plan) -> list[str]:
    """What the hours and the energy rest on, a line each."""
    gpu = plan.gpu
    return [
        f"GPU: {gpu.name}; {gpu.images_per_second:,.0f} images of {REFERENCE_SIZE} px a second "
        f"through one {REFERENCE}, {gpu.grouped:g} times as many through several in one call, "
        f"{gpu.head_tmacs:g} tera-MAC a second in heads of 512 channels, {gpu.narrow:.0%} of that "
        f"with 128 ({gpu.source}); a "
        "training step takes three times a forward pass.",
        f"Power: {DRAW:.0%} of {gpu.watts:g} W, and {gpu.host_watts:g} W for what is around it.",
        "Trainings and fits last all their epochs; loaders keep up; downloads and cutting take no "
        "GPU. Sizes of archives: eosfm/planning/facts.py.",
        "Classes for which tiles are seen repeatedly (`repeat`) are taken to be on every tile: on "
        "how many they are is known once these are cut. So such tasks take at most what is said.",
    ]


def _item_row(plan: Plan, step: Step) -> list[str]:
    note = "done" if step.done else step.note
    return [step.stage, step.item, *_cells(plan, step.work), note]


def _cells(plan: Plan, work: Work) -> list[str]:
    return [
        _count(work.images),
        _count(work.encoder_calls),
        _decimal(work.archives_gb),
        _decimal(work.tiles_gb),
        _decimal(work.features_gb),
        f"{work.memory_gb:.1f}",
        _decimal(plan.hours(work)),
        _decimal(plan.kwh(work)),
    ]


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else ""


def _decimal(value: float) -> str:
    """Three digits, or nothing for nothing."""
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
