"""A worker's clone, where it cannot be made."""

import asyncio
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc.config import Config

from eosfm.cluster.clone import Clone, Settings
from eosfm.core.errors import EosfmError

WORKER = "tcp://worker"


class Scheduler:
    def __init__(self):
        self.removed = []

    async def unregister(self, address, **_):
        self.removed.append(address)


@pytest.fixture
def settings(tmp_path):
    away = tmp_path / "not here"
    return Settings(
        run="run", project=away, packed=b"", cache={"dir": str(away)}, remote="",
        apart=False, environment={}, workers=frozenset({WORKER}), hosts=Counter(), gpus=Counter(),
    )  # fmt: skip


def make_worker(threads):
    return SimpleNamespace(
        address=WORKER, contact_address=WORKER, nanny=None, scheduler=Scheduler(),
        state=SimpleNamespace(nthreads=threads),
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
def test_a_refused_worker_keeps_its_folder_and_environment(settings, threads):
    clone, worker = Clone(settings), make_worker(threads)
    folder, environment = Path.cwd(), dict(os.environ)
    told = "name a remote" if threads == 1 else "a process of its own"
    with pytest.raises(EosfmError, match=told):
        asyncio.run(clone.setup(worker))
    clone.teardown(worker)  # which Dask does before the next run
    assert (Path.cwd(), dict(os.environ)) == (folder, environment)
    assert worker.scheduler.removed == []


def test_a_worker_that_comes_to_a_run_and_cannot_take_part_is_given_no_stage(settings):
    worker = make_worker(1)
    began = replace(settings, remote="storage", workers=frozenset({"tcp://other"}))
    with pytest.raises(EosfmError, match="as all did when the run began; share them with it, or"):
        asyncio.run(Clone(began).setup(worker))
    assert worker.scheduler.removed == [WORKER]


def test_what_is_trusted_on_first_use_lands_in_the_user_s_folder(settings, tmp_path):
    home = tmp_path / "home"
    for folder in (home, tmp_path / "clone"):
        (folder / "data/trusted").mkdir(parents=True)
    clone = Clone(replace(settings, project=home))
    clone.path = tmp_path / "clone"
    clone._trust_at_home()
    (clone.path / "data/trusted/toy.sha256").write_text("line")
    assert (home / "data/trusted/toy.sha256").read_text() == "line"


def test_a_cache_in_a_folder_of_any_name_is_found(settings, tmp_path):
    cache = str(tmp_path / "Données, l'été #2" / "cache")
    clone = Clone(replace(settings, cache={"dir": cache}))
    clone.path, clone.shared = tmp_path / "köln", True
    clone._configure_dvc(tmp_path)
    read = Config(dvc_dir=str(clone.path / ".dvc"))
    assert read["cache"]["dir"] == cache
    assert read["core"]["site_cache_dir"] == str(clone.path / ".dvc/tmp/site")
