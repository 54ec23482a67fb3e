"""Torture tests of runs, their files and their processes: `python -m tests.torture`.

Each row of the table is a module here with a function `case(index, folder)`, which does one thing
to charrnn and returns an Outcome that lists every violation of a guarantee. A case depends only on
the seed and its index, so rows can be interrupted, continued and repeated. The short form is part
of the test suite; it checks behavior, not times.
"""
