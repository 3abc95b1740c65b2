"""What every kind promises; a kind's test names it in a subclass."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.kinds import Examples, get_kind
from eosfm.kinds.scores import ERRORS, SCORES, gather_classes

CHANNELS = [4, 6, 8, 10]
SIZE = (64, 64)
IGNORED = 255


def pyramid(batch: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, width, SIZE[0] // stride, SIZE[1] // stride, generator=generator)
        for width, stride in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


class KindContract:
    """Subclass it with the kind's name, its class names, and how its samples look.

    ``stored`` are two targets as a tile store holds them, ``batch`` the same two as the datamodule
    gives them, ``wrong`` a stored target that must be refused, with words of the refusal.
    """

    name: str
    classes: tuple[str, ...]
    stored: tuple[np.ndarray, ...]
    batch: Mapping[str, Any]
    wrong: tuple[np.ndarray, str]

    @property
    def kind(self) -> Any:
        return get_kind(self.name)

    def statistics(self) -> Any:
        return self.kind.target_statistics(self.stored, len(self.classes), IGNORED)

    def test_its_facts_fit_each_other(self) -> None:
        kind = self.kind
        assert kind.name == self.name
        assert kind.headline in kind.metrics and kind.headline in SCORES
        assert set(kind.metrics) <= {*SCORES, *ERRORS}
        assert kind.heads and kind.losses
        assert kind.aggregations(1) == (None,) and None not in kind.aggregations(2)

    def test_stored_targets_fit_the_layout_and_wrong_ones_are_refused(self) -> None:
        layout = self.kind.target_layout(len(self.classes), SIZE, IGNORED)
        arguments = (SIZE, len(self.classes), IGNORED, "scene 7")
        for target in self.stored:
            assert layout is None or (target.dtype, target.shape) == layout
            self.kind.check_target(target, *arguments)
        target, words = self.wrong
        with pytest.raises(EosfmError, match=f"scene 7.*{words}"):
            self.kind.check_target(target, *arguments)

    def test_each_target_has_a_stratum(self) -> None:
        strata = self.kind.strata(self.stored, len(self.classes), 255)
        assert strata.shape == (2,) and strata.dtype.kind == "i"

    def test_every_head_learns_by_every_loss(self) -> None:
        target = self.kind.target(self.batch)
        for head in (*self.kind.heads, *self.kind.specialist_heads):
            torch.manual_seed(0)
            module = self.kind.build_head(
                head, CHANNELS, len(self.classes), 16, self.statistics()
            ).train()
            optimizer = torch.optim.AdamW(module.parameters(), 1e-2)
            for loss in self.kind.losses:
                loss_of = self.kind.build_loss(loss, IGNORED)
                found = []
                for _ in range(8):
                    value = loss_of(self.kind.trim(module(pyramid(), SIZE), SIZE), target)
                    optimizer.zero_grad()
                    value.backward()
                    optimizer.step()
                    found.append(value.item())
                assert found[-1] < found[0], (head, loss)

    def test_other_heads_and_losses_are_one_line(self) -> None:
        with pytest.raises(EosfmError, match=f"head 'no' does not fit {self.name}; valid: "):
            self.kind.build_head("no", CHANNELS, len(self.classes), 16, self.statistics())
        with pytest.raises(EosfmError, match=f"loss 'no' does not fit {self.name}; valid: "):
            self.kind.build_loss("no", IGNORED)

    def test_the_constant_answer_can_be_scored(self) -> None:
        target = self.kind.target(self.batch)
        for seen in self.kind.constants(self.statistics()):
            metrics = self.kind.build_metrics(self.classes, IGNORED)
            metrics.update(self.kind.constant_logits(seen, target), target)
            scores = metrics.compute()
            assert set(self.kind.metrics) <= set(scores)
            assert json.loads(json.dumps(scores)) == scores
            per_class = gather_classes(scores, self.classes)["per_class"]
            assert not per_class or list(per_class) == list(self.classes)

    def test_dates_become_one_map_of_the_channels_it_tells(self) -> None:
        for dates in (1, 2):
            merged = [self.kind.merge_dates(torch.rand(2, dates, c, 4, 4)) for c in CHANNELS]
            assert [m.shape[1] for m in merged] == self.kind.merged(CHANNELS, dates)

    def test_predictions_are_drawn(self) -> None:
        target = self.kind.target(self.batch)
        predictions = self.kind.predict(self.kind.constant_logits(self.statistics(), target))
        chosen = self.kind.examples(2, self.stored.__getitem__, IGNORED)
        assert chosen == [0, 1]
        pictures = np.random.default_rng(0).random((2, 1, *SIZE, 3))
        figure = self.kind.draw(
            Examples(pictures, "red green blue", target, predictions, self.classes, IGNORED, SIZE)
        )
        assert len(figure.axes) >= 2
