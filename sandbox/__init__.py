"""The outside world on a laptop: the Account Center, MOPH Claim, and hospital databases of people who do not exist.

It reads the reference for itself and knows nothing of the program it stands opposite to.
"""
