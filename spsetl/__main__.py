"""`python -m spsetl`."""

from spsetl.cli import main

if __name__ == "__main__":
    main()
