"""Making derivatives: `plan` says what to do (pure), `engine` does it with libvips, `worker` is the process that runs
the engine, `pool` keeps such processes and gives them work.

Nothing but `engine` and `worker` imports libvips.
"""
