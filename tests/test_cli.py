import os
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


def test_a_script_runs_the_code_beside_it(tmp_path):
    """Not that of the environment: DVC runs queued experiments in folders of their own."""
    script, own = tmp_path / "stages" / "stage.py", tmp_path / "eosfm" / "cli.py"
    for path, text in (
        (script, "import eosfm.cli\neosfm.cli.run(print)\n"),
        (own, "import sys\ndef run(main):\n    main(__file__, *sys.argv[1:])\n"),
    ):
        path.parent.mkdir()
        path.write_text(text)
    own.with_name("__init__.py").touch()
    done = subprocess.run(
        [sys.executable, str(script), "a b"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.stdout, done.stderr) == (f"{own} a b\n", "")


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


EOSFM = "import sys; sys.argv[0] = 'eosfm'; from eosfm.cli import main; main()"


def eosfm(*words, **env):
    return subprocess.run(
        [sys.executable, "-c", EOSFM, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )


def test_the_help_says_what_the_exit_status_means():
    done = eosfm("--help")
    assert done.returncode == 0
    assert "Exit status: 0 done" in done.stdout and "--install-completion" in done.stdout
    assert eosfm("pla").returncode == 2


def test_shells_complete_commands_and_options():
    def completed(line):
        words = line.split(" ")
        asked = {"_EOSFM_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words) - 1)}
        return eosfm(COMP_WORDS=line, **asked).stdout.split()

    assert completed("eosfm pl") == ["plan"]
    assert completed("eosfm plan --images") == ["--images-per-second"]


def test_ctrl_c_while_libraries_load_shows_no_traceback(tmp_path):
    for raised, shown in (("KeyboardInterrupt", False), ("ValueError", True)):
        command = [sys.executable, "-c", f"import eosfm.cli; raise {raised}"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode != 0
        assert ("Traceback" in done.stderr) == shown
