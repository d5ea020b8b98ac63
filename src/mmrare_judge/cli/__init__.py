"""The command line: parse, call, print.

In come the words of a command, out go calls of the other rooms, printed lines and an exit code.
There is no logic here that a user of the library would miss. Start reading in `main.py`, where all
commands meet; `grade.py` grades, `calibrate.py` studies and plans, `output.py` prints.
"""
