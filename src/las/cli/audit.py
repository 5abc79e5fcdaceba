"""las audit: what spikes, and what is still float."""

from __future__ import annotations

import argparse
from typing import Any

from las.cli.options import add_adapter, add_command


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    audit = add_command(commands, "audit", run, "list what spikes, and what is still float")
    add_adapter(audit, required=False)
    audit.add_argument(
        "--markdown",
        action="store_true",
        help="print a table of every operation instead of a summary",
    )


def run(options: argparse.Namespace) -> None:
    """Print the audit."""
    from las.conversion.adapter import load
    from las.conversion.audit import audit
    from las.hosts.loading import load_model

    model = load_model(options.model)
    if options.adapter is not None:
        load(model, options.adapter)
    report = audit(model)
    print(report.to_markdown() if options.markdown else report)
