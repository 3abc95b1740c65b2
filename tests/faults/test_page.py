"""The page of error lines and the cases belong together: no row without a case, nor the reverse.

That each line of a case is on the page, :func:`tests.faults.lines.line_of` sees to. Here, that a
test expects each row, in words of its own: enough of them to be no other's.
"""

import ast
import re
from functools import cache

import pytest

from eosfm.core.closure import ROOT
from tests.faults import (
    test_any_images,
    test_archives,
    test_backbone,
    test_datasets,
    test_downloads,
    test_native_files,
    test_parameters,
    test_scenes,
    test_stored_features,
    test_values,
    test_weight_files,
)
from tests.faults.page import fits, pieces, rows, rows_of

ENOUGH = 12
"""Letters that a row and what a test expects have in common."""
SHORT = {
    "... is no ... (... at ...); run ...": ("tests/core/test_results.py", "no Fit .*; run"),
    "unknown ...; ...": ("tests/faults/test_parameters.py", "unknown band 'nirr'"),
    "unknown key ...; ...": ("tests/faults/test_parameters.py", "unknown key fusoin; did you mean"),
    "scales.... has ..., no task; ...": (
        "tests/faults/test_parameters.py",
        r"scales.full.tasks has 'xviw2', no task; did you mean 'xview2'",
    ),
    "no entry ...": ("tests/test_params.py", "no entry tasks.nothing"),
    "datasets.... is simulated, but its ...": (
        "tests/faults/test_parameters.py",
        "oscd is simulated.*oscd.source=archive",
    ),
    "... names ..., which ... names too; ...": (
        "tests/faults/test_native_files.py",
        "names a1, which a.txt names too",
    ),
    "... has ... ...; expected ...; ...": (
        "tests/faults/test_stored_features.py",
        r"has sha256 \w+; expected \w+",
    ),
    "specialist ... is in ... and in ...; give --prefix with one prefix per artifact to rename "
    "them, or prune it from one": ("tests/artifacts/test_regroup.py", "saved\\.pth; give"),
    "... has values of ... to ...; expected ...; ...": (
        "tests/prediction/test_plausible.py",
        "has values of .* to .*; ",
    ),
    "input is ..., expected ...; convert and standardise it": (
        "tests/encoding/test_encoder.py",
        "input is torch.float64, expected torch.float32; convert",
    ),
    "... has weights of ..., expected ...; run ...": (
        "tests/nn/test_start.py",
        "has weights of convnextv2_atto, expected convnextv2_femto; run",
    ),
}
"""Rows with fewer words, and where they are expected."""
TABLES = (
    test_archives, test_backbone, test_downloads, test_native_files, test_parameters, test_scenes,
    test_stored_features, test_values,
)  # fmt: skip


@cache
def expectations() -> str:
    """What all tests say in words, a line each, without the signs of patterns."""
    found = []
    for file in (ROOT / "tests").rglob("test_*.py"):
        if file.name in ("test_docs.py", "test_page.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\\(.)", r"\1", node.value).replace("\n", " "))
    return "\n".join(found)


def parts(row: str) -> list[str]:
    """Runs of whole words of a row that are long enough."""
    found = []
    for piece in pieces(row):
        words = piece.split()
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                if len(part := " ".join(words[start:end])) >= ENOUGH:
                    found.append(part)
                    break
    return found


@pytest.mark.parametrize("row", rows())
def test_a_test_expects_each_row(row: str):
    if row in SHORT:
        file, words = SHORT[row]
        assert words in (ROOT / file).read_text()
    else:
        assert any(part in expectations() for part in parts(row)), parts(row)


def test_rows_stand_once_and_are_lines_apart():
    assert len(rows()) == len(set(rows())) >= 80
    assert set(SHORT) <= set(rows())


def test_a_row_is_a_line_with_holes():
    assert fits("... is ...; add it", "a is b; add it") and not fits("a ...", "b c")
    assert rows_of("error: params.yaml: seed is -1; expected more")
    assert rows_of("error: datasets.oscd is simulated, but its `simulated` is null")
    assert not rows_of("error: something else went wrong")


def test_there_are_many():
    """As many cases, and files damaged at random, as SECURITY.md says."""
    cases = sum(len(table.CASES) for table in TABLES)
    cases += sum(len(test_datasets.DAMAGES) for _ in test_datasets.RECIPES)
    mutated = test_datasets.MUTATED + test_any_images.MUTATED + test_scenes.MUTATED
    mutated += test_weight_files.MUTATIONS
    print(f"{cases} cases of faults, {mutated} files damaged at random")
    assert cases >= 600 and mutated >= 2_000
    said = (ROOT / "SECURITY.md").read_text()
    assert "more than 600 cases" in said and "2,000 files" in said
