"""What a run, its files and its processes are put through: `python -m tests.torture`.

Each row of the table is a file here with a function `case(index, folder)`, which does one thing to
charrnn and yields a line for whatever is not as promised. A case depends on nothing but its index,
so that rows can be stopped, gone on with, and done again. The short form is part of the tests; it
checks what happens and in what order, and no times.
"""
