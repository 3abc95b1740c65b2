"""What may be wrong with params.yaml: refused before any work, with the key and what is valid.

Each case says what is broken and the line that must come. Whatever the fault, nothing is written.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from eosfm.core.closure import ROOT
from eosfm.core.validation import DEEPEST, LARGEST, read_yaml
from eosfm.params import load_params
from eosfm.planning.readers import refuse_misfits
from tests.faults.lines import assert_says, line_of

WORDS = (ROOT / "params.yaml").read_text()
PLAIN = read_yaml(ROOT / "params.yaml")
COUNT = len(PLAIN["ensemble"])


@dataclass(frozen=True)
class Case:
    """One way in which parameters are wrong.

    Attributes:
        name: What is broken.
        line: What the error says.
        values: Set by dotted key; a dictionary is an entry as a whole.
        content: The file's bytes, made of the right text, where no value says it.
    """

    name: str
    line: str
    values: dict[str, Any] = field(default_factory=dict)
    content: Callable[[str], bytes] | None = None


def text(change: Callable[[str], str]) -> Callable[[str], bytes]:
    return lambda words: change(words).encode()


SHELL = "x; touch pwned #"
ENTRY = PLAIN["specialists"]["oscd"]
TASK = PLAIN["tasks"]["eurosat"]
TENFOLD = (f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 20))
BOMB = "b0: &b0 [a]\n" + "".join(TENFOLD)
MERGED = (
    f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 10)}]}}" if n else "b0: &b0 {a: 1}"
    for n in range(12)
)
NAMES = "expected small letters, digits and underscores"
CASES = [
    # The file
    Case("nothing", r"the whole is None; .*dictionary", content=lambda words: b""),
    Case("a list", r"the whole is \['a'\]", content=lambda words: b"- a"),
    Case("no YAML", r"is not valid YAML", content=lambda words: b"a: ["),
    Case("a tab", r"is not valid YAML", content=lambda words: b"a:\n\tb: 1"),
    Case("not UTF-8", r"byte 0xff at 0; expected UTF-8", content=lambda words: b"\xff\xfe" + b"a"),
    Case("Latin letters", r"byte 0xe9 .*UTF-8", content=lambda words: b"# caf\xe9\n"),
    Case("a zero byte", r"is not valid YAML", content=text(lambda words: words + "\0")),
    Case("too large", r"more than 262144 bytes", content=lambda words: b"#" * (LARGEST + 1)),
    Case("too deep", rf"more than {DEEPEST} lists", content=lambda words: b"[" * 100_000),
    Case("deep mappings", rf"more than {DEEPEST} lists", content=lambda words: b"{a: " * 9_999),
    Case("holds itself", r"stands in what it names", content=lambda words: b"a: &a [*a]"),
    Case(
        "aliases of aliases", r"the same again and again", content=text(lambda words: BOMB + words)
    ),
    Case(
        "merged aliases of aliases",
        r"the same again and again",
        content=lambda words: "\n".join(MERGED).encode(),
    ),
    Case("a letter that is none", r"not valid YAML", content=lambda words: b'a: "\\UFFFFFFFF"'),
    Case(
        "a key of a list", r"keys should be strings", content=text(lambda words: words + "[a]: 1")
    ),
    Case("a key of a key", r"line 1: found unhashable key", content=lambda words: b"{a: 1}: 1"),
    Case("a date that is none", r"not valid YAML: month", content=lambda words: b"a: 2020-13-45"),
    Case("a number that is none", r"not valid YAML", content=lambda words: b"a: !!int x"),
    Case(
        "Python's tag",
        r"could not determine a constructor",
        content=lambda words: b"a: !!python/object/apply:os.system [ls]",
    ),
    Case(
        "a key twice",
        rf'line {len(WORDS.splitlines()) + 1}: found duplicate key "seed"',
        content=text(lambda words: words + "seed: 1\n"),
    ),
    Case(
        "an entry twice",
        r'found duplicate key "fusion"',
        content=text(lambda words: words + "fusion: {}\n"),
    ),
    Case(
        "cut in the middle",
        r"is missing; add it|not valid YAML",
        content=text(lambda words: words[: words.index("\nspecialists:")]),
    ),
    Case(
        "a merge conflict",
        r"is not valid YAML",
        content=text(lambda words: "<<<<<<< ours\n" + words),
    ),
    *(
        Case(
            f"a seed of {scalar!r}",
            rf"seed is '?{scalar}'?; .*integer",
            content=text(lambda words, scalar=scalar: words.replace("seed: 0", f"seed: {scalar}")),
        )
        for scalar in ("1:0", "yes", "2020-1-1x", "0o8", "1.0")
    ),
    # Keys
    Case(
        "options of a task that is none",
        r"scales.full.tasks has 'xviw2', no task; did you mean 'xview2'",
        {"scales.full.tasks.xviw2": {"loss": "dice"}},
    ),
    Case(
        "misspelt option of a task",
        r"unknown key scales.full.tasks.xview2.lost; did you mean 'loss'",
        {"scales.full.tasks.xview2.lost": "dice"},
    ),
    Case("misspelt section", r"unknown key fusoin; did you mean 'fusion'", {"fusoin": {}}),
    Case(
        "misspelt key",
        r"unknown key fusion.max_encoder; did you mean 'max_encoders'",
        {"fusion.max_encoder": 5},
    ),
    Case(
        "misspelt key of a scale",
        r"unknown key scales.mini.train.step; .*steps_per_epoch",
        {"scales.mini.train.step": 5},
    ),
    Case(
        "misspelt key of a block or null",
        r"simulated.trian; did you mean 'train'",
        {"datasets.oscd.simulated.trian": 5},
    ),
    Case(
        "misspelt default",
        r"defaults.tasks.metrik; did you mean 'metric'",
        {"defaults.tasks.metrik": "miou"},
    ),
    Case(
        "section that is a list",
        r"specialists is \['oscd'\]; .*dictionary",
        {"specialists": ["oscd"]},
    ),
    Case("section that is null", r"tasks is None", {"tasks": None}),
    Case("entry that is null", r"tasks.eurosat is None", {"tasks.eurosat": None}),
    Case("entry that is a word", r"datasets.oscd is 'oscd'", {"datasets.oscd": "oscd"}),
    # Names
    Case(
        "a command of the shell", rf"'x; touch pwned #'; {NAMES}", {f"specialists.{SHELL}": ENTRY}
    ),
    Case(
        "a command in a dataset",
        rf"datasets has an entry .*{NAMES}",
        {f"datasets.{SHELL}": PLAIN["datasets"]["oscd"]},
    ),
    Case("a command in a task", rf"tasks has an entry .*{NAMES}", {"tasks.$(id)": TASK}),
    Case("a new line", rf"'a\\nb'; {NAMES}", {"tasks.a\nb": TASK}),
    Case("a new line at the end", rf"'a\\n'; {NAMES}", {"tasks.a\n": TASK}),
    Case("a folder above", rf"'\.\./a'; {NAMES}", {"band_sets.../a": "B04"}),
    Case("letters of another script", rf"'é'; {NAMES}", {"tasks.é": TASK}),
    Case("no letters", rf"has an entry ''; {NAMES}", {"tasks": {"": TASK}}),
    Case("a long name", rf"{NAMES}", {f"tasks.{'a' * 300}": TASK}),
    Case("a number as a name", r"tasks.7", {"tasks": {7: TASK}}),
    Case(
        "reader above",
        r"datasets.oscd.reader is '../oscd'; .*pattern",
        {"datasets.oscd.reader": "../oscd"},
    ),
    Case(
        "reader that is none",
        r"unknown dataset 'oscdd'; did you mean 'oscd'",
        {"datasets.oscd.reader": "oscdd"},
    ),
    Case(
        "backbone of the network",
        r"backbone.name is 'hf-hub:a/b'; .*pattern",
        {"backbone.name": "hf-hub:a/b"},
    ),
    Case(
        "backbone of a folder", r"backbone.name is 'local-dir:/'", {"backbone.name": "local-dir:/"}
    ),
    Case("archives nowhere", r"archives is ''", {"archives": ""}),
    Case("archives with a zero", r"archives is 'a\\x00b'", {"archives": "a\0b"}),
    Case(
        "root of a user that there is not",
        r"oscd.root is '~nobody.here/oscd'; expected a path; of your home folder it begins with ~/",
        {"datasets.oscd.root": "~nobody.here/oscd"},
    ),
    Case("root in two lines", r"oscd.root is 'a\\nb'", {"datasets.oscd.root": "a\nb"}),
    # Numbers
    Case("not a number", r"potsdam.lr is nan; .*finite", {"specialists.potsdam.lr": float("nan")}),
    Case("infinite", r"potsdam.lr is inf; .*finite", {"specialists.potsdam.lr": float("inf")}),
    Case(
        "infinite, spelt out", r"potsdam.lr is 'inf'; .*finite", {"specialists.potsdam.lr": "inf"}
    ),
    Case(
        "a rate above all",
        r"potsdam.lr is 1000; .*less than or equal to 10",
        {"specialists.potsdam.lr": 1000},
    ),
    Case("zero", r"fusion.max_encoders is 0; .*greater than 0", {"fusion.max_encoders": 0}),
    Case("negative", r"seed is -1; .*greater than or equal to 0", {"seed": -1}),
    Case("a seed too large", r"seed is 4294967296; .*less than", {"seed": 2**32}),
    Case("true for one", r"seed is True; .*integer", {"seed": True}),
    Case(
        "true for a share",
        r"label_fraction is True; expected a number",
        {"tasks.eurosat.label_fraction": True},
    ),
    Case("one for true", r"fusion.projection is 1; .*boolean", {"fusion.projection": 1}),
    Case("yes for true", r"fusion.projection is 'ja'", {"fusion.projection": "ja"}),
    Case("a word for a number", r"epochs is 'many'", {"specialists.potsdam.epochs": "many"}),
    Case("a half epoch", r"epochs is 2.5; .*integer", {"specialists.potsdam.epochs": 2.5}),
    Case("more epochs than time", r"epochs is 1000000000", {"specialists.potsdam.epochs": 10**9}),
    Case(
        "a batch of millions", r"batch_size is 10000000", {"specialists.potsdam.batch_size": 10**7}
    ),
    Case("a share above one", r"label_fraction is 1.5", {"tasks.eurosat.label_fraction": 1.5}),
    Case("workers below none", r"workers is -1", {"scales.mini.train.workers": -1}),
    Case(
        "workers beyond any machine", r"workers is 99999", {"scales.full.protocol.workers": 99999}
    ),
    Case("threads beyond any machine", r"trainer.threads is 99999", {"trainer.threads": 99999}),
    # Choices
    Case("scale", r"scale is 'midi'; .*'mini' or 'full'", {"scale": "midi"}),
    Case("method", r"fusion.method is 'add'; .*'addition'", {"fusion.method": "add"}),
    Case("accelerator", r"accelerator is 'gppu'; .*'gpu'", {"trainer.accelerator": "gppu"}),
    Case("precision", r"precision is '16'; .*'16-mixed'", {"trainer.precision": "16"}),
    Case("strategy", r"strategy is 'fsdp'; .*'ddp'", {"trainer.strategy": "fsdp"}),
    *(
        Case(
            f"devices {devices!r}",
            r"trainer.devices is .*; expected how many",
            {"trainer.devices": devices},
        )
        for devices in (0, -2, True, "all", "1;2", [], [-1], ["0"], 10**6, 1.5, None)
    ),
    Case("country", r"energy.country is 'France'", {"energy.country": "France"}),
    # What does not fit together
    Case("band", r"unknown band 'nirr'; did you mean 'nir'", {"specialists.potsdam.bands": "nirr"}),
    Case("band twice", r"band 'B04' is named twice", {"specialists.oscd.bands": "B04 B04"}),
    Case(
        "band of another dataset",
        r"specialists.oscd.bands has vv, which dataset oscd lacks; it has",
        {"specialists.oscd.bands": "B04 vv"},
    ),
    Case("band of a task", r"tasks.eurosat.bands has height", {"tasks.eurosat.bands": "height"}),
    Case(
        "dataset",
        r"'postdam', which has no entry in datasets; did you mean 'potsdam'",
        {"specialists.potsdam.dataset": "postdam"},
    ),
    Case(
        "ensemble", r"ensemble names 'postdam'.*did you mean 'potsdam'", {"ensemble": ["postdam"]}
    ),
    Case("ensemble of none", r"ensemble is \[\]", {"ensemble": []}),
    Case(
        "ensemble twice",
        r"names 'potsdam' twice; name it once",
        {"ensemble": ["potsdam", "potsdam"]},
    ),
    Case(
        "loss",
        r"specialists.oscd.loss 'bce' does not fit change; valid: ce, dice",
        {"specialists.oscd.loss": "bce"},
    ),
    Case(
        "metric",
        r"tasks.eurosat.metric 'miou' does not fit classification; valid: accuracy",
        {"tasks.eurosat.metric": "miou"},
    ),
    Case(
        "head",
        r"tasks.eurosat.head 'upernet' does not fit classification",
        {"tasks.eurosat.head": "upernet"},
    ),
    Case(
        "aggregation",
        r"tasks.xview2.aggregation 'ltae' does not fit change; valid: .*concat",
        {"tasks.xview2.aggregation": "ltae"},
    ),
    Case(
        "more than there are",
        rf"max_encoders is 99, but the ensemble has {COUNT} .*1 to {COUNT}",
        {"fusion.max_encoders": 99},
    ),
    Case(
        "left out and unknown",
        r"fusion.ablate has 'postdam', no specialist; did you mean",
        {"fusion.ablate": ["postdam"]},
    ),
    Case(
        "batches and processes",
        r"a batch of \d+ cannot be shared by 7 processes",
        {"trainer.devices": 7},
    ),
    Case(
        "a batch of one",
        r"potsdam: a batch of one, which head upernet_batch cannot normalise",
        {
            "recipes.ours.heads.pixel": "upernet_batch",
            "specialists.potsdam.train": {"batch_size": 1},
        },
    ),
    Case(
        "scaling and bands",
        r"specialist \w+: scaling has mean 0.* and std 0.* for \d+ bands; expected a number, or",
        {"recipes.ours.scaling": {"mean": 0, "std": 0}},
    ),
    Case("split", r"oscd.splits.* is 'vla'", {"datasets.oscd.splits": "train vla"}),
    Case(
        "split that is not cut",
        r"tasks.eurosat reads split test .*set datasets.eurosat.splits",
        {"datasets.eurosat.splits": "train val"},
    ),
    Case(
        "nothing to simulate",
        r"oscd is simulated.*oscd.source=archive",
        {"datasets.oscd.simulated": None},
    ),
    Case(
        "copy of what is simulated",
        r"datasets.oscd.root is set, but its source is simulated",
        {"datasets.oscd.root": "/data/oscd"},
    ),
]


def written(case: Case) -> bytes:
    if case.content is not None:
        return case.content(WORDS)
    data = copy.deepcopy(PLAIN)
    for key, value in case.values.items():
        section, _, rest = key.partition(".")
        entry, last = data, section
        if rest:
            known = section in ("datasets", "specialists", "tasks", "band_sets")
            middle, _, tail = rest.partition(".") if known else ("", "", "")
            entry, last = data[section], rest
            if not known or (tail and middle in entry):
                *parents, last = rest.split(".")
                for parent in parents:
                    entry = entry[parent]
        entry[last] = value
    return yaml.safe_dump(data, allow_unicode=True).encode()


def read(path: Path) -> None:
    """As the first stage of a run does."""
    refuse_misfits(load_params(path), path.parent)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_parameters(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "params.yaml"
    path.write_bytes(written(case))
    began = time.perf_counter()
    line = line_of(capsys, lambda: read(path))
    assert time.perf_counter() - began < 5
    assert_says(line, case.line)
    assert list(tmp_path.iterdir()) == [path]


def test_there_are_many():
    assert len(CASES) >= 80 and len({case.name for case in CASES}) == len(CASES)


def test_the_projects_own_parameters_are_not_refused():
    read(ROOT / "params.yaml")


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("010", 10), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("1:0", "1:0"), ("08", 8),
        ("1e3", 1000.0), ("1e-4", 0.0001), ("+.5", 0.5), ("yes", "yes"), ("off", "off"), ("y", "y"),
        ("True", True), ("~", None), ("2020-01-02", date(2020, 1, 2)), ("'010'", "010"),
    ],
)  # fmt: skip
def test_scalars_are_read_as_yaml_1_2_has_them(tmp_path, scalar, value):
    read = read_yaml(file_of(tmp_path, f"a: {scalar}\n"))["a"]
    assert (read, type(read)) == (value, type(value))


def file_of(folder: Path, content: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(content)
    return path


def test_a_folder_and_nothing_are_refused(tmp_path, capsys):
    assert_says(line_of(capsys, lambda: read(tmp_path)), r"cannot be read \(Is a directory\)")
    assert_says(line_of(capsys, lambda: read(tmp_path / "params.yaml")), r"not found; run from")


def test_an_artifact_of_ones_own_may_hold_more(tmp_path):
    """Export is frozen then, and params.yaml does not say what the ensemble holds."""
    path = tmp_path / "params.yaml"
    path.write_bytes(written(Case("", "", {"fusion.max_encoders": 99})))
    (tmp_path / "dvc.yaml").write_text("stages:\n  export: {frozen: true}\n")
    read(path)
