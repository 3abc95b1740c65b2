"""``eosfm readme``."""

import json
from pathlib import Path

from eosfm.core.errors import EosfmError


def readme(check: bool = False) -> None:
    """Rewrite the results in README.md.

    With --check only compare them with metrics.json.
    """
    from eosfm.params import load_params
    from eosfm.report.readme import replace_section, stale_scores
    from eosfm.report.results import collect
    from eosfm.report.tables import results_section

    path = Path("README.md")
    if check:
        stale = stale_scores(path.read_text(), json.loads(Path("metrics.json").read_text()))
        if stale:
            raise EosfmError(
                f"README.md shows other scores than metrics.json for {', '.join(stale)}; run "
                "`eosfm readme`"
            )
        return
    section = results_section(load_params(), collect(load_params(), Path("results")))
    path.write_text(replace_section(path.read_text(), section))
