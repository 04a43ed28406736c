"""The pace of writes: never more than allowed, half after busy, back one by one."""

import threading
from concurrent.futures import ThreadPoolExecutor

from refund_pipeline.steps.pace import Pace


def test_never_more_run_at_once_than_allowed() -> None:
    pace, lock = Pace(3), threading.Lock()
    running, most = 0, 0
    gate = threading.Barrier(3)

    def work(number: int) -> None:
        nonlocal running, most
        with pace.slot():
            with lock:
                running += 1
                most = max(most, running)
            if number < 3:
                gate.wait(timeout=30)
            with lock:
                running -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert most == 3


def test_busy_halves_the_slots_down_to_one() -> None:
    pace = Pace(8)
    allowed = []
    for _ in range(4):
        pace.busy()
        allowed.append(pace.allowed)
    assert allowed == [4, 2, 1, 1]


def test_accepted_writes_bring_the_slots_back_one_by_one_and_no_further() -> None:
    pace = Pace(4)
    pace.busy()
    allowed = []
    for _ in range(4):
        for _ in range(10):
            pace.accepted()
        allowed.append(pace.allowed)
    assert allowed == [3, 4, 4, 4]


def test_a_busy_answer_starts_the_count_again() -> None:
    pace = Pace(2)
    pace.busy()
    for _ in range(9):
        pace.accepted()
    pace.busy()
    pace.accepted()
    assert pace.allowed == 1


def test_a_smaller_allowance_makes_the_next_wait_until_enough_are_done() -> None:
    pace = Pace(2)
    entered = threading.Event()

    def late() -> None:
        with pace.slot():
            entered.set()

    with pace.slot():
        pace.busy()
        thread = threading.Thread(target=late)
        thread.start()
        assert not entered.is_set()
    thread.join(timeout=30)
    assert entered.is_set()
