"""``eosfm gather``."""

from pathlib import Path


def gather(folder: Path, out: Path, backbone: str | None = None) -> None:
    """Gather Lightning checkpoints into an artifact.

    Those below FOLDER become the ensemble artifact OUT. The timm backbone is detected
    from the weights unless --backbone names it.
    """
    from eosfm.encoding.artifact import save_artifact
    from eosfm.encoding.checkpoints import import_checkpoints

    specialists = import_checkpoints(folder, backbone)
    save_artifact(out, specialists)
    for specialist in specialists:
        print(f"{specialist.name}: {specialist.backbone}, {specialist.in_chans} channels")
    print(f"{len(specialists)} specialists in {out}")
