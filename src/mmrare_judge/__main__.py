"""Lets ``python -m mmrare_judge`` be the command line."""

import mmrare_judge.cli.main

mmrare_judge.cli.main.main()
