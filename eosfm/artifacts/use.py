"""An ensemble artifact that a user brings, in place of the one that the pipeline builds.

DVC deletes a stage's outs before the stage runs, and `dvc exp run` does so before any stage, unless
DVC knows the file. So the file is committed as the out of stage export, and export is frozen:
no stage before it runs, nothing replaces the file, and DVC's cache keeps its bytes. The frozen
stage has another command, so that DVC can tell the file from what the pipeline builds.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic

ARTIFACT = Path("models/eosfm.pth")
DEPS = (Path("models/specialists"), Path("results/train"))
"""Dependencies of stage export."""
PIPELINE = Path("dvc.yaml")
BUILT = "\n  export:\n    cmd: python stages/export.py\n"
USED = "\n  export:\n    frozen: true\n    cmd: eosfm use FILE\n"
"""Start of stage export in dvc.yaml, as built by the pipeline and as frozen on a given file."""


def use_file(file: Path) -> str:
    """Put an artifact in the place of export's result, and freeze export.

    The file itself stays as it is.

    Returns:
        What was done and what comes next, to be printed.

    Raises:
        EosfmError: It is no artifact; what lies in its place would be lost; dvc.yaml was rewritten;
            or DVC fails.
    """
    from eosfm.artifacts.card import write_card
    from eosfm.artifacts.inventory import take_inventory
    from eosfm.core.results import write_result
    from eosfm.encoding.artifact import load_artifact
    from eosfm.encoding.result import ExportResult
    from eosfm.params import load_params
    from eosfm.tracking import track

    built, before = _built(), PIPELINE.read_text()
    country = load_params().energy.country
    with track("export", "", country) as tracker:
        specialists = load_artifact(file)
        card = write_card(take_inventory(file), opening=f'EosFM.from_artifact("{ARTIFACT}"')
        if not (ARTIFACT.exists() and ARTIFACT.samefile(file)):
            refuse_to_lose(ARTIFACT)
            with atomic(ARTIFACT) as beside:
                # A link would share the permissions that DVC takes away from what it keeps.
                shutil.copyfile(file, beside)
        with atomic(ARTIFACT.with_suffix(".md")) as beside:
            beside.write_text(card)
        facts = ExportResult.of(specialists)
        write_result(tracker.folder / "metrics.json", facts)
        tracker.done(f"{len(specialists)} specialists of {file}")
    for folder in DEPS:  # DVC records deps that exist alone
        folder.mkdir(parents=True, exist_ok=True)
    _write(built.replace(BUILT, USED))  # `dvc freeze` would write all of it anew
    try:
        _dvc("commit", "--quiet", "--force", "export")
    except EosfmError:
        _write(before)
        raise
    return (
        f"{ARTIFACT} is now {file}: {', '.join(facts.specialists)}. Export is frozen in dvc.yaml, "
        "so scoring a task trains nothing for it. `eosfm use --built` goes back to the pipeline's "
        "own."
    )


def use_built() -> str:
    """Let export run again.

    Returns:
        What comes next, to be printed.

    Raises:
        EosfmError: What lies in its place would be lost; or DVC fails.
    """
    refuse_to_lose(ARTIFACT)
    _write(_built())
    return f"The next `dvc repro` builds {ARTIFACT} from the specialists again."


def refuse_to_lose(artifact: Path) -> None:
    """Stop where the only copy of an artifact lies where the pipeline writes.

    Raises:
        EosfmError: It exists, has no second name, and is not in DVC's cache.
    """
    if not artifact.exists() or artifact.is_symlink() or artifact.stat().st_nlink > 1:
        return
    with artifact.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    cache = Path(_dvc("cache", "dir").strip())
    if not (cache / "files" / "md5" / digest[:2] / digest[2:]).exists():
        raise EosfmError(
            f"{artifact} is not of this pipeline, which would delete it; run `eosfm use "
            f"{artifact}` to keep and use it, or move it away"
        )


def _built() -> str:
    """The pipeline's text with the stage as it builds the artifact."""
    text = PIPELINE.read_text().replace(USED, BUILT)
    if BUILT not in text:
        raise EosfmError(
            f"{PIPELINE} does not begin its stage export as in the repository; expected "
            f"{' '.join(BUILT.split())}; write it so"
        )
    return text


def _write(text: str) -> None:
    with atomic(PIPELINE) as beside:
        beside.write_text(text)


def _dvc(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], text=True, capture_output=True)
    if done.returncode:
        fault = (done.stderr or done.stdout).strip().splitlines()
        raise EosfmError(f"`dvc {' '.join(words)}` failed: {fault[0] if fault else 'no reason'}")
    return done.stdout
