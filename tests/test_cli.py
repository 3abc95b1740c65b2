import subprocess
import sys

SCRIPT = """
from eosfm.cli import run
from eosfm.core.errors import EosfmError
def main(name: str) -> None:
    raise EosfmError(f"{name} not found;\\n   expected a file")
run(main)
"""


def call(tmp_path, **env):
    script = tmp_path / "stage.py"
    script.write_text(SCRIPT)
    import os

    return subprocess.run(
        [sys.executable, str(script), "x.tif"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )


def test_a_fault_is_one_line_and_status_one(tmp_path):
    done = call(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: x.tif not found; expected a file\n"
    assert done.stdout == ""


def test_debug_shows_the_traceback(tmp_path):
    done = call(tmp_path, EOSFM_DEBUG="1")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_collections_are_as_usual_while_main_runs(tmp_path):
    script = tmp_path / "stage.py"
    script.write_text(
        "import gc\nusual = gc.get_threshold()\n"
        "import eosfm.cli\nloading = gc.get_threshold()\n"
        "def main() -> None:\n"
        "    assert loading > usual == gc.get_threshold()\n"
        "    assert gc.get_freeze_count() > 1000\n"
        "    print('fine')\n"
        "eosfm.cli.run(main)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")
