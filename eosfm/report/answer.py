"""What the numbers say, in words: nothing here is written but what they bear out."""

from eosfm.report.compare import Lead, leads, mean_interval
from eosfm.report.figures import display_name
from eosfm.report.results import Results

VERDICTS = ("ahead of", "level with", "behind", "too few tasks to tell from")
"""In the order in which they are told."""


def answer(results: Results) -> str:
    """How the ensemble stands against every baseline, in one sentence."""
    mean, rivals = mean_interval(results, "eosfm"), leads(results)
    found = {
        verdict: [_told(name, one) for name, one in rivals.items() if one.verdict == verdict]
        for verdict in VERDICTS
    }
    told = [f"{verdict} {_listed(names)}" for verdict, names in found.items() if names]
    count = len(results.evaluate)
    return (
        f"Over {count} downstream task{'s' * (count != 1)} the frozen ensemble scores "
        f"{results.mean_score('eosfm'):.3f} on average, from 0 to 1 (95 % interval {mean}): "
        f"{'; '.join(told)}."
    )


def _told(name: str, one: Lead) -> str:
    return f"{display_name(name)} ({one.mean:+.3f}, p = {one.p:.2g})"


def _listed(parts: list[str]) -> str:
    """With commas, and "and" before the last."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
