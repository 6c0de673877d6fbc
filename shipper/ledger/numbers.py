"""From a release's number to its entry: numbers rise with positions, so that few entries have to be read. Pure."""

from __future__ import annotations

from collections.abc import Callable

from shipper.model import LedgerState


def position_of(number: int, state: LedgerState, number_at: Callable[[int], int | None]) -> int | None:
    """The position of the `started` entry with this number; None when no entry claimed it.

    `number_at` gives the number that an entry claims, None for an entry of another kind. Guesses by proportion and
    halves in turn: two or three reads in a log whose releases are alike, O(log n) in any, besides the entries of
    other kinds next to each guess.
    """
    below, below_number = 0, 0
    above, above_number = state.position + 1, state.highest + 1
    halve = False
    while above - below > 1 and below_number < number < above_number:
        share = 0.5 if halve else (number - below_number) / (above_number - below_number)
        halve = not halve
        guess = min(max(below + round(share * (above - below)), below + 1), above - 1)
        found, at = _claim_at_or_before(guess, below, number_at)
        if found == number:
            return at
        if found is None or found < number:  # none in (below, guess], or one that is too low
            below, below_number = guess, below_number if found is None else found
        else:
            above, above_number = at, found
    return None


def _claim_at_or_before(guess: int, below: int, number_at: Callable[[int], int | None]) -> tuple[int | None, int]:
    """The nearest claim at a position in (below, guess], and that position."""
    for position in range(guess, below, -1):
        number = number_at(position)
        if number is not None:
            return number, position
    return None, below
