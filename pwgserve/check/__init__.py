"""What `pwgserve check` does: tries, as a stranger and from outside, to get photos that strangers must not have.

Pure: `doors` (which other addresses are tried), `verdicts` (what an answer gives away), `configured` and `report`.
`attempts` (what is tried) draws random keys and cookies, `mending` (what to mend) reads the lines of deploy/.
`samples` chooses photos, `stranger` sends requests, `reflection` looks into the daemon's mirror, `run` brings all of it
together.
"""
