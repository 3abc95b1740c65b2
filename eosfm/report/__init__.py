"""The report of a run: tables, figures and metrics."""

from pathlib import Path

from eosfm.core.files import write_json
from eosfm.params import Params
from eosfm.report.results import BASELINES, collect
from eosfm.report.summary import heading, summarise, write_table
from eosfm.report.tables import results_section, specialists_section

__all__ = ["write_report"]


def write_report(params: Params, results: Path, metrics: Path) -> str:
    """Write metrics.json, and results' metrics, plots, report.md and report.html.

    Returns:
        The scores as a line for the terminal.
    """
    from eosfm.report.figures import display_name
    from eosfm.report.page import write_page
    from eosfm.report.plots import write_plots

    collected = collect(params, results)
    summary = summarise(collected)
    write_json(metrics, summary, sort_keys=False)
    write_table(collected, results / "metrics")
    write_plots(collected, results, results / "plots")
    write_page(params, collected, results, results / "report.html")
    sections = [results_section(params, collected), specialists_section(params, collected)]
    text = "\n\n".join(["# Results", heading(params), *sections])
    (results / "report.md").write_text(f"{text}\n")
    rivals = ", ".join(f"{display_name(n)} {summary[f'baseline.{n}.mean']:.3f}" for n in BASELINES)
    unknown = summary.get("energy.unknown_stages", 0)
    return (
        f"report: mean score {summary['score.mean']:.3f} ({rivals}), "
        f"{summary['energy.kwh'] * 1000:.1f} Wh"
        + (f" without {unknown:g} stages of unknown energy" if unknown else "")
    )
