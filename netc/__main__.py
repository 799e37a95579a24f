"""`python -m netc`."""

from netc.cli import main

if __name__ == "__main__":
    main()
