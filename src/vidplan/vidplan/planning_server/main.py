# SPDX-License-Identifier: Apache-2.0
"""The planning server: three nodes in one process, because tensors do not travel over topics."""

from __future__ import annotations

import signal
import sys
import threading
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from vidplan.parameters.files import check_arguments
from vidplan.planning_server.planner import PlannerNode
from vidplan.planning_server.planning_host import PlanningHost
from vidplan.planning_server.reward import RewardNode
from vidplan.planning_server.world_model import WorldModelNode
from vidplan.ros.lifecycle import ManagedNode
from vidplan.ros.log_folder import log_folder
from vidplan.ros.running import EXIT_CONFIG, EXIT_OK, report_start_failure
from vidplan_core.errors import VidPlanError
from vidplan_sim.ros.executors import ThreadsExecutor
from vidplan_sim.ros.room import make_room_for_images

EXIT_FAILED = 1
# A running goal, two services, observations, adapter status, and the rest.
_THREADS = 6
# How often a signal, and the end of a node, are looked for.
_LOOK_S = 0.1
# The result of a goal that was ended is sent a moment after the goal has ended.
_FAREWELL_S = 0.3


class PlanningServer:
    """The three nodes, their executor, and the order in which they start and stop."""

    def __init__(self, host: PlanningHost | None = None) -> None:
        self.host = host or PlanningHost()
        self.planner = PlannerNode(self.host)
        self.world_model = WorldModelNode(self.host, self.planner.config)
        self.reward = RewardNode(self.host)
        self._executor = ThreadsExecutor(num_threads=_THREADS)
        for node in self.nodes:
            self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name='executor')
        self._stopping = threading.Event()
        self.ended = threading.Event()
        self.error: BaseException | None = None

    @property
    def nodes(self) -> tuple[ManagedNode, ...]:
        """The nodes in the order in which they must be configured."""
        return self.world_model, self.reward, self.planner

    def start(self) -> None:
        """Spin, and with `autostart` load the models and accept goals.

        Raises:
            VidPlanError: the models cannot be loaded.
        """
        self._thread.start()
        if not self.planner.parameters.autostart:
            return
        for words in ('configure', 'activate'):
            for node in self.nodes:
                if not self._finalized:
                    _demand(node, node.change(words))

    def wait(self) -> None:
        """Return when the process is to end: they work together, so one of them is enough."""
        while not self.ended.wait(_LOOK_S):
            if self._finalized:
                return

    @property
    def _finalized(self) -> bool:
        return any(node.finalized for node in self.nodes)

    def stop(self) -> None:
        """End the running goal with the arm at rest, then everything else."""
        if self.planner.active:
            self.planner.change('deactivate')
            time.sleep(_FAREWELL_S)
        # The thread first: shutting the executor down under it makes rclpy complain.
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=5.0)
        self.host.close()
        for node in self.nodes:
            node.destroy_node()

    def _spin(self) -> None:
        try:
            while rclpy.ok() and not self._stopping.is_set():
                self._executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()


def _demand(node: ManagedNode, result: TransitionCallbackReturn) -> None:
    if result == TransitionCallbackReturn.SUCCESS or node.finalized:
        return
    if isinstance(node.failure, VidPlanError):
        raise node.failure
    raise VidPlanError(f'{node.get_name()} did not start: {node.failure}')


def main(args: list[str] | None = None, host: PlanningHost | None = None) -> int:
    """Run the planning server, with the models of a host, until it is stopped.

    The signals are taken here and not by rclpy, which would end the communication before the
    arm could be stopped.
    """
    server = None
    try:
        log_folder()
        make_room_for_images()
        # No handlers of rclpy's own: its shutdown at the signal would cut the way to the adapter.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        check_arguments(args)
        server = PlanningServer(host)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.ended.set())
        server.start()
        server.wait()
    except VidPlanError as error:
        report_start_failure(error)
        return EXIT_CONFIG
    finally:
        if server is not None:
            server.stop()
        rclpy.try_shutdown()
    if server.error is not None:
        print(f'INTERNAL: the executor ended: {server.error!r}', file=sys.stderr, flush=True)
        return EXIT_FAILED
    return EXIT_OK


if __name__ == '__main__':
    sys.exit(main())
