"""Which stages are to run, in which order: asked of DVC in the user's folder, once."""

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

from eosfm.planning.dvc_faults import dvc_errors

ALWAYS = ["always changed"]
"""DVC's status of an unchanged stage that runs in every repro."""
Entry = Mapping[str, Any]
"""A stage's entry in dvc.lock: hashes of its command, deps, params and outs."""


@dataclass(frozen=True)
class Stage:
    """A stage as workers must know it.

    Attributes:
        name: As DVC takes it: ``train@potsdam``, ``data/dvc.yaml:tile@eurosat``.
        file: Its dvc.yaml or .dvc file, from the project's root.
        key: Its name there; empty for a .dvc file.
        entry: Lock entry of its last run; None unless the cache holds all of its outs.
    """

    name: str
    file: str
    key: str
    entry: Entry | None = None

    @property
    def lock(self) -> str:
        """The lock beside its file."""
        return f"{os.path.splitext(self.file)[0]}.lock"


@dataclass(frozen=True)
class Schedule:
    """What a run has to do.

    Attributes:
        stages: All stages that the targets rest on, in the order in which DVC would run them.
        needs: The stages whose outs each one reads.
        changed: Those that DVC says have changed; what follows them may have to run as well.
        at_home: Those that only the user's folder can run.
        seconds: How long each is expected to take, or 1 where no earlier run tells.
    """

    stages: Mapping[str, Stage]
    needs: Mapping[str, tuple[str, ...]]
    changed: frozenset[str]
    at_home: frozenset[str]
    seconds: Mapping[str, float] = field(default_factory=dict)

    def affected(self) -> list[str]:
        """The changed stages and all downstream of them, in order, without those at home."""
        found: set[str] = set()
        for name in self.stages:
            if name in self.changed or not found.isdisjoint(self.needs[name]):
                found.add(name)
        return [name for name in self.stages if name in found - self.at_home]

    def urgency(self) -> dict[str, float]:
        """Seconds on the longest path from the start of each stage to the end of the run."""
        found = dict.fromkeys(self.stages, 0.0)
        for name in reversed(list(self.stages)):
            found[name] += self.seconds.get(name, 1.0)
            for need in self.needs[name]:
                found[need] = max(found[need], found[name])
        return found


def make_schedule(repo: Any, targets: Sequence[str]) -> Schedule:
    """Ask DVC what is to run.

    Args:
        repo: The ``dvc.repo.Repo`` of the user's folder, which is the current one.
        targets: Stages or files as ``dvc repro`` takes them; empty for dvc.yaml.

    Raises:
        EosfmError: DVC does not know a target, or cannot read the pipeline.
    """
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    with dvc_errors():
        graph = get_active_graph(repo.index.graph)
        found = plan_repro(graph, collect_stages(repo, targets or ["dvc.yaml"]))
        changed = repo.status()
    needs = {
        stage.addressing: tuple(sorted(need.addressing for need in graph.successors(stage)))
        for stage in found
    }
    at_home: set[str] = set()
    for stage in found:
        if not _travels(stage) or not at_home.isdisjoint(needs[stage.addressing]):
            at_home.add(stage.addressing)
    locks: dict[str, Mapping[str, Entry]] = {}
    stages = {s.addressing: _describe(s, locks, s.addressing in changed) for s in found}
    return Schedule(
        stages,
        needs,
        frozenset(
            stage.addressing
            for stage in found
            if changed.get(stage.addressing, ALWAYS) != ALWAYS and not stage.frozen
        ),
        frozenset(at_home),
        expected_seconds([name for name in stages if stages[name].key]),
    )


def _travels(stage: Any) -> bool:
    """Whether DVC's cache can bring a stage's outs from where it ran."""
    return all(out.use_cache and not out.persist for out in stage.outs)


def _describe(stage: Any, locks: dict[str, Mapping[str, Entry]], changed: bool) -> Stage:
    from dvc.utils import strictyaml

    described = Stage(stage.addressing, stage.path_in_repo, getattr(stage, "name", None) or "")
    if not described.key:
        return described
    if described.lock not in locks:
        lock = Path(described.lock)
        # By the path that DVC uses, since it has just parsed the same text (see `patch_yaml`).
        parsed = strictyaml.load(str(lock.resolve()))[0] if lock.exists() else {}
        locks[described.lock] = parsed.get("stages", {})
    entry = locks[described.lock].get(described.key)
    if entry is None or not all(out.hash_info for out in stage.outs):
        return described
    if not changed and not stage.outs_cached():
        with stage.repo.lock:
            stage.commit()  # the folder has it, and the cache has lost it
    return replace(described, entry=entry if stage.outs_cached() else None)


def expected_seconds(names: Sequence[str], results: Path = Path("results")) -> dict[str, float]:
    """Expected seconds of stages, from the energy records of earlier runs in a results folder.

    A stage without a record gets the mean of its kind (``train@b`` that of ``train``). In a fresh
    clone without any record, the total per kind comes from the committed report.
    """
    known: dict[str, float] = {}
    kinds: dict[str, list[float]] = {}
    for name in names:
        record = results / kind_of(name) / name.partition("@")[2] / "energy.json"
        if (seconds := _seconds(record)) is not None:
            known[name] = seconds
            kinds.setdefault(kind_of(name), []).append(known[name])
    reported = _reported_minutes(results / "plots" / "minutes.csv")
    for kind, count in Counter(map(kind_of, names)).items():
        kinds.setdefault(kind, [60 * reported.get(kind, count / 60) / count])
    return {name: known.get(name, mean(kinds[kind_of(name)])) for name in names}


def _seconds(record: Path) -> float | None:
    """What a stage took; None where no record tells, or one that cannot be read as such."""
    try:
        return float(json.loads(record.read_text())["seconds"])
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def _reported_minutes(table: Path) -> dict[str, float]:
    """Minutes of all stages of a kind together, by kind; none where no table tells them.

    After a merge of two branches with their own results, the table holds the marks of it.
    """
    try:
        with table.open(newline="") as file:
            return {row["stage"]: float(row["minutes"]) for row in csv.DictReader(file)}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, csv.Error):
        return {}


def kind_of(name: str) -> str:
    """``train`` of ``train@a``, and ``tile`` of ``data/dvc.yaml:tile@a``."""
    return name.rpartition(":")[2].partition("@")[0]
