"""The outside world on a laptop: the Account Center, MOPH Claim, and hospital databases of people who do not exist.

It implements the reference independently and imports nothing from the program that it tests.
"""
