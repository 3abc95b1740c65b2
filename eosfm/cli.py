"""How stages and tools start and end, and the ``eosfm`` command.

Import this module first, as ``import eosfm.cli``: it makes garbage collection rare during the
imports that follow, and lets Ctrl-C end them without a traceback.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from eosfm.core.allocator import keep_freed_memory
from eosfm.core.errors import line_of
from eosfm.core.loading import begin_loading, end_loading

COMMANDS = (
    "repro", "check", "plan", "info", "explain", "validate", "prune", "merge", "gather", "export",
    "onnx", "bundle", "use", "score", "predict", "embed", "report", "readme",
)  # fmt: skip
"""Modules of ``eosfm/commands``, in the order of the help."""


def _end_quietly(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Python's own hook, but silent where Ctrl-C, which the terminal shows, ends the process."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end_quietly
begin_loading()
keep_freed_memory()


def run(main: Callable[..., Any]) -> None:
    """Run a stage's or a tool's ``main`` as a command line.

    A fault that the user can mend is printed as one line on standard error and ends the process
    with status 1 (:func:`eosfm.core.errors.line_of`). With ``EOSFM_DEBUG=1`` the traceback is shown
    instead.
    """
    import typer

    _insist_on_own_code()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    _finish(app)


def _insist_on_own_code() -> None:
    """Start a script anew on the package beside it, where Python found another copy of that.

    An environment names one folder, and DVC runs queued experiments in others: what the code of
    here makes would be kept as what the code there makes.
    """
    root = Path(sys.argv[0]).resolve().parent.parent
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = root / "eosfm" / "cli.py"
    if own.exists() and not own.samefile(__file__) and places[0] != str(root):  # and only once
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, places)])
        os.execv(sys.executable, [sys.executable, *sys.argv])


def main() -> None:
    """The ``eosfm`` command: :data:`COMMANDS`, each a function in a module of the same name.

    Only the command named on the command line is imported.
    """
    import typer

    from eosfm.commands.several import Command

    app = typer.Typer(
        pretty_exceptions_enable=False, no_args_is_help=True,
        rich_markup_mode=None,  # drawing boxes takes as long as all else
        help="Run the EoS-FM pipeline, inspect and combine its models, and map scenes with them.",
        epilog="Exit status: 0 done; 1 an error, shown in a line on standard error, or faults that "
        "`check` or `validate` found; 2 a wrong command line.",
    )  # fmt: skip
    app.callback()(lambda: None)  # or a lone command would lose its name
    named = [name for name in COMMANDS if name in sys.argv[1:2]]
    for name in named or COMMANDS:
        app.command(name, cls=Command)(getattr(import_module(f"eosfm.commands.{name}"), name))
    _finish(app)


def _finish(app: Callable[[], Any]) -> None:
    """Run a command line."""
    end_loading()
    try:
        app()
    except Exception as error:
        line = line_of(error)
        if line is None or os.environ.get("EOSFM_DEBUG") == "1":
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
