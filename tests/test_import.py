"""`import las` is light, and still everything is found and transformers loads spiking models."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

import las
from tests import tiny_models

HEAVY = {"torch", "transformers", "numba", "scipy", "torchvision", "accelerate"}


def python(code: str) -> str:
    """What a new process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny spiking model, saved whole."""
    folder = tmp_path_factory.mktemp("full")
    model = las.convert(tiny_models.build("llama"), tiny_models.batches("llama"))
    assert isinstance(model, LlamaForCausalLM)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "light",
    [
        "import las; dir(las)",
        "from las import SpikeConfig, errors; SpikeConfig(time_steps=8)",
        "from las.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from las.cli import main\ntry: main(['plan', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_what_needs_no_model_imports_nothing_heavy(light: str) -> None:
    found = python(f"{light}\nimport sys\nprint(sorted({HEAVY!r} & set(sys.modules)))")
    assert found.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "import las\nfrom transformers import AutoModelForCausalLM",
        "from transformers import AutoModelForCausalLM\nimport las",
        "import transformers\nimport las\nfrom transformers import AutoModelForCausalLM",
        "import transformers.quantizers.auto\nimport las\n"
        "from transformers import AutoModelForCausalLM",
        "import las.conversion.checkpoint\nfrom transformers import AutoModelForCausalLM",
    ],
)
def test_transformers_loads_a_saved_spiking_model_whichever_comes_first(
    first: str, full: Path
) -> None:
    kinds = python(
        f"{first}\nmodel = AutoModelForCausalLM.from_pretrained({str(full)!r})\n"
        "print(type(model.lm_head).__name__, type(model.config.quantization_config).__module__)"
    )
    assert kinds.split() == ["SpikingLinear", "las.conversion.checkpoint"]


def test_transformers_alone_pays_nothing_for_las() -> None:
    code = (
        "import las, sys\nimport transformers.quantizers.auto as auto\n"
        "tables = auto.AUTO_QUANTIZER_MAPPING, auto.AUTO_QUANTIZATION_CONFIG_MAPPING\n"
        "loaders = auto.__loader__, auto.__spec__.loader\n"
        "print(*['las' in table for table in tables], 'las.conversion' in sys.modules,"
        " *[type(loader).__name__ for loader in loaders])"
    )
    assert python(code).split() == ["True", "True", "False", *2 * ["SourceFileLoader"]]


def test_energy_is_the_function_though_its_package_is_imported() -> None:
    code = (
        "import las.energy.cost_model\nimport las, sys\n"
        "from las import energy\nfrom las.energy import EnergyReport\n"
        "assert las.energy is energy is sys.modules['las.energy.model_energy'].energy\n"
        "assert sys.modules['las.energy'].EnergyReport is EnergyReport\n"
        "print(las.energy.__module__)"
    )
    assert python(code).strip() == "las.energy.model_energy"


def test_users_get_the_types() -> None:
    assert (resources.files("las") / "py.typed").is_file()


def test_public_names_and_packages_are_found() -> None:
    assert set(las.__all__) <= set(dir(las))
    assert all(getattr(las, name) is not None for name in las.__all__)
    assert las.conversion.convert is las.convert
    assert las.neurons.MT(tau=1.0).tau == 1.0
    with pytest.raises(AttributeError, match="'las' has no attribute 'konvert'"):
        las.konvert  # noqa: B018
