"""The commands of `pwgserve`, one file each: options, and what they say to a person. What they do is done elsewhere.

`pwgserve.cli` puts them together and turns errors into one line and an exit code.
"""
