"""VLMEvalKit, imported when it is needed and without what its import does to the process."""

from __future__ import annotations

import importlib.util
import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from las.errors import MissingExtraError

INSTALL = (
    "VLMEvalKit is not installed. `make vlm` installs it into an environment of its own, .venv-vlm,"
    " which the pipeline finds by itself; `pip install -c constraints.txt '.[pipeline,vlm]'`"
    " installs it into the current one"
)


def installed() -> bool:
    """Whether this interpreter has VLMEvalKit."""
    return importlib.util.find_spec("vlmeval") is not None


def import_vlmeval(folder: Path) -> None:
    """Import VLMEvalKit, and make `folder` the one where it looks for image sets.

    Its import turns the verification of TLS certificates off, gradients too, seeds torch, sets up
    logging and reads API keys: all of that is undone. It also brings some hundred modules along,
    so a process of its own is the place for it.

    Raises:
        MissingExtraError: it is not installed, or not completely.
    """
    if not installed():
        raise MissingExtraError(INSTALL)
    folder.mkdir(parents=True, exist_ok=True)
    # Without it, or without the folder, VLMEvalKit makes ~/LMUData.
    os.environ["LMUData"] = str(folder.resolve())  # noqa: SIM112
    try:
        with _side_effects_undone():
            import vlmeval.inference  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"VLMEvalKit is there but does not import ({error}). {INSTALL}"
        ) from error


@contextmanager
def _side_effects_undone() -> Iterator[None]:
    root = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    environment, gradients = dict(os.environ), torch.is_grad_enabled()
    verified = ssl._create_default_https_context
    logging.disable(logging.ERROR)  # it misses a file of API keys
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        os.environ.clear()
        os.environ.update(environment)
        torch.set_grad_enabled(gradients)
        ssl._create_default_https_context = verified
