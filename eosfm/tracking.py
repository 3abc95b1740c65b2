"""Reporting of a stage: a line at its end, curves (DVCLive), energy (CodeCarbon).

Every stage runs inside one :func:`track`. Its energy record is a DVC output, so a stage restored
from the cache still counts in the energy that it took to make the results.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eosfm.core.files import write_json

RESULTS = Path("results")
SHARE = "EOSFM_MACHINE_SHARE"
"""Environment variable: share of the machine's CPU and memory energy that is attributed to a stage,
1 / N where N stages run at a time. The shares of idle workers are attributed to none."""
GPU_SHARE = "EOSFM_GPU_SHARE"
"""Environment variable: the same share for the GPUs that the stage sees."""
RUN = "EOSFM_RUN"
"""Environment variable: name of the run, where no ``dvc`` process identifies it."""


class Tracker:
    """What a stage reports while it runs.

    Attributes:
        folder: Where its results go: ``results/<stage>/<item>``.
        live: Below it, DVCLive's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live = folder / "live"
        self._live: Any = None
        self._summary = ""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Append one point to each metric's curve in the folder's ``live``."""
        if self._live is None:
            self._live = open_live(self.live)
        self._live.step = step
        for key, value in metrics.items():
            self._live.log_metric(key, float(value))
        self._live.sync()

    def done(self, summary: str) -> None:
        """Set the line printed at the stage's end."""
        self._summary = summary

    def close(self, energy: Mapping[str, Any]) -> None:
        """Add the energy to the summary of what DVCLive logged here, whoever logged it."""
        if self._live is None and self.live.exists():
            self._live = open_live(self.live, resume=True)
            self._live.step = self._live.read_step()  # no step follows
        if self._live is None:
            return
        for key in ("kwh", "co2eq_kg"):
            if energy[key] is not None:
                self._live.log_metric(f"emissions/{key}", energy[key], plot=False)
        self._live.end()


def open_live(folder: Path, resume: bool = False) -> Any:
    """A ``dvclive.Live`` that only writes to its folder.

    It makes no dvc.yaml and no experiment of its own: the pipeline declares its outputs.
    """
    from dvclive import Live

    return Live(dir=str(folder), resume=resume, dvcyaml=None, save_dvc_exp=False)


@contextmanager
def track(stage: str, item: str, country: str, results: Path = RESULTS) -> Iterator[Tracker]:
    """Measure a stage's time, energy and memory, and print one line when it is done.

    Writes ``energy.json`` beside the stage's other results: seconds, kwh, co2eq_kg, how power was
    obtained (``measured`` or ``estimated``), peak memory, and the DVC run that it was part of.
    Where DVCLive logged the stage, the energy also stands in its ``live/metrics.json``, for ``dvc
    metrics show`` and ``diff``. Of a training on several machines, it is that of the first.

    Args:
        stage: Stage name.
        item: Dataset, specialist or task; empty for stages that run once.
        country: ISO 3166 alpha-3 code, for the carbon intensity of electricity.
        results: Folder of all stages' results.
    """
    tracker = Tracker(results / stage / item)
    meter = _EnergyMeter(country)
    start = time.perf_counter()
    try:
        yield tracker
    except BaseException as error:
        meter.stop()
        if isinstance(error, OSError) and error.filename is None:  # as of DVCLive's curves
            error.filename = str(tracker.folder)
        raise
    energy = meter.stop()
    tracker.close(energy)
    record = {
        "stage": stage,
        "item": item,
        "seconds": round(time.perf_counter() - start, 2),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "run": current_run(),
        **energy,
    }
    write_json(tracker.folder / "energy.json", record)
    kwh = record["kwh"]
    spent = "energy unknown" if kwh is None else f"{kwh * 1000:.2f} Wh {record['power']}"
    parts = (tracker._summary, f"{record['seconds']:.1f} s", spent)
    line = " | ".join(part for part in parts if part)
    print(f"{stage} {item}: {line}".replace(" :", ":"), flush=True)


class _EnergyMeter:
    """CodeCarbon's offline tracker, which may fail without failing the stage.

    It starts in a thread, because loading it and its first look at the machine take most of a
    second. Energy until then is extrapolated from the mean power measured afterwards.
    """

    def __init__(self, country: str) -> None:
        self._country = country
        self._begun = time.perf_counter()
        self._tracker: Any = None
        self._fault: str | None = None
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            import logging

            from codecarbon import OfflineEmissionsTracker
            from codecarbon.input import DataSource

            # CodeCarbon would take the world's average for a country it does not know.
            if self._country not in DataSource().get_global_energy_mix_data():
                raise LookupError(f"energy.country {self._country!r} is not in CodeCarbon's table")
            # It logs before it reads its own log level; the record holds all that matters.
            logging.getLogger("codecarbon").disabled = True
            _tell_cpu_name()
            self._tracker = OfflineEmissionsTracker(
                country_iso_code=self._country,
                save_to_file=False,
                allow_multiple_runs=True,
                log_level="critical",
                measure_power_secs=5,
            )
            self._tracker.start()
        # Whatever goes wrong in reading power must not cost the user a training run; the record
        # says that the energy is unknown, and why.
        except Exception as error:
            self._fault = f"{type(error).__name__}: {error}"

    def _elapsed(self) -> float:
        """Seconds since the meter was asked for."""
        return time.perf_counter() - self._begun

    def stop(self) -> dict[str, Any]:
        """The energy so far; None for kwh and co2eq_kg if it could not be measured."""
        elapsed = self._elapsed()
        self._thread.join()
        try:
            if self._fault is None:
                self._tracker.stop()
                data = self._tracker.final_emissions_data
                kwh = own = float(data.energy_consumed)
                own -= (float(data.cpu_energy) + float(data.ram_energy)) * (1 - _share(SHARE))
                own -= float(data.gpu_energy) * (1 - _share(GPU_SHARE))
                own *= elapsed / data.duration
                return {
                    "kwh": own,
                    "co2eq_kg": float(data.emissions) * (own / kwh if kwh else 1.0),
                    "power": _power_source(self._tracker),
                    "cpu": data.cpu_model,
                    "gpu": data.gpu_model,
                }
        except Exception as error:
            self._fault = f"{type(error).__name__}: {error}"
        print(f"warning: energy not tracked ({self._fault})", file=sys.stderr)
        return {"kwh": None, "co2eq_kg": None, "power": "unknown", "cpu": "", "gpu": ""}


def _tell_cpu_name() -> None:
    """Give CodeCarbon the CPU's name from Linux's ``/proc/cpuinfo``.

    The library that it calls otherwise takes a second in every stage to find out the same.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if names:
        import cpuinfo

        cpuinfo.get_cpu_info = lambda: {"brand_raw": names[0]}


def _share(name: str) -> float:
    return float(os.environ.get(name, "1"))


def _power_source(tracker: Any) -> str:
    """``measured`` where the CPU's own counters gave the power, ``estimated`` otherwise."""
    modes = [getattr(part, "_mode", "") for part in getattr(tracker, "_hardware", [])]
    measured = any(mode in ("intel_rapl", "intel_power_gadget", "powermetrics") for mode in modes)
    return "measured" if measured else "estimated"


def current_run() -> str:
    """Name of the ``dvc`` process that this stage belongs to, or of this process alone.

    Stages of one ``dvc repro`` or ``dvc exp run`` share the name, so the report can separate the
    energy of this run from that of earlier runs whose results are still valid. ``eosfm repro`` sets
    it in :data:`RUN`.
    """
    import psutil

    if RUN in os.environ:
        return os.environ[RUN]

    process = psutil.Process(os.getpid())
    with suppress(psutil.Error):  # of one that has just ended, or that the system hides
        parent = process.parent()
        while parent is not None:
            if any(Path(word).name == "dvc" for word in parent.cmdline()[:3]):
                return f"{parent.pid}-{int(parent.create_time())}"
            parent = parent.parent()
    return f"{process.pid}-{int(process.create_time())}"
