"""What the part `capacity` makes of its counts."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks.capacity import flood, product, usage, worker
from benchmarks.capacity.usage import Usage
from benchmarks.path import Load
from benchmarks.targets import TARGETS


def test_the_usage_of_a_process_has_that_of_its_children() -> None:
    before = Usage.of(os.getpid())
    # Longer than it is waited for: the system counts in hundredths, and may miss the last ones.
    spin = "import time; began = time.process_time()\nwhile time.process_time() - began < 0.5: pass\ninput()"
    with subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.PIPE) as child:
        try:
            while Usage.of(child.pid).cpu < 0.3:
                time.sleep(0.01)
            assert Usage.of(os.getpid()).since(before).cpu >= 0.3
        finally:
            child.kill()


def test_what_was_used_since_is_counted_for_each_by_name(monkeypatch) -> None:
    monkeypatch.setattr(Usage, "of", lambda pid: Usage(cpu=pid, written=10 * pid))
    assert usage.since({"a": Usage(1.0, 5)}, {"a": 3}) == {"a": Usage(2.0, 25)}


def test_a_sync_takes_time_and_a_file_takes_whole_blocks(tmp_path) -> None:
    assert usage.sync_ms(tmp_path / "file") >= 0
    assert usage.disk_mib(tmp_path) == pytest.approx(usage.SYNCS * 4096 / usage.MIB, rel=0.1)


def test_the_busiest_node_says_what_a_core_second_is_good_for() -> None:
    measured = Load(trips=[0.1] * 100, ends=[1.0] * 100, seconds=2.0)
    used = {"node-0": Usage(0.1, 409_600), "node-1": Usage(0.2, 102_400), "worker": Usage(0.05, 0)}
    assert flood.figures(measured, 100, used, asker=0.25) == {
        "per_second": 50,
        "servers_cpu_ms": 3.0,
        "busiest_cpu_ms": 2.0,
        "per_core_second": 500,
        "worker_cpu_ms": 0.5,
        "asker_cpu_ms": 2.5,
        "cores_busy_servers": 0.15,
        "cores_busy_clients": 0.15,
        "written_kib_a_node": 4.0,
    }


def look(at: float, cpu: float, memory: float, number: int, size: int) -> product.Look:
    names = ("userbot", "generate", "nats")
    streams = (*product.STREAMS, product.MARKS)
    return product.Look(
        at,
        {name: Usage(cpu, 0) for name in names},
        dict.fromkeys(names, memory),
        dict.fromkeys(streams, number),
        dict.fromkeys(streams, size),
    )


def test_a_question_costs_what_all_have_cost_the_second_time_and_a_chat_what_new_ones_took() -> None:
    people, new = product.PEOPLE, product.PEOPLE - product.FIRST
    first, second = look(0, 1, 80, 0, 0), look(1, 2, 80 + 3 * new / 1024, 100, 1000)
    third = look(1 + people / 50, 2 + 0.01 * people, 90, 100 + 4 * people, 1000 + 800 * people)
    found = product.figures(first, second, third)
    assert (found["per_second"], found["edge_cpu_ms"], found["edge_kib_a_chat"]) == (50, 10, 3)
    assert found["writes"] == dict.fromkeys((*product.STREAMS, product.MARKS), 4)
    assert (found["request_bytes"], found["reply_bytes"]) == (800, 800)


def test_an_answer_of_the_model_is_counted_by_crowd() -> None:
    measured = Load(trips=[0.5, 1.5], ends=[1.0, 2.0], seconds=4.0)
    assert worker.figures(4, measured, cpu=3.0, tokens=30) == {
        "answers_per_second_4": 0.5,
        "answer_p50_seconds_4": 1.0,
        "cpu_seconds_4": 1.5,
        "tokens_an_answer_4": 15.0,
    }


def test_there_are_enough_questions_and_each_crowd_has_its_own() -> None:
    asked = [list(worker.questions(name)) for name in worker.NAMES.values()]
    assert min(map(len, asked)) >= worker.QUESTIONS
    assert not set(asked[0]) & set(asked[1])


def test_the_targets_of_the_part_are_of_figures_that_it_has() -> None:
    parts = {key.split(".")[1] for key in TARGETS if key.startswith("capacity.")}
    assert parts <= {"nats_1", "nats_3", "product", "bridge"}
