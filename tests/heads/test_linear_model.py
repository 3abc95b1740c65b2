"""The linear model of pixels: its own scaling, its features' order."""

import torch

from eosfm.heads.linear_model import LinearModel, band_statistics, pixel_values


def test_it_scales_features_and_answers_in_the_targets_unit():
    features = torch.tensor([[1.0, 10.0], [3.0, 10.0]])
    model = LinearModel.scaled_to(features, torch.tensor([20.0, 20.0]), 1)
    assert model(features)[:, 0].tolist() == [20.0, 20.0]  # weights of 0: the mean
    values = LinearModel.scaled_to(features, torch.tensor([10.0, 30.0]), 1)
    with torch.no_grad():
        values.weight[0] = 1.0
    deviation = 2**0.5
    expected = 20 + 10 * deviation * torch.tensor([-1.0, 1.0]) / deviation
    assert torch.allclose(values(features)[:, 0], expected)


def test_a_single_value_has_no_deviation():
    model = LinearModel.scaled_to(torch.rand(1, 3), torch.tensor([7.0]), 1)
    assert torch.allclose(model(torch.rand(4, 3)), torch.tensor(7.0))


def test_all_dates_of_a_pixel_are_its_features():
    images = torch.arange(24.0).reshape(1, 2, 3, 2, 2)  # two dates, three bands
    assert pixel_values(images)[0, 1, 0].tolist() == [2, 6, 10, 14, 18, 22]
    model = LinearModel(6, 2)
    with torch.no_grad():
        model.weight[4, 1] = 1.0  # the second band of the second date
    assert torch.equal(model.of_pixels(images)[0, 1], images[0, 1, 1])


def test_statistics_of_bands():
    values = torch.tensor([[1.0, 3.0, 6.0, 10.0], [0.0, 0.0, 0.0, 4.0]])
    found = band_statistics(values.reshape(1, 1, 2, 2, 2))[0]
    torch.testing.assert_close(found, torch.cat([values.mean(1), values.std(1)]))


def test_its_state_is_all_of_it():
    one = LinearModel.scaled_to(torch.randn(9, 4), torch.randn(9), 1)
    other = LinearModel(4, 1)
    other.load_state_dict(one.state_dict())
    x = torch.randn(2, 4)
    assert torch.equal(one(x), other(x))
