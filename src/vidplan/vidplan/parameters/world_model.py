# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `world_model`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.robot import PaceParameters
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT
from vidplan_core.knobs import check_knobs, knob, knob_group


@dataclass(frozen=True)
class WorldModelParameters:
    """Where the models are, how they run, and what is shown of them."""

    models: str = knob('', "folder of the models; '': the cell models of this package")
    require_manifest: bool = knob(
        True,
        'refuse models without manifest.json, which says what belongs to them (vidplan models '
        'seal DIR); one that does not hold is always refused',
    )
    device: str = knob('cpu', 'where the models run: cpu, cuda, cuda:1 ...')
    robot: str = knob(
        DEFAULT_ROBOT,
        'whose limits motions keep to and whose tool is brought to targets: a file of '
        'config/robots, or the path of another; as for stitcher and adapter',
    )
    pace: PaceParameters = knob_group(PaceParameters, prefix='')
    threads: int = knob(
        0, 'processor threads of the models; 0: as many as PyTorch likes', low=0, high=256
    )
    max_candidates: int = knob(
        64, 'most motions in one call of world_model/rollout', low=1, high=4096
    )
    rollout_steps: int = knob(
        1, 'sampling steps of world_model/rollout when a call says 0', low=1, high=64
    )
    publish_prediction: bool = knob(
        True,
        'world_model/prediction and .../futures of every plan, while somebody subscribes',
        mutable=True,
    )
    publish_uncertainty: bool = knob(
        True,
        "world_model/uncertainty, likewise; needs the models' uncertainty head",
        mutable=True,
    )
    drawing_share: float = knob(
        0.3,
        'most of the time that these pictures may take, where that is much beside planning; plans '
        'that come meanwhile are not drawn',
        low=0.01,
        high=1.0,
    )

    def __post_init__(self) -> None:
        check_knobs(self)
