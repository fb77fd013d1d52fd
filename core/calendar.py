"""The Buddhist calendar, in which Thailand counts its years."""

BUDDHIST_YEARS = 543
"""How far its years are ahead of the Gregorian ones."""
FIRST_BUDDHIST_YEAR = 2400
"""A stored year from this one on is Buddhist: 2400 was the Gregorian 1857, before anybody alive was born."""
