"""Remotes, experiments, partners' files, a cache that two use: DVC between clones of the project.

Commands that do nothing stand for the stages, so that what is tested is who runs what.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.nn.specialist import Specialist, save_specialist

from .conftest import FEW, LOCKS, PIPELINES, Project, quiet_project


class Hosts(NamedTuple):
    """Where clones meet: a Git repository, and the remote that it names."""

    git: Path
    first: Project


def clone(git: Path, path: Path) -> Project:
    """A fresh clone, whose `data` and `models` are empty."""
    Project(path.parent).run("git", "clone", "-q", str(git), str(path))
    project = Project(path)
    project.run("git", "config", "user.name", "t")
    project.run("git", "config", "user.email", "t@t")
    return project


@pytest.fixture(scope="module")
def hosts(warm, tmp_path_factory) -> Hosts:
    """The project on a Git host, all that it made in a DVC remote, and who put it there."""
    place = tmp_path_factory.mktemp("hosts")
    quiet = quiet_project(place / "quiet", FEW)
    quiet.run("git", "clone", "-q", "--bare", str(quiet.path), str(place / "host.git"))
    first = clone(place / "host.git", place / "first")
    first.run("dvc", "cache", "dir", "--local", str(quiet.path / ".dvc" / "cache"))
    first.run("dvc", "checkout")
    first.run("dvc", "remote", "add", "--default", "storage", str(place / "storage"))
    first.commit("a remote")
    first.run("git", "push", "-q")
    first.run("dvc", "push")
    return Hosts(place / "host.git", first)


def outs(project: Project) -> dict[str, bytes]:
    """What lies where the pipeline writes, and the locks."""
    folders = [project.path / name for name in ("data", "models", "results")]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    files += [project.path / name for name in (*LOCKS, "metrics.json")]
    return {str(file.relative_to(project.path)): file.read_bytes() for file in files}


def test_who_pulls_has_nothing_to_run(hosts, tmp_path):
    ours = clone(hosts.git, tmp_path / "ours")
    assert not list((ours.path / "models").glob("*.pth"))
    (ours.path / "analyses" / "dvc.lock").unlink()  # it is in this Git alone
    missed = ours.run("dvc", "pull", check=False)
    assert "Checkout failed for following targets:\nanalyses/" in missed.stdout
    ours.run("git", "checkout", "-q", "analyses")
    ours.run("dvc", "pull", *PIPELINES[:2])
    assert not list((ours.path / "analyses" / "results").glob("*/*"))
    ours.run("dvc", "pull")
    assert outs(ours) == outs(hosts.first)
    assert ours.stages_run(ours.run("dvc", "repro", *PIPELINES).stdout) == {"watch"}
    assert ours.run("git", "status", "--porcelain").stdout == ""


def test_who_has_other_locks_finds_the_runs_in_the_remote(hosts, tmp_path):
    hosts.first.run("dvc", "push", "--run-cache")
    ours = clone(hosts.git, tmp_path / "ours")
    for lock in LOCKS[:2]:
        (ours.path / lock).unlink()
    ran = ours.stages_run(ours.run("dvc", "repro", "--pull", *PIPELINES).stdout)
    assert ran == {"watch", "report"}  # what the report makes is in Git and not in the cache
    assert outs(ours) == outs(hosts.first)


def test_an_experiment_goes_from_one_to_another(hosts, tmp_path):
    first, ours = hosts.first, clone(hosts.git, tmp_path / "ours")
    first.run("dvc", "exp", "run", "--name", "few", "-S", "fusion.max_encoders=2")
    first.run("dvc", "exp", "push", "origin", "few")
    made = outs(first)
    first.run("git", "checkout", "-q", ".")
    first.run("dvc", "checkout")
    ours.run("dvc", "pull")
    assert "few" in ours.run("dvc", "exp", "list", "origin").stdout
    ours.run("dvc", "exp", "pull", "origin", "few")
    ours.run("dvc", "exp", "apply", "few")
    assert ours.params()["fusion"]["max_encoders"] == 2
    assert ours.stages_run(ours.run("dvc", "repro").stdout) == {"watch"}
    assert outs(ours) == made


def specialist(name: str, seed: int) -> Specialist:
    import timm
    import torch

    torch.manual_seed(seed)
    net = timm.create_model("test_convnext3", features_only=True, in_chans=3)
    return Specialist(name, "test_convnext3", 3, net.state_dict(), bands=("B04", "B03", "B02"))


def test_a_partner_s_specialist_is_imported_updated_and_merged(hosts, tmp_path):
    partner = clone(hosts.git, tmp_path / "partner")
    partner.run("dvc", "remote", "add", "--force", "--default", "storage", str(tmp_path / "theirs"))
    theirs = partner.path / "shared" / "flood.pt"
    theirs.parent.mkdir()
    ours = clone(hosts.git, tmp_path / "ours")
    own = specialist("flood", 0)
    save_artifact(ours.path / "own.pth", [own])
    for seed in (1, 2):
        theirs.unlink(missing_ok=True)
        save_specialist(theirs, specialist("flood", seed))
        partner.run("dvc", "add", "shared/flood.pt")
        partner.commit("a specialist")
        partner.run("dvc", "push", "shared/flood.pt")
        if seed == 1:
            ours.run("dvc", "import", str(partner.path), "shared/flood.pt", "-o", "partner.pt")
        else:
            ours.run("dvc", "update", "partner.pt.dvc")
        words = ("merge", "own.pth", "partner.pt", "-o", "joint.pth", "--prefix", "", "their_")
        ours.run("eosfm", *words)
        one, other = load_artifact(ours.path / "joint.pth")
        assert (one.name, other.name) == ("flood", "their_flood")
        save_specialist(tmp_path / "again.pt", replace(other, name="flood"))
        assert (tmp_path / "again.pt").read_bytes() == theirs.read_bytes()


def test_two_who_share_a_cache_run_at_once_and_a_third_restores(hosts, tmp_path):
    def user(name: str) -> Project:
        own = clone(hosts.git, tmp_path / name)
        own.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
        for lock in LOCKS[:2]:  # as the page says: a committed lock hides what others ran
            (own.path / lock).unlink()
        return own

    one, two = user("one"), user("two")
    running = [own.start("dvc", "repro") for own in (one, two)]
    said = [process.communicate()[0] for process in running]
    for own, process, out in zip((one, two), running, said, strict=True):
        if process.returncode:  # DVC takes the other's half-written note of a run for damaged
            assert "/cache/runs/" in out.splitlines()[-1]
            own.run("dvc", "repro")
    assert outs(one) == outs(two)
    third = user("third")
    # What Git keeps is in no cache, so `report` writes it again.
    assert third.stages_run(third.run("dvc", "repro").stdout) == {"watch", "report"}
    assert outs(third) == outs(one)


def test_two_terminals_run_neighbouring_stages(hosts, tmp_path):
    ours = clone(hosts.git, tmp_path / "ours")
    ours.run("dvc", "pull")
    stages = [f"train@{name}" for name in FEW["specialists"]]
    pipeline = ours.path / "dvc.yaml"
    # Each waits until the other has begun as well.
    wait = "until [ $(ls .cache/here | wc -l) = 2 ]; do sleep 0.1; done"
    meet = f"mkdir -p .cache/here/${{key}} && timeout 60 sh -c '{wait}'"
    content = yaml.safe_load(pipeline.read_text())
    content["stages"]["train"]["do"]["cmd"].insert(0, meet)
    pipeline.write_text(yaml.safe_dump(content, sort_keys=False))
    words = ("dvc", "--wait-for-lock", "repro", "--single-item")
    running = [ours.start(*words, stage) for stage in stages]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert set().union(*map(ours.stages_run, said)) == set(stages)
    done = ours.run("dvc", "repro", *stages)
    assert ours.stages_run(done.stdout) == {"watch"}
