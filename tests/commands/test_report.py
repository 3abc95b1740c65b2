"""``eosfm report``."""

import yaml

from eosfm.core.closure import ROOT
from eosfm.params import load_params
from tests.report.conftest import write_results


def test_the_page_is_made_of_what_the_stages_wrote(call, monkeypatch, tmp_path):
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["ensemble"] = ["ben_rgb", "ben_s1", "caffe", "potsdam"]
    for section, kept in (("specialists", settings["ensemble"]), ("tasks", ["mados"])):
        settings[section] = {name: settings[section][name] for name in kept}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    write_results(load_params(), tmp_path / "results")
    status, out, err = call("report", "-o", "page.html")
    assert (status, err) == (0, "") and out.startswith("page.html: ")
    page = (tmp_path / "page.html").read_text()
    assert "mados" in page and "potsdam" in page and "<script src" not in page
    assert not (tmp_path / "results" / "report.html").exists()
    (tmp_path / "metrics.json").write_text('{"score.mados": 0.123}')
    status, out, err = call("report", "-o", "page.html")
    assert (status, out) == (1, "")
    assert "of different runs: score.mados is" in err and "run `dvc repro report`" in err
    (tmp_path / "metrics.json").unlink()
    (tmp_path / "results" / "report.md").write_text("# Results\n\nScale `full`, seed 0.\n")
    status, out, err = call("report", "-o", "page.html")
    assert (status, out) == (1, "") and "'Scale `full`, seed 0.' in one and 'Scale `mini`" in err
    (tmp_path / "results" / "report.md").unlink()
    status, out, err = call("report", "-o", "page.pdf")
    assert (status, out) == (1, "") and "expected a name that ends in .html" in err
    status, out, err = call("report", "--results", "nowhere", "-o", "page.html")
    assert (status, out) == (1, "") and "nowhere" in err
