"""The hashed store of finished derivatives.

`store` keeps them, `upkeep` keeps it below its limit, `standing` knows what is kept of one photo, `at_hand` reads what
the kernel has in memory.
"""
