"""Stages that begin as forks: as if Python had been started, and ended as surely."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from eosfm.cluster import shell, warm

STAGE = """
import json, os, sys
from pathlib import Path
told = [sys.argv, os.getcwd(), os.environ["WORD"], sys.stdin.read(), "json" in sys.modules,
        "fractions" in sys.modules, os.getpgid(0) == os.getpid(), __name__, sys.path[0]]
Path("told.json").write_text(json.dumps(told))
print("out", flush=True)
print("err", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
HANGING = "import time\nprint('up', flush=True)\ntime.sleep(999)\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """The socket of a process that has loaded `fractions`, in a folder with a long name."""
    folder = tmp_path_factory.mktemp("d" * 120)
    with warm.start(folder / "door", ["fractions"]) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        yield folder / "door"
        server.kill()


@pytest.fixture
def begin(door, tmp_path):
    """``begin(text, words)``: run a script by the shell of stages, in ``tmp_path``."""

    def begin(text: str, words: str = "", **environment: str) -> "subprocess.Popen[str]":
        (tmp_path / "stage.py").write_text(text)
        python = Path(sys.executable).parent
        known = {shell.DOOR: str(door), "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
        start = [sys.executable, "-SsE", shell.__file__, str(os.getpid()), "/bin/sh", "-c"]
        return subprocess.Popen(
            [*start, f"python stage.py {words}".strip()], cwd=tmp_path, text=True,
            env=os.environ | known | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    return begin


def test_stages_of_a_run_fork_until_it_ends(monkeypatch, tmp_path):
    (tmp_path / "stages").mkdir()
    monkeypatch.chdir(tmp_path)
    start = warm.start
    monkeypatch.setattr(warm, "start", lambda door: start(door, ["fractions"]))
    with warm.served(tmp_path, gpus=[]):
        assert os.environ[shell.DOOR] == str(tmp_path / "door")
    assert shell.DOOR not in os.environ
    with warm.served(tmp_path, gpus=["0"]):
        assert shell.DOOR not in os.environ


def test_a_script_finds_what_python_would_give_it_and_the_packages_loaded(begin, tmp_path):
    process = begin(STAGE, "3 -n a=b", WORD="here")
    assert process.communicate("in") == ("out\n", "err\n")
    assert process.returncode == 3
    words, folder, word, read, *rest = json.loads((tmp_path / "told.json").read_text())
    assert (words, folder) == (["stage.py", "3", "-n", "a=b"], str(tmp_path))
    assert (word, read) == ("here", "in")
    assert rest == [True, True, True, "__main__", str(tmp_path)]


@pytest.mark.parametrize("words", ["3; true", "3 && true", "$WORD", "'3'", "3 > file", "`echo 3`"])
def test_what_is_for_a_shell_goes_to_one(begin, tmp_path, words):
    begin(STAGE, words, WORD="3").communicate("")
    told = json.loads((tmp_path / "told.json").read_text())
    assert told[0] == ["stage.py", "3"]
    assert not told[5]  # started, not forked


def test_an_error_is_told_as_python_tells_it(begin):
    process = begin("raise ValueError('of the stage')")
    assert process.communicate("")[1].endswith("ValueError: of the stage\n")
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("code", "status", "err"), [("", 0, ""), ("None", 0, ""), ("7", 7, ""), ("'why'", 1, "why\n")]
)
def test_exit_statuses_are_those_of_python(begin, code, status, err):
    late = "import atexit, sys\natexit.register(print, 'late')\n"
    process = begin(f"{late}sys.exit({code})")
    assert process.communicate("") == ("late\n", err)
    assert process.returncode == status


def test_where_nothing_answers_python_is_started(begin, tmp_path):
    process = begin(STAGE, "0", WORD="x", **{shell.DOOR: str(tmp_path / "door")})
    assert process.communicate("")[0] == "out\n"
    assert not json.loads((tmp_path / "told.json").read_text())[5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_ends_with_its_shell(begin, number):
    process = begin(f"import os\nprint(os.getpid(), flush=True)\n{HANGING}")
    running = psutil.Process(int(process.stdout.readline()))
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    process.communicate("")
    assert not psutil.wait_procs([running], timeout=20)[1]


def test_a_killed_fork_is_no_success(begin):
    process = begin(f"import os\nprint(os.getpid(), flush=True)\n{HANGING}")
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    process.communicate("")
    assert process.returncode == 128 + signal.SIGKILL


def test_it_ends_with_the_process_that_started_it(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from eosfm.cluster import warm\n"
        f"server = warm.start(Path({str(tmp_path / 'door')!r}), ['fractions'])\n"
        "server.stdout.readline(); print(server.pid, flush=True); os._exit(0)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(warm.__file__).parents[2])}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True
    )
    end = time.monotonic() + 20
    while psutil.pid_exists(int(told.stdout)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not psutil.pid_exists(int(told.stdout))


def test_nothing_of_the_project_stays_loaded():
    code = "from eosfm.cluster import warm; import sys; warm.load(['eosfm.core.errors', 'wave'])\n"
    code += "print('wave' in sys.modules, [n for n in sys.modules if n.startswith('eosfm')])"
    environment = os.environ | {"PYTHONPATH": str(Path(warm.__file__).parents[2])}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert told.stdout == "True []\n"


def test_gpus_and_other_systems_have_none(monkeypatch):
    assert warm.usable([]) == sys.platform.startswith("linux")
    assert not warm.usable(["0"])
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not warm.usable([])
