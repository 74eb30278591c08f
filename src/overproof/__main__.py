"""`python -m overproof` and the `overproof` command."""


def main() -> None:
    """Run the command line."""
    from overproof.cli.app import run

    run()


if __name__ == "__main__":
    main()
