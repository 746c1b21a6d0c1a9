"""Making derivatives: `plan` says what to do (pure), `engine` does it with libvips, `worker` is the process that runs
the engine, `pool` keeps such processes, `derivatives` renders each once into the cache.

Nothing but `engine` and `worker` imports libvips.
"""
