"""The command ``serve``: the web service."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Literal

import typer  # noqa: TID251  the command line is the door

from mmrare_judge.backends.limits import Limits
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cli.output import say
from mmrare_judge.judging.judge import CacheChoice, Judge

KEY_VARIABLE = "MMRARE_SERVE_KEY"
"""The environment variable with the key that clients have to show."""


def serve_command(
    judge: Annotated[
        str | None, typer.Option(help="Model name, judge YAML file, or 'embedded'.")
    ] = None,
    rubric: Annotated[str | None, typer.Option(help="Rubric name or YAML file.")] = None,
    host: Annotated[str, typer.Option(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind to.")] = 8765,
    cache_dir: Annotated[Path | None, typer.Option(help="Where replies are kept.")] = None,
    replay: Annotated[bool, typer.Option(help="Answer from the cache alone.")] = False,
    api_base: Annotated[str | None, typer.Option(help="Address of the judge's endpoint.")] = None,
    backend: Annotated[
        Literal["litellm", "direct"] | None, typer.Option(help="Client of that endpoint.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="calibration.json of a study of this judge.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Predictions graded at once.")] = 64,
    max_requests: Annotated[
        int, typer.Option(min=1, help="Requests in flight; further ones get 503.")
    ] = 256,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 10_000_000,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long a prediction may wait and be graded.")
    ] = 600.0,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars.")] = None,
    max_calls: Annotated[int | None, typer.Option(min=0, help="Requests to the judge.")] = None,
) -> None:
    """Grade over HTTP. Clients show the key of MMRARE_SERVE_KEY, if it is set."""
    from mmrare_judge.harness.service import ServiceLimits, serve

    cache: CacheChoice = Replay(cache_dir) if replay else (cache_dir or "default")
    chosen = Judge(
        judge,
        rubric=rubric,
        cache=cache,
        backend=backend,
        certificate=certificate,
        api_base=api_base,
        limits=Limits(concurrency=concurrency, max_cost=max_cost, max_calls=max_calls),
    )
    limits = ServiceLimits(
        body=max_body, requests=max_requests, concurrency=concurrency, seconds=seconds
    )
    accesses = logging.StreamHandler()
    accesses.addFilter(lambda record: record.levelno == logging.INFO)
    service_log = logging.getLogger("mmrare_judge.service")
    service_log.addHandler(accesses)
    service_log.setLevel(logging.INFO)
    say(f"mmrare-judge serves {chosen.spec.model} on http://{host}:{port}, docs at /docs", err=True)
    serve(chosen, host=host, port=port, key=os.environ.get(KEY_VARIABLE), limits=limits)
