"""`hilbench`: the command line. This file only gathers the verbs; each lives in `verbs/`."""

from __future__ import annotations

import sys
from typing import Any

import click

from .console import emit
from .verbs import (
    bench,
    board,
    compare,
    compress,
    doctor,
    export,
    gc,
    init,
    optimize,
    queue,
    report,
    run,
    schedule,
    schema,
    search,
    serve,
    ship,
    trend,
    worker,
)


class _Group(click.Group):
    """The verbs; a wrong word is answered with one JSON object, too, where `--json` was asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:
        words = sys.argv[1:]
        if "--json" not in words:
            return super().main(*args, **extra)
        try:
            return super().main(*args, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            emit({"error": {"message": error.format_message(), "exit_code": error.exit_code}})
            error.show()
            raise SystemExit(error.exit_code) from error
        except click.Abort as error:
            raise SystemExit(130) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hilbench", message="hilbench %(version)s")
def main() -> None:
    """Which compressed model do I ship on which board? Measured on the board.

    RUN is the id of a run, a unique beginning of it, or `latest`.

    \b
    Exit codes: 0 ok, 1 a gate or budget failed, 2 usage, 3 some cells failed, 4 no board could be used,
    5 not enough data to judge, 130 interrupted.
    """


for _verb in (
    init.init,
    bench.bench,
    run.run,
    optimize.optimize,
    search.search,
    ship.ship,
    compress.compress,
    report.report,
    compare.compare,
    trend.trend,
    export.export,
):
    main.add_command(_verb)
for _verb in (queue.submit, queue.queue, queue.cancel, queue.retry, worker.worker, schedule.schedule):
    main.add_command(_verb)
for _verb in (board.board, serve.serve, doctor.doctor, gc.gc, schema.schema):
    main.add_command(_verb)
