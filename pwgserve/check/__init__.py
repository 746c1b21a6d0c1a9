"""What `pwgserve check` does: tries, as a stranger and from outside, to get photos that strangers must not have.

Pure: `attempts` (what is tried), `verdicts` (what an answer gives away) and `mending` (what to mend). `samples` chooses
photos, `stranger` sends requests, `run` brings them together.
"""
