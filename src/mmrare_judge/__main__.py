"""Lets ``python -m mmrare_judge`` be the command line."""

from mmrare_judge.cli.main import main

main()
