"""A run as an experiment of DVC's: its settings before, its record after, as of ``dvc exp run``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eosfm.cluster.home import open_repo
from eosfm.cluster.plan import make_plan
from eosfm.core.errors import EosfmError, suggest
from eosfm.core.files import atomic
from eosfm.planning.dvc_faults import told


def insist_on_new(name: str) -> None:
    """Refuse the name of an experiment that there is already, before any work is done.

    Raises:
        EosfmError: There is one on this commit, or the name cannot be one.
    """
    from dvc.repo.experiments.refs import ExpRefInfo
    from dvc.repo.experiments.utils import check_ref_format

    with open_repo() as repo:
        ref = ExpRefInfo(repo.scm.get_rev(), name)
        told(lambda: check_ref_format(repo.scm, ref))
        if repo.scm.get_ref(str(ref)):
            raise EosfmError(
                f"there is an experiment {name!r} on this commit; choose another name, or remove "
                f"it: dvc exp remove {name}"
            )


@contextmanager
def settings(overrides: Sequence[str]) -> Iterator[None]:
    """Write parameters into their files; a block that fails takes them back.

    Args:
        overrides: ``key=value``; ``+key=value`` where the file does not have the key.

    Raises:
        EosfmError: DVC cannot take one, it has several values, or there is no such file.
    """
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides, to_hydra_overrides
    from hydra.errors import HydraException

    def write() -> None:
        for path, some in by_file.items():
            try:
                parsed = to_hydra_overrides(some)
            except HydraException:
                raise EosfmError(f"-S {' '.join(some)}: expected KEY=VALUE") from None
            for one in parsed:
                if one.is_sweep_override():
                    raise EosfmError(
                        f"-S {one.input_line}: several values; expected one; queue them by "
                        "`dvc exp run --queue`"
                    )
                if not one.is_add():
                    _insist_on_key(path, one.key_or_group)
            apply_overrides(path, some)

    by_file = to_path_overrides(overrides)
    for path, some in by_file.items():
        if not Path(path).is_file():
            raise EosfmError(
                f"-S {path}:{some[0]}: there is no file {path}; expected KEY=VALUE, with dots in "
                "KEY, or FILE:KEY=VALUE"
            )
    before = {path: Path(path).read_bytes() for path in by_file}
    try:
        told(write)
        yield
    except BaseException:
        for path, content in before.items():
            with atomic(path) as beside:
                beside.write_bytes(content)
        raise


def _insist_on_key(path: str, key: str) -> None:
    """Refuse a key that a file does not have.

    Raises:
        EosfmError: With the nearest one that it has.
    """
    from dvc.utils.serialize import LOADERS

    here: Any = LOADERS[Path(path).suffix.lower()](path)
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            valid = suggest(part, list(here)) if isinstance(here, dict) else "nothing is below it"
            raise EosfmError(
                f"-S {key}: {path} has no such key ({part}); {valid}; "
                f"one that its entry takes from `defaults` needs a plus: -S +{key}=..."
            )
        here = here[part]


def record(targets: Sequence[str], name: str) -> str:
    """Let ``dvc exp run``, which has nothing to do but what only this folder can, keep the results.

    It keeps files as they stand, so these must be those of the run.

    Args:
        targets: As of ``dvc repro``.
        name: Of the experiment; empty for one of DVC's.

    Returns:
        Its name.

    Raises:
        EosfmError: DVC cannot keep it, or files changed since the run began.
    """
    with open_repo() as repo:
        plan = make_plan(repo, targets)
        if changed := [stage for stage in plan.affected() if stage in plan.changed]:
            raise EosfmError(
                f"files of {', '.join(changed)} changed while the run was under way, so it is no "
                "experiment; its results are kept; take the changes back, or run again"
            )
        made = told(lambda: repo.experiments.run(targets=list(targets) or None, name=name or None))
        return next(iter(repo.experiments.get_exact_name(list(made)).values()))
