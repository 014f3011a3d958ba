# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from vidplan_core.control.franka.recovery import Done, Recovery, Step


class Driver:
    """Remembers what it was asked for; answers when told to."""

    def __init__(self, tries: int = 2) -> None:
        self.asked: list[str] = []
        self.answers: list[Done] = []
        self.ends: list[bool] = []
        self.now_s = 0.0
        steps = [Step(name, self._asker(name), 2.0) for name in ('clear', 'hardware', 'switch')]
        self.recovery = Recovery(steps, tries, self.ends.append, lambda: self.now_s)

    def _asker(self, name: str):  # noqa: ANN202
        def start(done: Done) -> None:
            self.asked.append(name)
            self.answers.append(done)

        return start

    def answer(self, problem: str = '') -> None:
        self.answers[-1](problem)


def test_steps_follow_each_other() -> None:
    driver = Driver()
    assert driver.recovery.begin()
    for _ in range(3):
        assert driver.recovery.running
        driver.answer()
    assert driver.asked == ['clear', 'hardware', 'switch']
    assert driver.ends == [True]
    assert not driver.recovery.running


def test_begins_again_where_a_step_fails_and_gives_up_in_the_end() -> None:
    driver = Driver(tries=2)
    driver.recovery.begin()
    driver.answer()
    driver.answer('not configured')
    assert driver.asked == ['clear', 'hardware', 'clear']
    driver.answer('no such server')
    assert driver.ends == [False]
    assert driver.recovery.problem == 'clear: no such server (try 2 of 2)'
    assert len(driver.asked) == 3


def test_a_step_without_an_answer_is_given_up_and_its_late_answer_ignored() -> None:
    driver = Driver(tries=2)
    driver.recovery.begin()
    late = driver.answers[0]
    driver.now_s = 1.9
    driver.recovery.poll()
    assert len(driver.asked) == 1
    driver.now_s = 2.1
    driver.recovery.poll()
    late('')
    assert driver.asked == ['clear', 'clear']
    assert not driver.recovery.begin()
    driver.now_s = 4.2
    driver.recovery.poll()
    assert driver.ends == [False]
    assert 'no answer within 2 s' in driver.recovery.problem
