"""Entry point of ``sflow-pipeline`` and ``python -m sflow_pipeline``."""

import sys

from sflow_pipeline.constraints import read_constraints

__all__ = ["main"]


def main() -> None:
    """Run the command line; ``constraints`` also where the dependencies are not installed yet."""
    if sys.argv[1:] == ["constraints"]:
        sys.stdout.write(read_constraints())
        return
    from sflow_pipeline.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
