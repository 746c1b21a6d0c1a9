"""What `pwgserve init` does: looks at a machine with a Piwigo, plans what pwgserve needs there, and writes it.

Pure: `statements`, `sites`, `routing`, `snippets`, `grants`, `configuration` and `confinement`; `templates` and `plan`,
too, but for the files of `deploy/`, which come with the package. `machine`, `webconfig`, `reading`, `folders` and
`database` look, `writing` writes.
"""
