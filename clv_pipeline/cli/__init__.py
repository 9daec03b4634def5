"""The `clv` command, a module a group of commands; `commands` has the entry point and those that run the pipeline.

Belongs here: arguments, progress and exit codes. Does not belong here: any work. Imports of what works are inside the
commands, so that `clv --help` answers at once.
"""

from clv_pipeline.cli.commands import main, run_app

__all__ = ["main", "run_app"]
