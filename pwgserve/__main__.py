"""Lets `python -m pwgserve` do what the `pwgserve` command does."""

from pwgserve.cli import main

main()
