"""``mmrare-judge cache``: what a reply cache holds, whether it is sound, and as a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer  # noqa: TID251  the sub-command is written in the command line's own terms

FAULTY = 3
"""Exit code where entries are bad, as for any command that ends with something left undone."""

cache_app = typer.Typer(
    no_args_is_help=True, help="Look into the cache of replies; export and import it."
)

CacheDir = Annotated[
    Path | None, typer.Option(help="The cache's folder; by default the user's cache.")
]


@cache_app.command("export")
def export_command(
    bundle: Annotated[Path, typer.Argument(help="File to write: .jsonl or .jsonl.gz.")],
    cache_dir: CacheDir = None,
    hashes_only: Annotated[
        bool, typer.Option("--hashes-only", help="Leave the requests, with the cases, out.")
    ] = False,
    created_from: Annotated[str, typer.Option(help="What the replies were bought for.")] = "",
) -> None:
    """Write the cache to one portable file; equal caches give equal files."""
    from mmrare_judge.cache.bundle import export_bundle
    from mmrare_judge.cache.read_only import Replay

    done = export_bundle(
        Replay(cache_dir),
        bundle,
        requests="none" if hashes_only else "all",
        created_from=created_from,
    )
    typer.echo(f"{done.count} entries written to {bundle}, {done.with_request} with their request")
    _end(done.faults)


@cache_app.command("import")
def import_command(
    bundle: Annotated[Path, typer.Argument(help="File to read: .jsonl or .jsonl.gz.")],
    cache_dir: CacheDir = None,
) -> None:
    """Add a bundle's entries to the cache; what is there already stays as it is."""
    from mmrare_judge.cache.bundle import import_bundle
    from mmrare_judge.cache.store import default_cache_dir

    done = import_bundle(bundle, cache_dir or default_cache_dir())
    typer.echo(
        f"{done.added} entries added, {done.known} were there already; "
        f"{len(done.faults)} faults, {done.requests_added} requests added to known entries"
    )
    _end(done.faults)


@cache_app.command("stats")
def stats_command(cache_dir: CacheDir = None) -> None:
    """Print what the cache holds and what was paid for it."""
    from mmrare_judge.cache.bundle import cache_stats
    from mmrare_judge.cache.read_only import Replay

    replay = Replay(cache_dir)
    typer.echo(f"cache             {replay.directory}")
    for line in cache_stats(replay).lines():
        typer.echo(line)


@cache_app.command("verify")
def verify_command(cache_dir: CacheDir = None) -> None:
    """Check every entry; list the bad ones and fail if there are any."""
    from mmrare_judge.cache.bundle import cache_faults
    from mmrare_judge.cache.read_only import Replay

    replay = Replay(cache_dir)
    faults = list(cache_faults(replay))
    typer.echo(f"{len(replay)} entries, {len(faults)} faults in {replay.directory}")
    _end(faults)


def _end(faults: Iterable[object]) -> None:
    faults = list(faults)
    for fault in faults:
        typer.echo(f"bad  {fault}", err=True)
    raise typer.Exit(FAULTY if faults else 0)
