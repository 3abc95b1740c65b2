"""What the pages say is so: commands, stages, parameters, paths, links, error lines, Python."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from eosfm.core.closure import ROOT
from tests.faults.page import fits, pieces, rows

PAGES = sorted((ROOT / "docs").glob("*.md"))
WRITTEN = ("outs", "metrics", "plots")
PIPELINES = ("dvc.yaml", "data/dvc.yaml", "data/watch/dvc.yaml", "analyses/dvc.yaml")
MARKDOWN = MarkdownIt("commonmark").enable("table")
KNOWN = ("eosfm ", "dvc ", "make ", "python ", "pytest ", "CUDA_VISIBLE_DEVICES=")
IN_GIT = ("analyses", "benchmarks", "docs", "eosfm", "stages", "tests")
"""Commands that are checked, and folders whose files Git has: what DVC makes lies in others."""

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


def tokens(page: Path) -> list[Token]:
    """Blocks, and what lines are made of, in the order of the page."""
    found = MARKDOWN.parse(page.read_text())
    return [part for token in found for part in (token, *(token.children or ()))]


def blocks(page: Path, language: str) -> list[str]:
    return [t.content for t in tokens(page) if t.type == "fence" and t.info == language]


def spans(page: Path) -> list[str]:
    """Code within lines."""
    return [token.content for token in tokens(page) if token.type == "code_inline"]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command shown, in a line of a block or within a line of text."""
    shell = [*blocks(page, "bash"), *(t.content for t in tokens(page) if t.type == "code_block")]
    for line in [*"\n".join(shell).splitlines(), *spans(page)]:
        for part in re.sub(r"(^| +)#.*", "", line).split(" && "):
            words = shlex.split(part) if part.startswith(KNOWN) else []
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # a variable of its environment
                words = words[1:]
            if len(words) > 1:
                yield words


@cache
def params() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@cache
def pipelines() -> dict[str, dict]:
    return {path: yaml.safe_load((ROOT / path).read_text())["stages"] for path in PIPELINES}


def test_the_pages_are_listed_in_the_first():
    linked = set(re.findall(r"\]\(([\w-]+\.md)", (ROOT / "docs/index.md").read_text()))
    assert {path.name for path in PAGES} == linked | {"index.md"}


# Commands


@page
def test_commands_of_eosfm_exist_and_take_what_is_shown(page):
    from eosfm.cli import COMMANDS

    for words in commands(page):
        if words[0] == "eosfm" and words[1] not in ("COMMAND", "--help"):
            assert words[1] in COMMANDS, words
            if len(words) > 2:
                command(words[1]).make_context(words[1], words[2:])  # parses, runs nothing


@page
def test_options_named_alone_are_those_of_a_command_on_the_page(page):
    named = {words[1] for words in commands(page) if words[0] == "eosfm"}
    options = {"--help", "--json"}  # the second of some
    for name in named - {"COMMAND", "--help"}:
        options |= {word for part in command(name).params for word in part.opts}
    for span in spans(page):
        assert not span.startswith("--") or span.split()[0] in options, span


@cache
def command(name: str):
    """A command of eosfm, as its own line makes it."""
    import typer

    from eosfm.commands.several import Command

    app = typer.Typer()
    app.command(cls=Command)(getattr(import_module(f"eosfm.commands.{name}"), name))
    return typer.main.get_command(app)


@page
def test_commands_of_dvc_are_understood_and_their_stages_exist(page):
    from dvc.cli.parser import get_main_parser

    for words in commands(page):
        if words[0] == "dvc":
            given = get_main_parser().parse_args(words[1:])
            if words[1] == "repro" or words[1:3] == ["exp", "run"]:
                assert all(map(is_stage, given.targets)), words
                assert_settings(*(getattr(given, "set_param", None) or ()))


def is_stage(target: str) -> bool:
    """Whether a target of `dvc repro` is a pipeline, a stage, or an item of one."""
    path, _, name = target.rpartition(":")
    if target in PIPELINES:
        return True
    stage, _, item = name.partition("@")
    entry = pipelines()[path or "dvc.yaml"].get(stage)
    items = params()[entry["foreach"].strip("${}")] if entry and "foreach" in entry else {"": None}
    return entry is not None and item in items


@cache
def assert_settings(*settings: str) -> None:
    """DVC can set these values, and the project takes them."""
    from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

    from eosfm.params import load_params

    for sweep in get_hydra_sweeps({"params.yaml": list(settings)}) if settings else ():
        Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
        apply_overrides("params.yaml", sweep["params.yaml"])
        load_params("params.yaml")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test writes, it writes into a folder of its own."""
    monkeypatch.chdir(tmp_path)


@page
def test_other_commands_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for words in commands(page):
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile, words
        if words[0] in ("python", "pytest"):
            file = next((word for word in words[1:] if "/" in word), None)
            assert file is None or (ROOT / file).exists(), words
        if words[:2] == ["python", "-m"]:
            assert find_spec(words[2]) is not None


# Parameters


@page
def test_entries_shown_are_valid(page):
    from eosfm.params import load_params

    whole = yaml.safe_load((ROOT / "params.yaml").read_text())
    for block in blocks(page, "yaml"):
        for section, entries in yaml.safe_load(block).items():
            whole[section] |= entries
        Path("params.yaml").write_text(yaml.safe_dump(whole))
        load_params("params.yaml")


@page
def test_keys_and_values_of_parameters_exist(page):
    for span in spans(page):
        if re.fullmatch(r"[\w.<>]+(=[^ ]+)?", span):
            key, equals, value = span.partition("=")
            first, *rest = key.split(".")
            if rest and first in params() and key not in METRICS:
                assert known(params(), key), span
                if equals and not value.startswith("<"):
                    assert_settings(span)


METRICS = yaml.safe_load((ROOT / "metrics.json").read_text())


def known(tree: object, key: str) -> bool:
    """Whether a dotted key is there, ``<name>`` being any, and ``x.*`` what lies in x."""
    first, _, rest = key.partition(".")
    if not isinstance(tree, dict):
        return False
    if first.startswith("<"):
        return any(known(value, rest) for value in tree.values()) or rest in ("source", "root")
    return first in tree and (not rest or known(tree[first], rest))


# Paths and links


@page
def test_links_lead_to_files_and_headings(page):
    for token in tokens(page):
        target = token.attrs.get("href", "") if token.type == "link_open" else ""
        if not target or "://" in str(target):
            continue
        path, _, anchor = str(target).partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            lines = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines]
            assert anchor in slugs, target


@page
def test_paths_exist_or_are_made_by_a_stage(page):
    for span in spans(page):
        path = span.removesuffix("/")
        if not re.fullmatch(r"[\w.<>-]+(/[\w.<>-]+)+", path):
            continue
        if path.split("/")[0] in IN_GIT:
            assert list(ROOT.glob(re.sub(r"<\w+>", "*", path))), span
        elif path.split("/")[0] in ("data", "models", "results"):
            assert (ROOT / path).exists() or is_made(path), span


def is_made(path: str) -> bool:
    """Whether a path is an output of a stage, or lies above or below one."""
    plain = re.sub(r"<\w+>", "x", path)
    for stages in pipelines().values():
        for entry in stages.values():
            entry = entry.get("do", entry)
            for out in chain.from_iterable(entry.get(kind, []) for kind in WRITTEN):
                made = out if isinstance(out, str) else next(iter(out))
                pattern = re.escape(made).replace(re.escape("${key}"), r"\w+")
                if re.match(rf"{pattern}(/|$)", plain) or made.startswith(f"{plain}/"):
                    return True
    return False


# Error lines


@cache
def messages() -> list[str]:
    """Every text in the code, nothing for each value in it."""
    found = []
    for file in (ROOT / "eosfm").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_error_lines_are_those_of_the_code():
    assert [row for row in rows() if not is_said(row)] == []


def is_said(row: str) -> bool:
    """Whether a text of the code is this line; whose file a parameter is in, load_params adds."""
    line = row.removeprefix("params.yaml: ")
    longest = max(pieces(line), key=len)  # to look for it first is forty times as fast
    return any(longest in text and fits(line, text) for text in messages())
