"""The report's conclusions in words, derived from the test statistics alone."""

from collections.abc import Mapping

from eosfm.evaluation.result import TaskResult
from eosfm.params import Params
from eosfm.report.compare import Lead, leads, mean_interval
from eosfm.report.figures import display_name
from eosfm.report.results import Results

VERDICTS = ("ahead of", "level with", "behind", "too few tasks to tell from")
"""In the order in which they are told."""


def answers(params: Params, results: Results) -> list[str]:
    """The answer over all tasks, and over those that no specialist had seen, where that differs."""
    return list(filter(None, [answer(results), answer_without_seen(params, results)]))


def answer(results: Results) -> str:
    """How the ensemble stands against every baseline, in one sentence."""
    mean, count = mean_interval(results, "eosfm"), len(results.evaluate)
    return (
        f"On {count} downstream task{'s' * (count != 1)}, the ensemble has a mean score of "
        f"{results.mean_score('eosfm'):.3f} (0 to 1, 95 % interval {mean}): "
        f"{_verdicts(leads(results))}."
    )


def answer_without_seen(params: Params, results: Results) -> str:
    """The same over tasks on whose datasets no specialist in use was trained with more labels.

    A specialist trained on more labels of a task's dataset has an advantage over baselines that
    have the task's labels alone. Empty if no task remains, or if all of them do.
    """
    seen = [
        task
        for task, result in results.evaluate.items()
        if labels_seen(params, task, result)[1] and result.train_tiles > result.labels
    ]
    others = [task for task in results.evaluate if task not in seen]
    if not seen or not others:
        return ""
    return (
        f"For {_listed(seen)}, some specialists in use were trained on more labels of the dataset "
        f"than the task has. On the other {len(others)}: {_verdicts(leads(results, others))}."
    )


def labels_seen(params: Params, task: str, result: TaskResult) -> tuple[int, int]:
    """Training tiles of a task's dataset, and how many specialists in use were trained on them."""
    dataset = params.tasks[task].dataset
    # An artifact that was brought along may have others than those of params.yaml.
    entries = [params.specialists[n] for n in result.selected if n in params.specialists]
    return result.train_tiles, [entry.dataset for entry in entries].count(dataset)


def _verdicts(rivals: Mapping[str, Lead]) -> str:
    found = {
        verdict: [_told(name, one) for name, one in rivals.items() if one.verdict == verdict]
        for verdict in VERDICTS
    }
    return "; ".join(f"{verdict} {_listed(names)}" for verdict, names in found.items() if names)


def _told(name: str, one: Lead) -> str:
    return f"{display_name(name)} ({one.mean:+z.3f}, p = {one.shown_p})"


def _listed(parts: list[str]) -> str:
    """With commas, and "and" before the last."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
