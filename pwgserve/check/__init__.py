"""What `pwgserve check` does: tries, as a stranger and from outside, to get photos that strangers must not have.

Pure: `spelling`, `doors` and `neighbours` (which other addresses are tried), `verdicts` (what an answer gives away) and
`report`. `attempts` (what is tried) draws random keys and cookies, `configured` looks up links on the disk, `mending`
(what to mend) reads the lines of deploy/. `samples` chooses photos, `stranger` sends requests, `trying` makes the
attempts, `controls` tries what must work, `reflection` looks into the daemon's mirror, `run` brings all of it together.
"""
