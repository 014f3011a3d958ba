# SPDX-License-Identifier: Apache-2.0
"""Named errors: each says what was wrong and what would be right."""

from __future__ import annotations


class VidPlanError(Exception):
    """Base of every error that VidPlan raises on purpose; `code` names it."""

    code = 'VIDPLAN_ERROR'


class ObservationError(VidPlanError):
    """An image, joint state or history that the planner must not plan from."""

    code = 'INVALID_OBSERVATION'


class InstructionError(VidPlanError):
    """An instruction without a phrase that could be looked for."""

    code = 'INVALID_INSTRUCTION'


class TargetNotFoundError(VidPlanError):
    """No view shows anything that matches the phrase."""

    code = 'TARGET_NOT_FOUND'


class NoProgressError(VidPlanError):
    """A task that comes no nearer to its end, whatever is tried."""

    code = 'NO_PROGRESS'


class UnexpectedOutcomeError(VidPlanError):
    """What is seen is not what was imagined of the motion that the arm has just made."""

    code = 'UNEXPECTED_OUTCOME'


class ModelError(VidPlanError):
    """Weights or their description that are missing, corrupt or of the wrong shape."""

    code = 'INVALID_MODEL'


class ConfigError(VidPlanError):
    """A configuration value outside its range."""

    code = 'INVALID_CONFIG'


class IkError(VidPlanError):
    """A pose that the arm cannot reach within its limits.

    Attributes:
        index: which pose of the chunk.
        error_m: distance that remained, m.
        error_rad: angle that remained, rad.
    """

    code = 'IK_FAILED'

    def __init__(self, index: int, error_m: float, error_rad: float, tolerance_m: float) -> None:
        super().__init__(
            f'pose {index} of the chunk is out of reach: {error_m * 1e3:.1f} mm and '
            f'{error_rad:.3f} rad remain within the joint limits, allowed {tolerance_m * 1e3:.1f} '
            'mm; plan a shorter step or one nearer to the middle of the workspace'
        )
        self.index = index
        self.error_m = error_m
        self.error_rad = error_rad


class CommandRejectedError(VidPlanError):
    """A command that failed a safety check; `reason` is one of the checker's constants."""

    code = 'COMMAND_REJECTED'

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f'{reason}: {message}')
        self.reason = reason


class PolicyServerError(VidPlanError):
    """A policy server that gave no usable answer; `reason` says why, in one word."""

    code = 'POLICY_SERVER_FAILED'

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f'{reason}: {message}')
        self.reason = reason
