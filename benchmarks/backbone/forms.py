"""Forms of the same encoders: one after the other, or several in one call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import BACKBONE, MIX, Json, alternate, ensemble, show
from torch import Tensor, nn

from eosfm.encoding.models import SpecialistModels
from eosfm.nn.backbone import build_backbone

Run = Callable[[], Any]


def forms(
    device: str = "cuda", batches: str = "32 128", sizes: str = "64 224", rounds: int = 5,
    compiled: bool = True, json_: Json = None,
) -> None:  # fmt: skip
    """24 specialists, each on an image of its own channels; calls of one encoder per second."""
    members = ensemble()
    models = SpecialistModels(members).to(device)
    last = SpecialistModels(members).to(device, memory_format=torch.channels_last)
    card = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} cores"
    rows = []
    for size in map(int, sizes.split()):
        for batch in map(int, batches.split()):
            jobs = [
                (i, torch.randn(batch, c, size, size, device=device)) for i, c in enumerate(MIX)
            ]
            nhwc = [(i, x.contiguous(memory_format=torch.channels_last)) for i, x in jobs]
            half = partial(_half, device)
            actions: dict[str, Run] = {
                "loop, float32": partial(models.run_alone, jobs),
                "loop, bf16": half(partial(models.run_alone, jobs)),
                "loop, bf16, channels last": half(partial(last.run_alone, nhwc)),
                "vmap, bf16": half(_mapped(models, jobs)),
                "grouped, float32": partial(models.run_grouped, jobs),
                "grouped, bf16": half(partial(models.run_grouped, jobs)),
            }
            if device == "cuda":
                actions["grouped, bf16, CUDA graph"] = _graph(actions["grouped, bf16"])
            if compiled:
                actions["grouped, bf16, compiled"] = half(_compiled(models, jobs))
            seconds = alternate({k: partial(_finished, run) for k, run in actions.items()}, rounds)
            rows += [
                {
                    "form": name, "px": size, "batch": batch,
                    "encoder calls/s": len(MIX) * batch / seconds[name],
                    "times the loop in bf16": seconds["loop, bf16"] / seconds[name],
                }
                for name in actions
            ]  # fmt: skip
            actions.clear()  # a CUDA graph keeps all the memory that its run took
            torch.cuda.empty_cache()
    show(f"Forms of 24 encoders on {card}", rows, json_)


def _half(device: str, run: Run) -> Run:
    """The same in bf16."""

    def action() -> Any:
        # Nothing that a capture or a compilation keeps may come from autocast's own cache.
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, cache_enabled=False):
            return run()

    return action


def _finished(run: Run) -> None:
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _mapped(models: SpecialistModels, jobs: list[tuple[int, Tensor]]) -> Run:
    """Stacked weights by ``torch.func``, for those of as many channels."""
    calls = []
    for channels in dict.fromkeys(MIX):
        some = [i for i, own in enumerate(MIX) if own == channels]
        images = torch.stack([jobs[i][1] for i in some])
        base = build_backbone(BACKBONE, channels).to("meta").eval()
        stacked = torch.func.stack_module_state([models[i] for i in some])

        def one(params: Any, buffers: Any, x: Tensor, base: nn.Module = base) -> Any:
            return torch.func.functional_call(base, (params, buffers), (x,))

        calls.append(partial(torch.func.vmap(one), *stacked, images))
    return lambda: [call() for call in calls]


def _compiled(models: SpecialistModels, jobs: list[tuple[int, Tensor]]) -> Run:
    models.run_grouped(jobs)
    (group,) = models._groups.values()
    return partial(torch.compile(group.__call__), [image for _, image in jobs])


def _graph(run: Run) -> Run:
    """The same operations, recorded once and launched together."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
