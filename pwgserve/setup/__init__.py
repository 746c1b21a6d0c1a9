"""What `pwgserve init` does: looks at a machine with a Piwigo, plans what pwgserve needs there, and writes it.

Pure: `sites`, `grants`, `configuration` and `confinement`; `templates` and `plan`, too, but for the files of `deploy/`,
which come with the package. `machine`, `webconfig` and `database` look, `writing` writes.
"""
