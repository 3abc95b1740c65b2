"""The command ``eosfm report``."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="The .html page to write.")] = Path(
        "results/report.html"
    ),
    results: Annotated[
        Path, typer.Option(help="Folder that the stages wrote, in this project or a copy.")
    ] = Path("results"),
) -> None:
    """Rewrite the page of all results.

    The page is one file that needs no network. The stage report of `dvc repro` writes the same
    page, and metrics and plots as well.

    Example: eosfm report -o page.html
    """
    from eosfm.core.errors import expect
    from eosfm.params import load_params

    expect("--out", str(out), out.suffix == ".html", "a name that ends in .html")
    params = load_params()
    from eosfm.report.page import write_page
    from eosfm.report.results import collect
    from eosfm.report.summary import expect_one_run

    collected = collect(params, results)
    expect_one_run(params, collected, results, results.parent / "metrics.json")
    write_page(params, collected, results, out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
