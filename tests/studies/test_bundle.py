"""A bundle's folder: which run is current, which was first, which are kept, whatever a kill left between two steps."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.display.front import leading_page
from analytics.studies import bundle as bundles
from analytics.studies.bundle import Published, begin, end, left_behind, publish, published
from analytics.studies.record import say_last_word

START = dt.datetime(2026, 1, 31, 6, 0, 0, tzinfo=dt.UTC)


def whole(folder: Path, hour: int) -> str:
    """Make a run that is whole, as a run does: beside first, and named when it is."""
    run = begin(folder, START.replace(hour=hour))
    (run / "run.json").write_text("{}")
    return end(run).name


def brought_out(folder: Path, hour: int, same_as: str | None = None) -> str:
    run = whole(folder, hour)
    publish(folder, run, leading_page("Acme", "", f"runs/{run}/index.html"), same_as=same_as)
    return run


def runs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").iterdir())


def test_the_last_three_are_kept_and_the_first_always(tmp_path: Path) -> None:
    ids = []
    for hour in range(6):
        ids.append(brought_out(tmp_path, hour))
        found = published(tmp_path)
        assert found is not None
        assert (found.first, found.current) == (ids[0], ids[-1])
    assert ids[0] == "20260131T000000Z"
    assert found.runs == (ids[0], *ids[3:])
    assert runs(tmp_path) == sorted(found.runs)
    assert json.loads((tmp_path / "published.json").read_text())["runs"] == list(found.runs)


def test_a_repeated_run_takes_the_place_of_the_one_it_repeats(tmp_path: Path) -> None:
    ids = [brought_out(tmp_path, hour) for hour in range(3)]
    for hour in range(3, 9):
        ids.append(brought_out(tmp_path, hour, same_as=ids[-1]))
    found = published(tmp_path)
    assert found == Published(ids[0], ids[-1], (ids[0], ids[1], ids[-1]))
    assert runs(tmp_path) == sorted(found.runs)


@pytest.mark.parametrize("step", ["published.json", "index.html"])
def test_a_kill_between_two_steps_shows_the_old_run_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """`published.json` is written first; until `index.html` is replaced, the run before is the current one."""
    first, second = brought_out(tmp_path, 1), whole(tmp_path, 2)
    replace = os.replace

    def killed(source: Path, target: Path) -> None:
        if Path(target).name == step:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, second, leading_page("Acme", "", f"runs/{second}/index.html"))
    assert published(tmp_path) == Published(first, first, (first,))
    third = brought_out(tmp_path, 3)
    assert published(tmp_path) == Published(first, third, (first, third))
    assert runs(tmp_path) == [first, third]


def test_what_is_current_is_what_the_page_leads_to(tmp_path: Path) -> None:
    """Without `published.json`, or with a broken one, nothing is guessed but that the current run was the first."""
    first, second = brought_out(tmp_path, 1), brought_out(tmp_path, 2)
    (tmp_path / "index.html").write_text(leading_page("Acme", "", f"runs/{first}/index.html"))
    assert published(tmp_path) == Published(first, first, (first,))
    (tmp_path / "index.html").write_text(leading_page("Acme", "", f"runs/{second}/index.html"))
    (tmp_path / "published.json").write_text("{")
    assert published(tmp_path) == Published(second, second, (second,))
    (tmp_path / "index.html").write_text("a page of another kind")
    assert published(tmp_path) is None


def test_a_page_that_somebody_removed_costs_no_frozen_view(tmp_path: Path) -> None:
    first, second = brought_out(tmp_path, 1), brought_out(tmp_path, 2)
    (tmp_path / "index.html").unlink()
    assert published(tmp_path) == Published(first, second, (first, second))
    assert left_behind(tmp_path) == ()
    third = brought_out(tmp_path, 3)
    assert published(tmp_path) == Published(first, third, (first, second, third))


def test_two_runs_begun_in_one_second_have_two_names(tmp_path: Path) -> None:
    names = [bundles.run_id(begin(tmp_path, START)) for _ in range(3)]
    assert names == ["20260131T060000Z", "20260131T060000Z-2", "20260131T060000Z-3"]


def test_the_last_three_that_were_not_published_are_kept_for_looking(tmp_path: Path) -> None:
    for hour in range(5):
        end(begin(tmp_path, START.replace(hour=hour)), "failed")
    good = brought_out(tmp_path, 6)
    assert runs(tmp_path) == [*(f"20260131T0{hour}0000Z.failed" for hour in (2, 3, 4)), good]


class Countdown:
    """A kill before one more step than so many."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def then(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **more: Any) -> Any:
            self.steps -= 1
            if self.steps < 0:
                raise KeyboardInterrupt
            return original(*given, **more)

        return counted


def test_a_kill_at_any_step_leaves_a_whole_bundle_and_the_next_run_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the last name of the folder to the removal of an old one: a kill before each step in turn."""
    first = brought_out(tmp_path, 0)
    for hour in (1, 2, 3):
        brought_out(tmp_path, hour)
    steps = [(os, "rename"), (os, "replace"), (shutil, "rmtree")]
    step, killed = 0, True
    while killed:
        before, hour = published(tmp_path), 4 + step
        assert before is not None
        with monkeypatch.context() as patch:
            count = Countdown(step)
            for module, name in steps:
                patch.setattr(module, name, count.then(getattr(module, name)))
            try:
                brought_out(tmp_path, hour)
                killed = False
            except KeyboardInterrupt:
                step += 1
        after = published(tmp_path)
        assert after is not None
        assert after.first == first
        assert after.current in (before.current, f"20260131T{hour:02d}0000Z")
        assert all((tmp_path / "runs" / run / "run.json").is_file() for run in after.runs)
        for folder in left_behind(tmp_path):
            assert bundles.run_id(folder) != after.current
            assert "killed before it was done" in say_last_word(folder)
        assert left_behind(tmp_path) == ()
    assert step >= 5
    assert runs(tmp_path)[0] == first
