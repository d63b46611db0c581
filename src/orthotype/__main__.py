"""``python -m orthotype`` is the command line."""

from orthotype.cli.main import run

if __name__ == "__main__":
    run()
