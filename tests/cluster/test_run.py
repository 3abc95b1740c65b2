"""What ``eosfm repro`` finds and leaves in the project's folder."""

import os

from eosfm.cluster.run import _folder


def test_a_killed_runs_folder_goes_and_no_other_machines(tmp_path):
    node, gone = os.uname().nodename, 2**22 + 1  # above the largest number of a process
    killed = tmp_path / f"{node}-{gone}-17"
    others = [tmp_path / name for name in (f"{node}-2-{gone}-17", f"{node}-{os.getpid()}-17", "x")]
    for folder in (killed, *others):
        folder.mkdir()
    with _folder(tmp_path / f"{node}-{os.getpid()}-18") as own:
        assert own.is_dir() and not killed.exists()
        assert all(other.is_dir() for other in others)
    assert not own.exists()
