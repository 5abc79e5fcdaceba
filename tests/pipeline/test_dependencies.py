"""What dvc.yaml names as a stage's sources is what the stage imports, no less and no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from pipeline.paths import CONF, ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PLACES = {"las": ROOT / "src", "pipeline": ROOT}
REGISTERED = {"prepare.py": ("las.conversion.families", "las.conversion.rules")}
"""What a module of las.conversion finds because its package has imported it."""


def sources(stage: str) -> list[str]:
    described = STAGES[stage]
    dependencies = described.get("do", described)["deps"]
    return [path for path in dependencies if path.startswith(("src/", "pipeline/"))]


def command(stage: str) -> list[str]:
    described = STAGES[stage]
    return described.get("do", described)["cmd"].split()


def file_of(module: str) -> Path | None:
    """The file of one of our modules or packages."""
    top = module.split(".")[0]
    if top not in PLACES:
        return None
    path = PLACES[top].joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All imports below a node, those in functions too, but none that is for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from statements(child)


def imported(path: Path) -> Iterator[Path]:
    """The files of ours that a module names in its imports.

    A package is followed where something is taken from it, not where it only lies on the way.
    """
    for statement in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            assert isinstance(statement, ast.ImportFrom) and statement.module is not None
            whole = [f"{statement.module}.{alias.name}" for alias in statement.names]
            modules = [name for name in whole if file_of(name)]
            names = modules if len(modules) == len(whole) else [statement.module, *modules]
        yield from filter(None, map(file_of, names))


def reached(start: Path) -> set[Path]:
    """A module and all that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
            waiting += filter(None, map(file_of, REGISTERED.get(path.name, ())))
    return found


def used_by(stage: str) -> set[str]:
    """The sources that a stage runs, as paths from the root."""
    words = command(stage)
    started = [words[words.index("-m") + 1]]
    if started == ["pipeline.grid"]:
        started.append(f"pipeline.{words[words.index('-m') + 2]}")
    if stage == "evaluate":  # Hydra imports the suites by name
        started += [
            config["_target_"].rpartition(".")[0]
            for config in map(OmegaConf.load, (Path(CONF) / "evaluation").glob("*.yaml"))
            if "_target_" in config
        ]
    files = [file_of(module) for module in started]
    assert all(files)
    return {path.relative_to(ROOT).as_posix() for file in files for path in reached(file)}


def below(source: str, dependency: str) -> bool:
    return source == dependency or source.startswith(f"{dependency}/")


@pytest.mark.parametrize("stage", STAGES)
def test_every_source_that_a_stage_imports_is_among_its_dependencies(stage):
    named = sources(stage)
    missing = {s for s in used_by(stage) if not any(below(s, d) for d in named)}
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_no_dependency_is_there_in_vain(stage):
    used = used_by(stage)
    assert not {d for d in sources(stage) if not any(below(s, d) for s in used)}


def test_imports_are_found_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setitem(PLACES, "las", tmp_path)
    package = tmp_path / "las" / "sums"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from las.sums.all import add\n")
    for name, text in {
        "all": "def add(): import las.sums.late",
        "late": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import las.sums.types",
        "types": "",
        "from_package": "from las.sums import add",
        "from_module": "from las.sums import all",
    }.items():
        (package / f"{name}.py").write_text(text + "\n")

    def names(module: str) -> set[str]:
        return {path.stem for path in reached(package / f"{module}.py")}

    assert names("from_package") == {"from_package", "__init__", "all", "late"}
    assert names("from_module") == {"from_module", "all", "late"}
