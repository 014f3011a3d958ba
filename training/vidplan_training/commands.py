# SPDX-License-Identifier: Apache-2.0
"""The commands of `vidplan-train`: names, where their settings are declared and what runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command.

    name: two words for one of a group.
    text: for the help.
    settings: `module:class` of its settings, within this package.
    run: `module:function` that takes them.
    recipe: whether its fields are set by --set and it trains something that is kept.
    """

    name: str
    text: str
    settings: str
    run: str
    recipe: bool = True


def _recipe(name: str, text: str, module: str, settings: str) -> Command:
    package = f'recipes.{module}'
    return Command(name, text, f'{package}.settings:{settings}', f'{package}.recipe:run')


def _evaluation(what: str, text: str, settings: str, module: str = '') -> Command:
    run = f'evaluation.{module or what.replace("-", "_")}:run'
    return Command(f'evaluate {what}', text, f'evaluation.settings:{settings}', run, recipe=False)


_ALL = (
    Command(
        'collect',
        'record episodes of the simulated cell',
        'collect.collect:CollectSettings',
        'collect.collect:run',
        recipe=False,
    ),
    Command(
        'cameras',
        "write the cell's nominal camera layout",
        'collect.cameras:CamerasSettings',
        'collect.cameras:run',
        recipe=False,
    ),
    Command(
        'shards',
        "lay a robot's episodes out as the cell's are",
        'data.lay_out:ShardsSettings',
        'data.lay_out:run',
        recipe=False,
    ),
    Command(
        'extract-latents',
        'encode recorded episodes once',
        'data.extract_latents:ExtractSettings',
        'data.extract_latents:run',
        recipe=False,
    ),
    _recipe('autoencoder', 'train the per-view autoencoder', 'autoencoder', 'AutoencoderRecipe'),
    _recipe(
        'world-model',
        'train the action-conditioned world model',
        'world_model',
        'WorldModelRecipe',
    ),
    _recipe('flow-map', 'distil the world model into few steps', 'flow_map', 'FlowMapRecipe'),
    Command(
        'memory',
        "count what a training takes of each GPU's memory",
        'recipes.world_model.memory:MemorySettings',
        'recipes.world_model.memory:run',
        recipe=False,
    ),
    _recipe(
        'contact',
        'collect and train what foresees touching, in one run',
        'contact',
        'ContactRecipe',
    ),
    Command(
        'held',
        'calibrate whether a closing will hold',
        'recipes.contact.held:HeldRecipe',
        'recipes.contact.held:run',
    ),
    _recipe(
        'success',
        'train what sees whether a thing is held, or lies where it was to be put',
        'success',
        'SuccessRecipe',
    ),
    _recipe(
        'grasp',
        'train what sees where and how a thing is grasped',
        'grasp',
        'GraspRecipe',
    ),
    _recipe(
        'relevancy-head',
        'distil the semantic tower into a head that reads latents',
        'relevancy',
        'RelevancyHeadRecipe',
    ),
    _recipe('policy', 'train the policy whose chunks are planned from', 'policy', 'PolicyRecipe'),
    _recipe('semantic', 'train the semantic scorer', 'semantic', 'SemanticRecipe'),
    Command(
        'uncertainty-head',
        'train the head that says how wrong an imagination may be',
        'recipes.heads.settings:UncertaintyHeadRecipe',
        'recipes.heads.recipe:run',
    ),
    Command(
        'hallucination-head',
        'train the head that finds what an imagination cannot have from what was seen',
        'recipes.heads.settings:HallucinationHeadRecipe',
        'recipes.heads.recipe:run',
    ),
    Command(
        'value-head',
        'train the head that says how near to success an imagination is',
        'recipes.heads.settings:ValueHeadRecipe',
        'recipes.heads.recipe:run',
    ),
    Command(
        'heads',
        'train and judge both heads on episodes of any source, in one run',
        'evaluation.settings:HeadsRecipe',
        'evaluation.heads:run',
        recipe=False,
    ),
    Command(
        'novelty',
        'remember what training scenes look like, to notice strange ones',
        'recipes.novelty:NoveltyRecipe',
        'recipes.novelty:run',
    ),
    Command(
        'conformal',
        'bound predicted values from below, with known probability',
        'evaluation.settings:ConformalRecipe',
        'evaluation.value.conformal:run',
    ),
    _recipe(
        'adapter',
        'train how the arm follows commanded joint velocities',
        'adapter',
        'AdapterRecipe',
    ),
    _evaluation('world-model', 'quality and speed of one imagined chunk', 'EvaluateWorldModel'),
    _evaluation('rollout', 'drift of imagination that is fed back', 'EvaluateRollout'),
    _evaluation(
        'semantic', 'which objects the semantic scorer finds, and where', 'EvaluateSemantic'
    ),
    _evaluation(
        'uncertainty',
        'whether the uncertainty head is calibrated and finds errors',
        'EvaluateUncertainty',
        'uncertainty.evaluate',
    ),
    _evaluation(
        'value',
        'whether the value head is calibrated and ranks',
        'EvaluateValue',
        'value.evaluate',
    ),
    _evaluation(
        'contact',
        'whether grasps are foreseen and the value orders what touching comes to',
        'EvaluateContact',
        'contact.evaluate',
    ),
    _evaluation(
        'success',
        'whether the success detector is right, and calibrated',
        'EvaluateSuccess',
        'contact.success',
    ),
    _evaluation(
        'grasp',
        'how far off the grasp head is',
        'EvaluateGrasp',
        'contact.grasp',
    ),
)

COMMANDS = {command.name: command for command in _ALL}
