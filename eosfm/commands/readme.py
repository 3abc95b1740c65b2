"""The command ``eosfm readme``."""

from typing import Annotated

import typer

from eosfm.core.errors import EosfmError


def readme(
    check: Annotated[bool, typer.Option("--check", help="Only compare with metrics.json.")] = False,
) -> None:
    """Rewrite the results in README.md and docs/results.md."""
    from pathlib import Path

    from eosfm.core.files import atomic, read_json
    from eosfm.params import load_params
    from eosfm.report.readme import PAGE, README, replace_section, stale_scores
    from eosfm.report.results import collect
    from eosfm.report.summary import expect_one_run
    from eosfm.report.tables import results_section, summary_section

    if check:
        metrics = read_json(Path("metrics.json"), "run `dvc repro`, in the project's folder")
        stale = stale_scores(PAGE.read_text(), metrics)
        if "mean" in stale_scores(README.read_text(), metrics):
            stale.append(f"the mean in {README}")
        if stale:
            raise EosfmError(
                f"{PAGE} shows other scores than metrics.json for {', '.join(stale)}; run "
                "`eosfm readme`"
            )
        return
    params = load_params()
    folder = Path("results")
    results = collect(params, folder)
    expect_one_run(params, results, folder, Path("metrics.json"))
    sections = {README: summary_section(params, results), PAGE: results_section(params, results)}
    written = {path: replace_section(path, section) for path, section in sections.items()}
    for path, text in written.items():
        with atomic(path) as beside:
            beside.write_text(text)
