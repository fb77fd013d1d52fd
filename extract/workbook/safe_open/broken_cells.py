"""Cells without a value: those that show an error, formulas that were never calculated, and those under a merged one."""

from typing import Literal

Why = Literal["error", "uncalculated"]
BrokenCells = dict[int, dict[int, Why]]
"""Why a cell has no value, by its row, then its column, from 0."""
MergedRange = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged range, each its row and its column, from 0."""
