"""Parameters that a command line sets for a while: ``-S KEY=VALUE``, as of ``dvc exp run``."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.files import atomic
from eosfm.params import Params, load_params
from eosfm.planning.dvc_faults import dvc_errors


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
    from omegaconf.errors import OmegaConfBaseException

    def write() -> None:
        for path, some in by_file.items():
            try:
                parsed = to_hydra_overrides(some)
            except (HydraException, OmegaConfBaseException):
                quotes = "; put quotes of its own around a value of other signs than A-Z, 0-9, ./:-"
                hint = f"{quotes}: -S \"KEY='VALUE'\"" * all("=" in one for one in some)
                raise EosfmError(f"-S {' '.join(some)}: expected KEY=VALUE{hint}") from None
            for one in parsed:
                if one.is_sweep_override():
                    raise EosfmError(
                        f"-S {one.input_line}: several values; expected one; queue them by "
                        "`dvc exp run --queue`"
                    )
                if not one.is_add():
                    _insist_on_key(path, one.key_or_group)
            # What an earlier run has added stands in the file already.
            again = [re.sub(r"^\+(?!\+)", "++", one) for one in some]
            try:
                apply_overrides(path, again)
            except OmegaConfBaseException as error:
                said = str(error).splitlines()[0]
                raise EosfmError(f"-S {' '.join(some)}: {said}; give a value") from None

    by_file = to_path_overrides(overrides)
    for path, some in by_file.items():
        if not Path(path).is_file():
            raise EosfmError(
                f"-S {path}:{some[0]}: there is no file {path}; expected KEY=VALUE, with dots in "
                "KEY, or FILE:KEY=VALUE"
            )
    before = {path: Path(path).read_bytes() for path in by_file}
    try:
        with dvc_errors():
            write()
        yield
    except BaseException:
        for path, content in before.items():
            with atomic(path) as beside:
                beside.write_bytes(content)
        raise


def load_set(path: Path, overrides: Sequence[str]) -> Params:
    """The parameters, some of them set for this one reading; their file stays as it is.

    Args:
        path: params.yaml.
        overrides: As of :func:`settings`.

    Raises:
        EosfmError: As of :func:`settings` and :func:`eosfm.params.load_params`.
    """
    if not overrides or not path.is_file():
        return load_params(path)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        try:
            with settings([f"{copy}:{one.removeprefix(f'{path.name}:')}" for one in overrides]):
                return load_params(copy)
        except EosfmError as error:
            raise EosfmError(str(error).replace(str(copy), str(path))) from None


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
