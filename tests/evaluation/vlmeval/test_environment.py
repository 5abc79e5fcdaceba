from __future__ import annotations

import importlib.util
import logging
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from las.errors import MissingExtraError
from las.evaluation.vlmeval import environment
from las.evaluation.vlmeval.environment import import_vlmeval, installed

needs_vlmeval = pytest.mark.skipif(
    not installed(), reason="VLMEvalKit is not in this interpreter; see `make vlm`"
)


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"make vlm.*pip install") as caught:
        import_vlmeval(tmp_path / "sets")
    assert isinstance(caught.value, ImportError)
    assert not (tmp_path / "sets").exists()


def test_a_package_that_it_needs_and_lacks_is_named(monkeypatch, tmp_path):
    package = tmp_path / "vlmeval"
    package.mkdir()
    (package / "__init__.py").write_text("import a_package_that_is_not_there")
    monkeypatch.setattr(environment, "installed", lambda: True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in [name for name in sys.modules if name.split(".")[0] == "vlmeval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("LMUData", "restored after the test")
    with pytest.raises(MissingExtraError, match="a_package_that_is_not_there"):
        import_vlmeval(tmp_path / "sets")


def test_what_an_import_does_to_the_process_is_undone(monkeypatch, tmp_path, capsys):
    package = tmp_path / "vlmeval"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import logging, os, ssl, torch\n"
        "ssl._create_default_https_context = ssl._create_unverified_context\n"
        "logging.basicConfig(force=True)\n"
        "logging.error('no keys')\n"
        "torch.set_grad_enabled(False)\n"
        "torch.manual_seed(1234)\n"
        "os.environ['OPENAI_API_KEY'] = 'sk-1'\n"
    )
    (package / "inference.py").write_text("")
    monkeypatch.setattr(environment, "installed", lambda: True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in [name for name in sys.modules if name.split(".")[0] == "vlmeval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("LMUData", "restored after the test")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    before, handlers = torch.random.get_rng_state(), list(logging.getLogger().handlers)
    import_vlmeval(tmp_path / "sets")
    imported = sys.modules.pop("vlmeval")
    assert Path(imported.__file__).parent == package  # it was this one
    sys.modules.pop("vlmeval.inference")
    assert ssl._create_default_https_context is ssl.create_default_context
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert "OPENAI_API_KEY" not in os.environ
    assert os.environ["LMUData"] == str(tmp_path / "sets")  # noqa: SIM112
    assert logging.getLogger().handlers == handlers
    assert "no keys" not in capsys.readouterr().err


@needs_vlmeval
def test_the_real_import_leaves_tls_gradients_and_the_home_folder_alone(tmp_path):
    code = (
        "import ssl, sys, torch, pathlib\n"
        "from las.evaluation.vlmeval.environment import import_vlmeval\n"
        "import_vlmeval(pathlib.Path(sys.argv[1]))\n"
        "assert ssl._create_default_https_context is ssl.create_default_context\n"
        "assert torch.is_grad_enabled()\n"
        "from vlmeval.smp import LMUDataRoot\n"
        "assert LMUDataRoot() == str(pathlib.Path(sys.argv[1]).resolve())\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "sets")],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    assert not (home / "LMUData").exists()
