"""The axis of a drawing: where a value stands on it, and what is written along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from helpers.panels import svg

MOST_WORDS = 8
"""So many words stand along an axis; values beyond them have no place."""

WIDE = 100.0
"""Positive numbers whose largest is so many times the smallest stand by their logarithms."""


@dataclass(frozen=True)
class Axis:
    """An axis from 0 to 1, made for the values it has to hold."""

    places: dict[str, float]
    """Where each value stands; a value that has no place is not among them."""
    marks: list[tuple[float, str]]
    """What is written along it, and where."""
    kind: str
    """"linear", "log" or "words"."""


def axis(values: Iterable[str]) -> Axis:
    """The axis for some values: of numbers if all of them are, of words otherwise."""
    known = sorted(set(values))
    numbers = {value: number for value in known if (number := as_number(value)) is not None}
    return _of_numbers(numbers) if len(numbers) == len(known) else _of_words(known)


def as_number(value: str) -> float | None:
    """The number that a text writes; None if it writes none, or none that has a place."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _of_words(words: Sequence[str]) -> Axis:
    shown = words[:MOST_WORDS]
    places = {word: (number + 0.5) / len(shown) for number, word in enumerate(shown)}
    return Axis(places, [(place, word) for word, place in places.items()], "words")


def _of_numbers(numbers: dict[str, float]) -> Axis:
    if not numbers:
        return Axis({}, [], "linear")
    low, high = min(numbers.values()), max(numbers.values())
    if low > 0 and high >= WIDE * low:
        # By logarithms the marks are powers of ten.
        scale = _scale(math.log10(low), math.log10(high))
        places = {text: scale(math.log10(number)) for text, number in numbers.items()}
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        step = 1 + len(powers) // 7
        marks = [(scale(power), f"{10.0**power:g}") for power in powers[::step]]
        return Axis(places, marks, "log")
    scale = _scale(low, high)
    marks = [(scale(mark), f"{mark:.6g}") for mark in svg.ticks(low, high)]
    return Axis({text: scale(number) for text, number in numbers.items()}, marks, "linear")


def _scale(low: float, high: float) -> Callable[[float], float]:
    """From a number to its place; one that stands alone is in the middle."""
    return lambda number: (number - low) / (high - low) if high > low else 0.5
