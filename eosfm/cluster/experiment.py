"""A run as a DVC experiment: checks its name before, and records the results after the run."""

from collections.abc import Sequence

from eosfm.cluster.home import open_repo
from eosfm.cluster.schedule import make_schedule
from eosfm.core.errors import EosfmError
from eosfm.planning.dvc_faults import dvc_errors


def insist_on_new(name: str) -> None:
    """Refuse the name of an experiment that there is already, before any work is done.

    Raises:
        EosfmError: There is one on this commit, or the name cannot be one.
    """
    from dvc.repo.experiments.refs import ExpRefInfo
    from dvc.repo.experiments.utils import check_ref_format

    with open_repo() as repo:
        ref = ExpRefInfo(repo.scm.get_rev(), name)
        with dvc_errors():
            check_ref_format(repo.scm, ref)
        if repo.scm.get_ref(str(ref)):
            raise EosfmError(
                f"there is an experiment {name!r} on this commit; choose another name, or remove "
                f"it: dvc exp remove {name}"
            )


def record(targets: Sequence[str], name: str) -> str:
    """Record the results with ``dvc exp run``, which then only runs stages bound to this folder.

    It records files as they are, so they must still be those of the run.

    Args:
        targets: As of ``dvc repro``.
        name: Of the experiment; empty for one of DVC's.

    Returns:
        Its name.

    Raises:
        EosfmError: DVC cannot keep it, or files changed since the run began.
    """
    with open_repo() as repo:
        schedule = make_schedule(repo, targets)
        if changed := [stage for stage in schedule.affected() if stage in schedule.changed]:
            raise EosfmError(
                f"files of {', '.join(changed)} changed while the run was under way, so it is no "
                "experiment; its results are kept; take the changes back, or run again"
            )
        with dvc_errors():
            made = repo.experiments.run(targets=list(targets) or None, name=name or None)
        return next(iter(repo.experiments.get_exact_name(list(made)).values()))
