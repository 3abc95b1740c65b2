"""Baselines: screening finds what informs, statistics know pixels and no texture."""

import dataclasses

import numpy as np
import pytest
import torch

from eosfm.downstream.baselines import run_baselines
from eosfm.downstream.encoded import Encoded
from eosfm.downstream.fit import make_trials
from eosfm.downstream.pixels import statistics_baseline
from eosfm.downstream.screening import ranked, screen
from eosfm.downstream.windows import Windows
from eosfm.ensemble import InputSpec

SIZE = 32
WHOLE = Windows((SIZE, SIZE), (SIZE, SIZE), ((0, 0),))


@pytest.mark.parametrize("name", ["classification", "change"])
def test_baselines_answer_with_the_same_metrics(edited, stores, artifact, features, name):
    params = edited(protocol={"epochs": 2, "steps_per_epoch": 6})
    baselines = run_baselines(params, name, stores[name], features[name], artifact)
    assert list(baselines) == ["random", "single", "scratch", "statistics"]
    assert baselines["single"]["specialist"] in ("colour", "pair")
    metric = params.task(name).metric
    for result in baselines.values():
        assert 0 <= result["test"][metric] <= 1
        assert len(result["fits"]) == 1
    assert baselines["random"]["test"][metric] > 0.6


def noise_and_signal(targets: torch.Tensor, informative: int, dates: int, seed: int) -> Encoded:
    """Four specialists of noise, one of which has the labels in its finest level."""
    generator = torch.Generator().manual_seed(seed)
    specs = tuple(InputSpec(f"s{i}", channels=(6,) * 4, index=i) for i in range(4))
    levels = []
    for k, side in enumerate((8, 4, 2, 1)):
        noise = [torch.randn(len(targets), dates, 6, side, side, generator=generator)
                 for _ in specs]  # fmt: skip
        if k == 0:
            signal = targets.float()
            signal = signal[:, 2::4, 2::4] if signal.ndim == 3 else signal[:, None, None]
            noise[informative][:, -1, 0] += 3 * signal
        levels.append(torch.cat(noise, dim=2).half())
    return Encoded(
        lambda items: [level[torch.from_numpy(items)] for level in levels],
        specs, targets, torch.zeros(len(targets), dates), WHOLE,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["segmentation", "change", "classification", "regression"])
@pytest.mark.parametrize("informative", [0, 2])
def test_screening_finds_the_specialist_that_informs(params, stores, name, informative):
    rng = np.random.default_rng(0)
    shape = () if name == "classification" else (SIZE // 4, SIZE // 4)
    splits = []
    for seed in (1, 2):
        small = torch.from_numpy(rng.integers(0, 2, (40, *shape)))
        target = small if name == "classification" else small.repeat_interleave(
            4, 1).repeat_interleave(4, 2)  # fmt: skip
        target = target.float() if name == "regression" else target
        splits.append(noise_and_signal(target, informative, 2 if name == "change" else 1, seed))
    trial = make_trials(params, name, stores[name], 1)[0]
    scores = screen(*splits, trial)
    assert ranked(scores)[0] == f"s{informative}"
    assert scores[f"s{informative}"] > 0.2
    assert all(score < 0.1 for key, score in scores.items() if key != f"s{informative}")


def test_unlabelled_pixels_do_not_screen(params, stores):
    """Labels that are hidden would name another specialist."""
    rng = np.random.default_rng(3)
    small = torch.from_numpy(rng.integers(0, 2, (40, SIZE // 4, SIZE // 4)))
    truth = small.repeat_interleave(4, 1).repeat_interleave(4, 2)
    hidden = truth.clone()
    hidden[:, :, SIZE // 2 :] = 255
    trial = make_trials(params, "segmentation", stores["segmentation"], 1)[0]
    splits = []
    for seed in (1, 2):
        right, wrong = (noise_and_signal(truth, i, 1, seed) for i in (1, 3))
        levels = [part.clone() for part in right.levels(np.arange(40))]
        # The fourth specialist knows the hidden half, and only that.
        levels[0][..., 4:] = wrong.levels(np.arange(40))[0][..., 4:]
        splits.append(
            dataclasses.replace(
                right, targets=hidden,
                levels=lambda items, levels=levels: [x[torch.from_numpy(items)] for x in levels],
            )
        )  # fmt: skip
    scores = screen(*splits, trial)
    assert ranked(scores)[0] == "s1"
    assert scores["s3"] < 0.1


class Pictures:
    """Images and targets in memory, as a Reading gives them."""

    def __init__(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        self._images, self.targets = images, targets

    def __len__(self) -> int:
        return len(self._images)

    def images(self, items):
        return self._images[items], self.targets[items]

    def chunks(self):
        yield np.arange(len(self))


@pytest.fixture
def score(params, stores, monkeypatch):
    """``score(name, draw)``: test score of the baseline on what ``draw(rng, n)`` gives."""
    monkeypatch.setattr("eosfm.downstream.pixels.replace", lambda source, **changes: source)

    def run(name, draw):
        rng = np.random.default_rng(0)
        sources = [Pictures(*draw(rng, 24)) for _ in range(3)]
        trial = make_trials(params, name, stores[name], 1)[0]
        return statistics_baseline(sources, trial)["test"]

    return run


def test_statistics_solve_what_is_linear_in_pixel_values(score):
    def draw(rng, count):
        image = torch.from_numpy(rng.normal(size=(count, 1, 3, 16, 16))).float()
        return image, (image[:, 0, 0] - image[:, 0, 2] > 0.3).long()

    assert score("segmentation", draw)["miou"] > 0.95


def test_statistics_solve_a_linear_regression(score):
    def draw(rng, count):
        image = torch.from_numpy(rng.normal(size=(count, 2, 2, 8, 8))).float()
        target = 40 + 5 * image[:, 0, 1] - 2 * image[:, 1, 0]
        target[:, 0] = torch.nan
        return image, target

    assert score("regression", draw)["r2"] > 0.99


def test_statistics_solve_labels_that_follow_band_means(score):
    def draw(rng, count):
        label = torch.from_numpy(rng.integers(0, 2, count))
        image = torch.from_numpy(rng.normal(size=(count, 1, 3, 8, 8))).float()
        return image + label[:, None, None, None, None], label

    assert score("classification", draw)["accuracy"] == 1.0


def test_statistics_fail_on_texture(score):
    """Stripes or checks of the same two values: no pixel and no mean tells which."""

    def draw(rng, count):
        label = torch.from_numpy(rng.integers(0, 2, count))
        rows, cols = np.indices((16, 16))
        stripes, checks = (torch.from_numpy(p % 2).float() for p in (cols, rows + cols))
        image = torch.where(label[:, None, None].bool(), stripes, checks)[:, None, None]
        return image, label[:, None, None].expand(-1, 16, 16).contiguous()

    assert score("segmentation", draw)["miou"] < 0.5
