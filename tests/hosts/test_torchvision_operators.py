from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# A torchvision that behaves as the real one does where its compiled part does not load: it
# describes operators that nobody has defined.
BROKEN = """
import torch

@torch.library.register_fake("torchvision::nms")
def nms(dets, scores, iou_threshold):
    return dets

@torch.library.register_fake("torchvision::qnms")
def qnms(dets, scores, iou_threshold):
    return dets
"""


def imported(folder: Path, torchvision: str) -> subprocess.CompletedProcess[str]:
    """Import las and then torchvision, one of our own, in a new process."""
    (folder / "torchvision.py").write_text(torchvision)
    code = (
        "import las, sys\n"
        "assert 'torch' not in sys.modules\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "import torch, torchvision\n"
        "print(hasattr(torch.ops.torchvision, 'nms'), hasattr(torch.ops.torchvision, 'qnms'))\n"
        "print(type(torchvision.__loader__).__name__, type(torchvision.__spec__.loader).__name__)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_torchvision_without_its_operators_is_made_importable(tmp_path):
    alone = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, check=False)
    assert alone.returncode != 0
    done = imported(tmp_path, BROKEN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True", *2 * ["SourceFileLoader"]]


def test_a_torchvision_that_works_is_left_alone(tmp_path):
    done = imported(tmp_path, "works = True")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "False", *2 * ["SourceFileLoader"]]


def test_a_torchvision_that_fails_for_another_reason_says_so(tmp_path):
    done = imported(tmp_path, "raise RuntimeError('out of luck')")
    assert done.returncode != 0
    assert "out of luck" in done.stderr
