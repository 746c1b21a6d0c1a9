"""A Piwigo gallery's pictures, served only after a permission check and only through signed, expiring URLs."""

__version__: str


def __getattr__(name: str) -> str:
    # Looked up when it is asked for: every process would otherwise search the installed packages as it starts.
    if name == "__version__":
        from importlib.metadata import version

        return version("pwgserve")
    raise AttributeError(name)
