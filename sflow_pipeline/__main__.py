"""Entry point of ``sflow-pipeline`` and ``python -m sflow_pipeline``."""

from sflow_pipeline.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
