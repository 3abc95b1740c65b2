"""Make the initial weights of the specialists."""

import eosfm.cli
from eosfm.nn.specialist import save_specialist
from eosfm.nn.start import FILE, imagenet_start, random_start
from eosfm.params import load_params
from eosfm.tracking import track


def main() -> None:
    """Make models/start.pt: ImageNet weights if params.yaml asks for them, else random ones."""
    params = load_params()
    with track("start", "", params.energy.country) as tracker:
        name = params.backbone.name
        start = imagenet_start(name) if params.imagenet else random_start(name, params.seed)
        save_specialist(FILE, start)
        tracker.done(f"{name}, {start.facts['source']}")


if __name__ == "__main__":
    eosfm.cli.run(main)
