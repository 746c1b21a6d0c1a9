"""The hashed store of finished derivatives.

`store` keeps them, `upkeep` keeps it below its limit, `tally` knows how full it is, `standing` what is
kept of one photo.
"""
