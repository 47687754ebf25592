"""`python -m vqc`, and the `vqc` command: Ctrl-C is quiet even while the command loads."""

import sys


def main() -> None:
    """Entry point."""
    try:
        from vqc.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
