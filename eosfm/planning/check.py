"""The dry run: all that would stop a run, found before any work."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.planning.check_data import check_datasets
from eosfm.planning.check_machine import (
    check_cores,
    check_country,
    check_gpu,
    check_plan,
    check_shared_memory,
    check_weights,
)
from eosfm.planning.findings import Finding, fault
from eosfm.planning.readers import check_ensemble
from eosfm.planning.settings import load_set


def run_checks(
    project: Path, scale: str | None = None, overrides: Sequence[str] = ()
) -> list[Finding]:
    """Check parameters, data and machine; nothing is run or downloaded.

    Where the parameters themselves are wrong, nothing else can be asked.

    Args:
        project: The folder of params.yaml.
        scale: Another scale than that of the file.
        overrides: Parameters to set, as of ``dvc exp run -S``; the file stays as it is.
    """
    from eosfm.planning.plan import at_scale

    try:
        params = load_set(project / "params.yaml", overrides)
        params = params if scale is None else at_scale(params, scale)
    except EosfmError as error:
        return [fault(str(error))]
    found = (
        check_datasets(params),
        check_ensemble(params, project),
        check_plan(params, project),
        check_weights(params),
        check_country(params),
        check_gpu(params),
        check_cores(params),
        check_shared_memory(params),
    )
    # What is wrong with a copy stands in the way of its plan as well.
    return list(dict.fromkeys(chain.from_iterable(found)))
