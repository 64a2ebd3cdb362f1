"""The benchmarks run, and what is counted in them is exact on any machine. Nothing here looks at a clock."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import cold, plots, report
from bench.report import Result
from bench.stand import QUICK

SIZE = 30


@pytest.mark.cluster
@pytest.mark.rule(7, 21)
def test_cold_start_and_its_floors(tmp_path: Path) -> None:
    plan = replace(QUICK, clients=SIZE)
    result = cold.measure(plan)

    assert [figure.name for figure in result.figures if figure.wrong] == []
    assert counted(result, "writes but Events") == [2 * SIZE]
    assert counted(result, "writes refused") == [0]
    assert all(figure.median > 0 for figure in result.figures if figure.unit != "writes")
    report.save([result], {}, tmp_path)
    assert (tmp_path / "cold.json").is_file()
    assert "cold start, wall" in (tmp_path / "cold.md").read_text()
    assert all(path.stat().st_size > 1000 for path in plots.draw([result], tmp_path))


def counted(result: Result, name: str) -> list[float]:
    """The values of the one count of that name."""
    (figure,) = [one for one in result.figures if name in one.name]
    return list(figure.values)
