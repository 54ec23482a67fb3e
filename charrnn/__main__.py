"""`python -m charrnn` is the command `charrnn`."""

from charrnn.cli import main

if __name__ == "__main__":
    main()
