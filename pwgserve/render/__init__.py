"""Making derivatives: `plan` says what to do (pure), `engine` does it with libvips, `worker` is the process that runs
the engine, `workers` keeps such processes, and `pool` says whose job is next.

The engine's parts are `steps`, each of which is a few operations of libvips, and `sharing`, what several sizes of one
picture have in common. Nothing but these three imports libvips, and nothing but `worker` imports the engine.
"""
