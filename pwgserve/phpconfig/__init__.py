"""Reads an owner's `local/config/config.inc.php` and `database.inc.php` without running them.

Everything here is pure, and nothing is ever executed or guessed. `config`: what the files set. `database`: Piwigo's
access to its database. `files` finds and parses them, `statements` goes through them, `expressions` and `operators`
tell values, `effects` what may change by that which cannot be followed.
"""
