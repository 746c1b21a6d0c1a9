"""A Piwigo gallery's pictures, served only after a permission check and only through signed, expiring URLs."""

from importlib.metadata import version

__version__ = version("pwgserve")
