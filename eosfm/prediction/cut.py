"""How a scene is cut into windows, and the device and batch size of the encoders."""

from dataclasses import dataclass

import torch

from eosfm.core.errors import EosfmError
from eosfm.core.parallel import cores
from eosfm.features.device import device as first_device
from eosfm.prediction.windows import GRID, Batching, Sweep

PIXELS_CPU, PIXELS_GPU = 512**2, 8 * 512**2
"""Pixels of a batch, over all its dates."""
AT_ONCE_CPU = 4
"""Such batches that run at once on a CPU, bounded for memory."""


@dataclass(frozen=True)
class Cut:
    """How a scene is cut.

    Attributes:
        window: Side of the windows in pixels; None for the default of the output.
        overlap: Overlap in pixels; None for an eighth of the window, or a quarter for objects.
        device: A torch device; None for the first GPU, or the CPU if there is none.

    Raises:
        EosfmError: ``window`` is below 1.
    """

    window: int | None = None
    overlap: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise EosfmError(f"a window of {self.window} px; expected 1 or more; change --window")

    def sweep(self, scene: tuple[int, int], usual: int) -> Sweep:
        """Overlapping windows over a scene, by default of ``usual`` pixels, rounded up to the grid.

        Raises:
            EosfmError: See :meth:`eosfm.prediction.windows.Sweep.blended`.
        """
        window = self.window or -(-usual // GRID) * GRID
        overlap = usual_overlap(window) if self.overlap is None else self.overlap
        return Sweep.blended(scene, window, overlap)

    @property
    def where(self) -> torch.device:
        """The device.

        Raises:
            EosfmError: torch does not know it, or it is not available.
        """
        if self.device is None:
            return first_device()
        try:
            tried = torch.zeros(1, device=self.device)
            tried.cpu()  # `meta` has nothing to give
            return tried.device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise EosfmError(
                f"--device {self.device} cannot be used ({reason}); give cpu or cuda"
            ) from None

    def load(self, sweep: Sweep, dates: int = 1) -> Batching:
        """Windows per batch and batches at once, for windows of ``dates`` dates."""
        pixels = sweep.window[0] * sweep.window[1] * dates
        if self.where.type != "cpu":
            return Batching(max(1, PIXELS_GPU // pixels), 2)  # reads one batch, computes the other
        batch = max(1, PIXELS_CPU // pixels)
        most = min(len(sweep.batches(batch)), AT_ONCE_CPU * PIXELS_CPU // (batch * pixels))
        return Batching(batch, max(1, min(cores(), most)))


def usual_overlap(window: int) -> int:
    """An eighth of a window, rounded down to the grid; at least one grid cell if it fits."""
    return max(window // (8 * GRID), int(window > GRID)) * GRID
