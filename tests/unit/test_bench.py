"""kb bench on a small index: the figures it prints are of what it says."""

import json
from pathlib import Path

from typer.testing import CliRunner

from eval.bench import app, markdown, plot


def test_a_small_bench_measures_finds_and_draws(tmp_path: Path) -> None:
    chart = tmp_path / "cost.svg"
    ran = CliRunner().invoke(app, ["--passages", "300,600", "--rounds", "1", "--peers", "--plot", str(chart), "--json"])
    assert ran.exit_code == 0, ran.output
    rows = json.loads(ran.stdout)["results"]
    assert [row["passages"] for row in rows] == [300, 600]
    for row in rows:
        assert set(row["filtered_recall@10"].values()) == {1.0}
        assert row["delete_is_gone_at_once"] is True
        assert row["hybrid_ms"]["p50"] > 0
        assert row["peers"]["rank_bm25"]["p50"] > 0
    assert "| 300 |" in markdown(rows)
    assert plot(rows).count("<polyline") >= 4
    assert chart.read_text(encoding="utf-8").startswith("<svg")


def test_a_size_that_is_none_is_named() -> None:
    ran = CliRunner().invoke(app, ["--passages", "ten"])
    assert ran.exit_code != 0
    assert "ten" in str(ran.exception)
