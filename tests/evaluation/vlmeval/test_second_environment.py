from __future__ import annotations

import re
import subprocess

import pytest

from las.evaluation.vlmeval.environment import installed
from pipeline.paths import ROOT
from pipeline.vlmeval_process import ENVIRONMENT

PYTHON = ENVIRONMENT / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(installed(), reason="this interpreter has VLMEvalKit: nothing was skipped")
@pytest.mark.skipif(not PYTHON.exists(), reason="there is no .venv-vlm; see `make vlm`")
def test_what_needs_vlmevalkit_passes_where_it_is_installed():
    # las comes before the tests' own import of transformers, for the sake of torchvision
    options = ["-q", "-p", "las", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [PYTHON, "-m", "pytest", *options, "tests/evaluation/vlmeval"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = re.findall(r"^SKIPPED .*", done.stdout, re.MULTILINE)
    assert all("this interpreter has VLMEvalKit" in reason for reason in skipped), skipped
