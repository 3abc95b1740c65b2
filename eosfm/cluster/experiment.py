"""A run as a DVC experiment: checks its name before, and records the results after the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eosfm.cluster.home import open_repo
from eosfm.cluster.schedule import Schedule
from eosfm.cluster.snapshot import digests
from eosfm.core.errors import EosfmError
from eosfm.planning.dvc_faults import dvc_errors


def insist_on_new(name: str) -> None:
    """Refuse an experiment that cannot be kept, before any work is done.

    Args:
        name: Of the experiment; empty for one of DVC's.

    Raises:
        EosfmError: There is one on this commit, the name cannot be one, or nothing is committed.
    """
    from dvc.repo.experiments.refs import ExpRefInfo
    from dvc.repo.experiments.utils import check_ref_format
    from scmrepo.exceptions import SCMError

    with open_repo() as repo:
        with dvc_errors():
            try:
                commit = repo.scm.get_rev()
            except SCMError:
                raise EosfmError(
                    f"nothing is committed in {Path.cwd()}, and an experiment belongs to a commit; "
                    "run `git commit` first"
                ) from None
        if not name:
            return
        ref = ExpRefInfo(commit, name)
        with dvc_errors():
            check_ref_format(repo.scm, ref)
        if repo.scm.get_ref(str(ref)):
            raise EosfmError(
                f"there is an experiment {name!r} on this commit; choose another name, or remove "
                f"it: dvc exp remove {name}"
            )


def files(repo: Any) -> dict[str, str]:
    """Digests of the user's own files in the current folder, by name.

    An experiment is recorded with these as they are then, so they must still be those of the run.
    """
    return digests(Path.cwd(), [Path(out.fs_path) for out in repo.index.outs])


def record(schedule: Schedule, before: Mapping[str, str], name: str) -> str:
    """Record the results with ``dvc exp run``, which then only runs stages bound to this folder.

    It is given those stages and, of the ones that the run made, or of all where it made none, one
    for each lock, which it then adds to Git; it takes 0.1 s for each that it is given, whether
    there is anything to do or not.

    Args:
        schedule: What was to run.
        before: :func:`files` as the run began.
        name: Of the experiment; empty for one of DVC's.

    Returns:
        Its name.

    Raises:
        EosfmError: DVC cannot keep it, or files changed since the run began.
    """
    with open_repo() as repo:
        now = files(repo)
        if changed := sorted(n for n in before.keys() | now if before.get(n) != now.get(n)):
            raise EosfmError(
                f"{', '.join(changed)} changed while the run was under way, so it is no "
                "experiment; its results are kept; take the changes back, or run again"
            )
        names = schedule.affected() or schedule.stages  # DVC takes no target for all
        made = {schedule.stages[name].lock: name for name in names}
        given = {*schedule.at_home, *made.values()}  # the former have all that Git keeps
        with dvc_errors():
            recorded = repo.experiments.run(
                targets=[stage for stage in schedule.stages if stage in given],
                single_item=True,
                name=name or None,
            )
        return next(iter(repo.experiments.get_exact_name(list(recorded)).values()))
