"""What DVC would run, and what is done already."""

from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.planning.dvc_faults import dvc_errors
from eosfm.planning.dvc_yaml import patch_yaml

ANALYSES = "analyses/"
"""Folder of the stages that are not of the main job."""


def stages_to_run(project: Path) -> frozenset[str] | None:
    """Stages that ``dvc repro`` would run at most: those that changed, and all that follow.

    DVC skips a stage that follows where the one before it gave the same bytes again.

    Args:
        project: The folder of dvc.yaml.

    Returns:
        Names such as ``train@oscd``; None where the folder is no DVC project.

    Raises:
        EosfmError: Another DVC is at work there, or DVC cannot read the project.
    """
    if not (project / ".dvc").is_dir():
        return None
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.repo.reproduce import get_active_graph
    from networkx import ancestors

    patch_yaml()

    with dvc_errors(), Repo(str(project)) as repo:
        # From each stage to those that it depends on, of which a frozen one has none.
        graph: Any = get_active_graph(repo.index.graph)
        try:
            changed = repo.status()
        except LockError:
            raise EosfmError(
                "DVC is at work in this project, so what is done cannot be read; wait for it, "
                "or plan everything with --all"
            ) from None
        # What runs in every repro, such as `watch`, mostly gives the same bytes again.
        due = {name for name, why in changed.items() if why != ["always changed"]}
        first = {stage for stage in graph.nodes if stage.addressing in due}
        following = {after for stage in first for after in ancestors(graph, stage)}
        # The analyses, which a run of the main job leaves alone, have a `report` too.
        own = (stage for stage in first | following if ANALYSES not in stage.addressing)
        return frozenset(str(stage.name) for stage in own)


def stage_name(stage: str, item: str) -> str:
    """What DVC calls the stage of an item; a stage that runs once has none."""
    return f"{stage}@{item}" if item else stage
