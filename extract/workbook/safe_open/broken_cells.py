"""Cells without a value: those that show an error, and formulas that were never calculated. And merged ranges."""

from typing import Literal

Why = Literal["error", "uncalculated"]
BrokenCells = dict[int, dict[int, Why]]
"""Why cells have no value, by row, then by column, from 0."""
MergedRange = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged range, each as row and column from 0."""
