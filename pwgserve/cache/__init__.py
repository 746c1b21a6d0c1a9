"""The hashed store of finished derivatives.

`store` keeps them, `upkeep` keeps it below its limit, `standing` knows what is kept of one photo.
"""
