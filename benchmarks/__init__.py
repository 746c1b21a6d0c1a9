"""How fast pwgserve is, as ratios against peers that are measured in the same run on the same files.

`make bench` runs everything in `measures`; `results` is the shape of what they find, `lab` what they run against.
"""
