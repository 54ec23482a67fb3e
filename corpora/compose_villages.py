"""Composes villages.txt: `python corpora/compose_villages.py > corpora/villages.txt`.

A list of short lines to try `--documents lines` on: names of English villages that could exist.
Each is built as real ones were: a first element (a person, tree, animal, river or quality of the
land), a second (farm, ford, clearing, hill ...), and sometimes an affix. Only whole numbers are
drawn, so the file is the same on every machine.
"""

from __future__ import annotations

import random

SEED = 1086
NAMES = 2000

FIRST = """
    Ack Alder All Amber Ash Ay Bad Bal Bar Bart Beck Bent Bid Bil Birch Black Bol Brad Bram
    Brent Brin Broad Brom Buck Burn Cald Carl Catter Char Chel Clay Clif Cob Col Cop Cot
    Cran Crow Dal Dar Den Dod Dray Dun Ed Ell Elm Ever Fal Fen Fern Fin Flax Fox Frod Gar
    Gate God Grim Grin Had Hal Ham Har Hart Hat Hazel Heath Hen Hol Hor Hunt Ing Ken Kil
    Kirk Knap Lam Lang Lark Led Lin Lock Long Lud Lyn Mal Mar Mel Mid Mil Mos Nor North Oak
    Ock Or Oter Ox Pad Pen Pick Pil Plum Rad Ran Raven Red Ring Rock Rom Rush Sand Sax Sed
    Shel Ship Sil Skel Smar Snet South Sprat Stan Stoke Stour Strat Sud Swin Tad Tar Thorn
    Thrap Tid Till Tor Tun Up Wal Wat Wel West Wet Whit Wick Wil Win Wol Wood Wor Wych Yar
"""
SECOND = """
    ton ton ton ton ham ham ham ley ley ley bury bury ford ford ford worth worth field field
    don den combe well wick wood burn by thorpe stead hurst mere bridge brook cliff cote
    croft dale gate grave hill holt ing ington ington ingham lake leigh low mouth ness over
    port ridge sea shaw stock stoke stone stow thwaite tree wardine water well
"""
BEFORE = """
    Great Little Upper Lower Long Market Old North South East West High Nether Temple Abbots
"""
AFTER = """
    St-Mary Magna Parva on-the-Hill in-the-Marsh under-Edge by-Sea Green End Abbey Regis
    Episcopi Bassett Mandeville Lacey Courtenay Peverell Common Heath Cross Mill
"""


def name(rng: random.Random) -> str:
    """Return the name of a village."""
    first, second = rng.choice(FIRST.split()), rng.choice(SECOND.split())
    if first[-1] == second[0]:
        second = second[1:]  # Ham + mere becomes Hamere
    word = first + second
    kind = rng.randrange(10)
    if kind == 0:
        return f"{rng.choice(BEFORE.split())} {word}"
    if kind == 1:
        after = rng.choice(AFTER.split())
        return f"{word}-{after}" if "-" in after and after != "St-Mary" else f"{word} {after}"
    return word


def names(number: int, seed: int) -> list[str]:
    """Return `number` distinct names, sorted as lists of names usually are."""
    rng = random.Random(seed)
    found: set[str] = set()
    while len(found) < number:
        found.add(name(rng))
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(names(NAMES, SEED)))
