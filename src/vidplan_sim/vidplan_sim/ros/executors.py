# SPDX-License-Identifier: Apache-2.0
"""Executors that keep what they wait for, instead of gathering it anew for every message.

They replace private methods of rclpy 7, the one of Jazzy; another one needs another look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.event_handler import EventHandler
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    ConditionReachedException,
    Executor,
    ExternalShutdownException,
    MultiThreadedExecutor,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.task import Task
from rclpy.utilities import timeout_sec_to_nsec

# What the middleware says of partners that do not fit is for people, who can wait so long, s.
_EVENTS_EVERY_S = 1.0
# What a node has, in the order of turns: as it calls them, as a wait set calls one, what takes it.
_KINDS = (
    ('timers', 'timer', '_take_timer'),
    ('subscriptions', 'subscription', '_take_subscription'),
    ('guards', 'guard_condition', '_take_guard_condition'),
    ('clients', 'client', '_take_client'),
    ('services', 'service', '_take_service'),
)


@dataclass(frozen=True)
class _Waited:
    """What can become ready, its node, and the name of what takes it then."""

    entity: Any
    node: Any
    take: str


class _Entities:
    """All that some nodes wait for, and a wait set with room for it.

    Attributes:
        of_kind: for every kind of rcl, entities by the address of their handle.
        waitables: what is several entities in one, such as actions.
        events: what the middleware has to say.
        wait_set: of rcl; two guards of an executor have a place in it, too.
    """

    def __init__(self, nodes: Sequence[Any], context: Any) -> None:
        self.of_kind = {
            kind: {
                one.handle.pointer: _Waited(one, node, take)
                for node in nodes
                for one in getattr(node, name)
            }
            for name, kind, take in _KINDS
        }
        found = [_Waited(one, node, '_take_waitable') for node in nodes for one in node.waitables]
        self.waitables = [one for one in found if not isinstance(one.entity, EventHandler)]
        self.events = [one for one in found if isinstance(one.entity, EventHandler)]
        numbers = [one.entity.get_num_entities() for one in found]

        def room(kind: str) -> int:
            parts = sum(getattr(number, f'num_{kind}s') for number in numbers)
            return len(self.of_kind.get(kind, ())) + parts

        with context.handle:
            self.wait_set = rclpy_implementation.WaitSet(
                room('subscription'), room('guard_condition') + 2, room('timer'), room('client'),
                room('service'), room('event'), context.handle,
            )  # fmt: skip


class KeepingExecutor(Executor):
    """Gathers the entities of its nodes when they change; rclpy's do so at every wait.

    A message then costs a fraction of the time, which other threads of the process have instead.
    What the middleware has to say of partners that do not fit is looked at once a second.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._changes, self._known = 0, -1
        self._entities: _Entities | None = None
        self._events_due_s = 0.0
        super().__init__(**kwargs)

    def wake(self) -> None:
        """Wake up, and look anew at what nodes have: they call this when it changes."""
        self._changes += 1
        super().wake()

    def add_node(self, node: Any) -> bool:
        """See `Executor`."""
        added = super().add_node(node)
        self.wake()
        return bool(added)

    def remove_node(self, node: Any) -> None:
        """See `Executor`."""
        super().remove_node(node)
        self.wake()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """See `Executor`."""
        done = bool(super().shutdown(timeout_sec))
        self._entities = None
        return done

    def _wait_for_ready_callbacks(
        self, timeout_sec: Any = None, nodes: Any = None,
        condition: Callable[[], bool] = lambda: False,
    ) -> Generator[tuple[Task, Any, Any], None, None]:  # fmt: skip
        """Yield what is ready to be executed; exceptions as of `Executor`."""
        wait_ns = timeout_sec_to_nsec(getattr(timeout_sec, 'timeout', timeout_sec))
        deadline_ns, yielded = time.monotonic_ns() + wait_ns, False
        while not (yielded or self._is_shutdown or condition()):
            for begun in self._begun():
                yielded = True
                yield begun
            left_ns = max(deadline_ns - time.monotonic_ns(), 0) if wait_ns > 0 else wait_ns
            for one in self._ready(0 if yielded else left_ns):
                if one.entity.callback_group.can_execute(one.entity):
                    yielded = True
                    handler = self._make_handler(one.entity, one.node, getattr(self, one.take))
                    yield handler, one.entity, one.node
            if wait_ns == 0 or (wait_ns > 0 and time.monotonic_ns() >= deadline_ns):
                raise TimeoutException
        if self._is_shutdown:
            raise ShutdownException
        if condition():
            raise ConditionReachedException

    def _begun(self) -> list[Any]:
        """Tasks to go on with; those that are done are forgotten."""
        with self._tasks_lock:
            self._tasks = [one for one in self._tasks if not (one[0].done() or one[0].cancelled())]
            return [one for one in reversed(self._tasks) if not one[0].executing()]

    def _ready(self, timeout_ns: int) -> list[_Waited]:
        """Wait, and return what is ready then."""
        changes = self._changes
        if self._entities is None or changes != self._known:
            self._entities, self._known = _Entities(self.get_nodes(), self._context), changes
        entities = self._entities
        entered: list[Any] = []
        entities.wait_set.clear_entities()
        try:
            self._add(entities, entered)
            asked = self._add_waitables(entities, entered)
            entities.wait_set.wait(timeout_ns)
            self._check()
            return self._found(entities, asked)
        finally:
            for handle in entered:
                handle.__exit__(None, None, None)

    def _add(self, entities: _Entities, entered: list[Any]) -> None:
        """Put what may be executed now into the wait set, and hold on to it meanwhile."""
        for kind, members in entities.of_kind.items():
            add = getattr(entities.wait_set, f'add_{kind}')
            for one in members.values():
                if self.can_execute(one.entity) and _enter(one.entity.handle, entered):
                    if kind == 'guard_condition' and one.entity._executor_triggered:
                        one.entity.trigger()  # once more: it was not handled yet
                    add(one.entity.handle)
        for guard in (self._guard, self._sigint_gc):
            if guard is not None and _enter(guard.handle, entered):
                entities.wait_set.add_guard_condition(guard.handle)
        _enter(self._context.handle, entered)

    def _add_waitables(self, entities: _Entities, entered: list[Any]) -> list[_Waited]:
        """The same of waitables, which are returned; of events only now and then."""
        asked = entities.waitables
        if (now_s := time.monotonic()) >= self._events_due_s:
            self._events_due_s = now_s + _EVENTS_EVERY_S
            asked = [*asked, *entities.events]
        asked = [one for one in asked if self.can_execute(one.entity)]
        asked = [one for one in asked if _enter(one.entity, entered)]
        for one in asked:
            one.entity.add_to_wait_set(entities.wait_set)
        return asked

    def _check(self) -> None:
        if self._is_shutdown:
            raise ShutdownException
        if not self._context.ok():
            raise ExternalShutdownException

    def _found(self, entities: _Entities, asked: list[_Waited]) -> list[_Waited]:
        """What a wait has found ready."""
        wait_set = entities.wait_set
        found = [one for one in asked if one.entity.is_ready(wait_set)]
        for kind, members in entities.of_kind.items():
            for pointer in wait_set.get_ready_entities(kind):
                one = members.get(pointer)  # None for an executor's own guards
                if one is None or (kind == 'timer' and not one.entity.handle.is_timer_ready()):
                    continue
                if kind == 'guard_condition':
                    one.entity._executor_triggered = True
                found.append(one)
        return found


def _enter(handle: Any, entered: list[Any]) -> bool:
    """Keep a handle from being destroyed while it is waited for; False if it is already."""
    try:
        handle.__enter__()
    except InvalidHandle:
        return False
    entered.append(handle)
    return True


class OneThreadExecutor(KeepingExecutor, SingleThreadedExecutor):
    """Runs callbacks in the thread that spins."""

    def _make_handler(self, entity: Any, node: Any, take_from_wait_list: Any) -> Task:
        """See `Executor`; without waking itself, since it looks again after every callback."""
        entity._executor_event = True
        task = Task(self._handle, (entity, take_from_wait_list), executor=self)
        with self._tasks_lock:
            self._tasks.append((task, entity, node))
        return task

    async def _handle(self, entity: Any, take: Callable[[Any], Any]) -> None:
        entity._executor_event = False
        if self._is_shutdown or not entity.callback_group.beginning_execution(entity):
            return
        with self._work_tracker:
            try:
                if (work := take(entity)) is not None:
                    await work()
            finally:
                entity.callback_group.ending_execution(entity)


class ThreadsExecutor(KeepingExecutor, MultiThreadedExecutor):
    """Runs callbacks in a pool of threads."""
