"""The long scenarios, played small: the trouble is there, and the checker finds nothing wrong."""

import random

import pytest

from tests.durability import refused_resumes, repeats, resumes, storm
from tests.durability.everything import Job, done, done_at_once, jobs, table
from tests.durability.scenario import Played, told


@pytest.mark.parametrize(
    ("scenario", "trouble", "least"),
    [
        (resumes, "resumes", resumes.QUICK_RESUMES),
        (refused_resumes, "refused resumes", refused_resumes.QUICK_REFUSED),
        (repeats, "to another session", 1),
        (storm, "of them 429", 1),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
async def test_nothing_is_lost_or_doubled(scenario, trouble, least) -> None:
    played = await scenario.play(random.Random(1), True)

    assert played.violations == []
    assert played.figures[trouble] >= least


def test_a_scenario_tells_its_figures_in_one_line() -> None:
    played = Played(figures={"resumes": 1200, "s to read them": 10.1}, violations=[])

    assert (
        told("resumes", played, seconds=61.2) == "resumes: 1,200 resumes, 10.1 s to read them, 0 violations, 61 s"
    )


def test_the_table_adds_up_what_each_fault_came_to() -> None:
    kill = "kill -9 (sqlite)"
    first = done(Job(fault=kill, work=lambda: (8, [("lost", "a"), ("lost", "b"), ("ping", "c")])))
    second = done(Job(fault=kill, work=lambda: (4, [("disorder", "d")])))
    broken = done(Job(fault="resumes", work=lambda: 1 // 0))

    heading, killed, resumed = table([first, second, broken]).splitlines()

    assert heading.split() == ["fault", "runs", "lost", "doubled", "out", "of", "order", "else", "seconds"]
    assert killed.removeprefix(kill).split() == ["12", "2", "0", "1", "1", "0"]
    assert resumed.split() == ["resumes", "0", "0", "0", "0", "1", "0"]
    assert "ZeroDivisionError" in broken.found[0][1]


def test_jobs_are_shared_out_and_done_in_processes_of_their_own() -> None:
    wanted = list(jobs(killed=20, told=50, seed=3, quick=True))
    kills = [job.work.args for job in wanted if job.fault.startswith("kill")]

    (row,) = done_at_once([wanted[-1]], at_once=1)

    assert sum(count for _, count in kills) == 20
    assert len({kill.seed for kill, _ in kills}) == len(kills)
    assert (row.runs, row.found) == (1, [])
