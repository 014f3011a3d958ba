# SPDX-License-Identifier: Apache-2.0
"""Words that an instruction is made of, by what they do in it.

Every word of a name must be known as a thing, another noun or an adjective (`words/`, of WordNet),
and none may be one of those that do something else in a sentence: what is not understood is
refused instead of swallowed into a name.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name('words')


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _listed(name: str) -> frozenset[str]:
    """Words of a file of `words/`; its first line is a notice."""
    return _words((FOLDER / f'{name}.txt').read_text(encoding='utf-8').partition('\n')[2])


ARTICLES = _words('a an the this that some one my your our his her its their')
PRONOUNS = _words(
    'it them him there here thing something anything everything nothing me us you i we they'
    ' myself itself yourself one ones who whoever'
)
GENERIC = _words('object item stuff')
# Adjectives that cannot stand alone; an orange can.
NO_NOUN = _words(
    'one ones black white gray grey silver red yellow green blue purple pink brown golden beige'
    ' little high low higher lower bit lot fast hard full empty clean dirty big small large tiny'
)
DIRECTIONS = _words('left right up down forward forwards back backward backwards')
NEGATIONS = _words("not don't dont never without no nor nothing avoid except instead")
STOPPING = _words('stop cancel halt abort freeze')

# How a motion is made. It is the robot's to choose how fast and how gently: these are left out.
ADVERBS = _words(
    'slowly carefully gently quickly directly immediately softly smoothly quietly calmly steadily'
    ' cautiously delicately simply neatly nicely properly safely precisely accurately'
)
# Adverbs where no name follows: a slow cooker, a straight ruler.
ADVERBS_ALONE = _words('quick slow straight')
MANNERS = (
    'as fast as possible', 'as quickly as possible', 'as slowly as possible', 'as fast as you can',
    'as soon as possible', 'as gently as possible', 'as carefully as possible', 'with care',
    'with great care', 'at once', 'in one go', 'right away', 'right now', 'without rushing',
    'without hurry', 'without hurrying', 'straight away',
)  # fmt: skip
DEGREES = _words('very really quite rather so more')
# Words in -ly that are no adverbs.
NOUNS_IN_LY = _words(
    'lily jelly belly doily butterfly dragonfly firefly fly trolley ply assembly family wooly'
    ' curly wrinkly bubbly smelly lovely ugly silly oily'
)

# What chooses among objects of one name by their places or sizes.
POSITIONS = _words(
    'left right front back rear middle center centre top bottom upper lower leftmost rightmost'
    ' topmost near nearest closest far farthest furthest nearer closer farther further other'
    ' another next previous opposite adjacent corner edge side'
)
# Of which a left one is another thing than one on the left.
PAIRED = _words(
    'glove mitten shoe sock boot slipper sandal sneaker earring earbud earphone shoelace'
)
ORDINALS = _words('first second third fourth fifth sixth last')
COMPARISONS = _words(
    'biggest largest smallest tallest shortest longest widest heaviest lightest bigger larger'
    ' smaller taller shorter longer wider heavier lighter same different'
)
QUANTITIES = _words(
    'all every each both either any several many few most half two three four five six seven'
    ' eight nine ten dozen these those cm mm m km inch inches meter meters metre metres'
    ' centimeter centimeters centimetre centimetres degree degrees kg gram grams second seconds'
    ' minute minutes percent times twice'
)

# What says where something is, and opens another noun phrase.
RELATIONS = _words(
    'in into inside within on onto upon at by beside besides near under underneath beneath below'
    ' above over behind between among around along across through against from off out outside'
    ' toward towards to past opposite next close away up down'
)
# Verbs, conjunctions and the rest of a sentence. `pick` and `place` may end a name (guitar pick).
OTHER = _words(
    'put pick grab grasp take bring move go give insert wipe pour stir get lift reach remove throw'
    ' place fetch carry transfer want is are was be do does did make let if when until while'
    ' because'
    ' before after unless using for than but as upside again too also who which what where whose'
    ' how why then and or could should would will may must please of with sideways'
    ' upright flip rotate turn tilt push pull slide open close unfold pickup whatever whichever'
    ' somewhere anywhere like plus minus versus via'
)
NEVER_IN_A_NAME = RELATIONS | OTHER | QUANTITIES | ADVERBS | NEGATIONS | STOPPING
# Adjectives of objects, though verbs as well.
STATES = _words('open close')

ROBOT_PARTS = _words(
    'robot gripper grippers arm hand hands finger fingers fingertip fingertips flange wrist elbow'
    ' shoulder joint joints effector end-effector tool camera cameras base tcp yourself home'
)
SURFACES = _words(
    'table tabletop desk desktop floor ground counter countertop workspace workbench bench surface'
    ' worktop room air world'
)
# With these, a name of a robot's part is the name of a thing.
TOYS = _words('toy lego model plush plastic screwdriver power garden')

# Names that have no singular, or look like a plural.
PLURAL_NAMES = _words(
    'scissors pliers tweezers tongs glasses sunglasses goggles headphones earphones pants jeans'
    ' shorts keys chips grapes noodles lens gas canvas atlas series binoculars clippers shears'
    ' pringles doritos skittles cheerios legos oats chopsticks cards clothes bellows molasses'
    ' thermos'
)
HOLDERS = _words(
    'bottle can cup bag box pack packet roll stick jar tube carton tin glass mug bowl plate piece'
    ' slice bar pair block bunch stack sheet ball loaf head ear spool container tub pot deck'
)

PERSONS = _words('man woman boy girl person guy people')
# Parts that are no things of their own: a robot is given the whole.
PARTS = _words(
    'rim tip edge corner side end handle neck spout stem base bottom top surface middle centre'
    ' center front back half part bit opening'
)
COLOURS = _words(
    'black white grey gray silver red orange yellow green blue purple violet pink brown golden'
    ' gold beige turquoise teal cyan magenta maroon navy tan cream'
)
THINGS = _listed('things') | _listed('household') | PLURAL_NAMES | {'orange'}
NOUNS = _listed('nouns') | _listed('brands')
ADJECTIVES = _listed('adjectives') | COLOURS | _words('plush plastic toy eaten')
# What distinguishes a thing: `mug with a handle`. Anything else with `with` says how, or where.
MARKS = _words(
    'handle handles lid stripe stripes dot dots spot spots logo label face flower flowers pattern'
    ' leaf leaves cap straw string hole holes wheel wheels leg legs ear ears eye eyes print'
    ' tile tiles'
)
# Things of one kind that never make one name of two: `mug plate` are two.
ALIKE = (
    _words('mug cup plate bowl saucer spoon fork knife pan pot tray bottle jar basket'),
    _words(
        'carrot pea banana apple lemon lime eggplant tomato potato onion pear peach fish lobster'
        ' penguin corn cucumber pepper grape strawberry mango'
    ),
)
# Names with an apostrophe; anything else with one tells whose it is.
POSSESSIVES = _words("rubik's reese's lay's hershey's campbell's children's men's women's baby's")
# Of one name made of two: shoebox, toothbrush.
LAST_HALVES = HOLDERS - _words('head ear block slice pair piece bunch loaf bar') | _words(
    'board brush cake case cloth holder knife light maker mat pad paper pen pin pot rack rest ring'
    ' stick tray'
)
FIRST_HALVES = (THINGS | NOUNS) - NEVER_IN_A_NAME
