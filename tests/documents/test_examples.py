"""The scripts of examples/ run as they stand."""

from __future__ import annotations

import bz2
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertModel, PreTrainedTokenizerFast

from tests.tiny_models import plain

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> Callable[..., str]:
    """Run a script with arguments; what it printed."""

    def script(name: str, *arguments: str) -> str:
        monkeypatch.setattr("sys.argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return script


def test_convert_then_simulate_and_count(run: Callable[..., str], tiny_model: Path) -> None:
    assert "error of the outputs" in run("convert_a_model", str(tiny_model), "my.txt", "adapter")
    printed = run("simulate_and_count", str(tiny_model), "adapter", "A text.")
    fused, simulated = re.findall(r"^(?:fused|step).*spikes ([\d,]+)$", printed, re.MULTILINE)
    assert fused == simulated
    errors = re.findall(r"^after .*error (\S+)", printed, re.MULTILINE)
    assert float(errors[-1]) < 1e-3 < float(errors[0])


def test_where_they_part(run: Callable[..., str], tiny_model: Path) -> None:
    run("convert_a_model", str(tiny_model), "my.txt", "adapter")
    printed = run("where_they_part", str(tiny_model), "my.txt", "adapter")
    whole, prompts = map(int, re.findall(r"adapter: (\d+) of (\d+) alike", printed)[0])
    assert 0 < prompts <= 20
    assert whole == prompts


def test_add_an_architecture(run: Callable[..., str]) -> None:
    before, after = run("add_an_architecture").split("after:")
    assert "ScaleNorm" in before
    assert float(re.findall(r"error of the outputs +(\S+)", after)[0]) < 1e-3


def test_more_sub_neurons_err_less(run: Callable[..., str]) -> None:
    rows = [re.findall(r"N=(\d+) +(\S+)", line) for line in run("sub_neurons").splitlines()]
    assert len(rows) == 6
    for row in rows:
        sizes, errors = [int(size) for size, _ in row], [float(error) for _, error in row]
        assert sizes == sorted(sizes)
        assert sizes[0] == 1
        assert errors == sorted(errors, reverse=True)
        assert errors[0] > 0.1
        assert errors[-1] <= 1e-5


@pytest.mark.slow
def test_why_ten_steps_break(run: Callable[..., str], tiny_model: Path) -> None:
    paragraphs = (f"Paragraph {number}, of {number} squared." for number in range(12))
    Path("long.txt").write_text("\n\n".join(paragraphs))
    printed = run("why_ten_steps_break", str(tiny_model), "long.txt")
    line = r"^T= ?(\d+)  (\w+) +output (\S+)   worst sites: \S+ \S+, "
    found = re.findall(line, printed, re.MULTILINE)
    errors = {(rule, int(steps)): float(error) for steps, rule, error in found}
    assert len(errors) == len(found) == 3 * 6
    for steps in (16, 10):
        assert errors["error", steps] < errors["paper", steps] < errors["released", steps]
    for rule in ("error", "paper", "released"):
        assert errors[rule, 16] < errors[rule, 10]


def write_dump(pages: int) -> None:
    """A made-up Wikipedia dump where the examples look for it."""
    prose = " ".join(f"Sentence {number} of it." for number in range(30))
    text = "".join(
        f"  <page>\n    <title>T{i}</title>\n    <ns>0</ns>\n    <text>{prose}</text>\n  </page>\n"
        for i in range(pages)
    )
    dump = Path("data/assets/wikipedia")
    dump.mkdir(parents=True)
    name = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
    packed = bz2.compress(f"<mediawiki>\n{text}</mediawiki>\n".encode())
    (dump / name).write_bytes(packed)


def test_an_original_in_int8(run: Callable[..., str], tiny_model: Path) -> None:
    """On nine windows of made-up articles: something is lost, and little."""
    write_dump(pages=120)
    printed = run("original_in_int8", str(tiny_model), "text")
    found = re.findall(
        r"^wikipedia perplexity: (\S+), in INT8 (\S+) +KL (\S+)", printed, re.MULTILINE
    )
    ((original, rounded, divergence),) = found
    assert float(rounded) == pytest.approx(float(original), rel=0.01)
    assert 0 < float(divergence) < 1e-2


def test_untuned_baselines_of_a_language_model(run: Callable[..., str], tiny_model: Path) -> None:
    """Of a model that knows little all come close; the original is the same beside each."""
    write_dump(pages=120)
    printed = run("untuned_baselines", str(tiny_model))
    found = re.findall(r"^\| (.+), T = \d+ \| (\S+) \| (\S+) \| (\S+) \|$", printed, re.MULTILINE)
    assert [name.split(" ")[0] for name, *_ in found] == [
        "rounding",
        "ST-BIF,",
        "ST-BIF,",
        "`ecmt`",
    ]
    assert len({original for _, _, original, _ in found}) == 1
    for _, spiking, original, _ in found:
        assert float(spiking) == pytest.approx(float(original), rel=0.1)


@pytest.mark.slow
def test_untuned_baselines_of_an_encoder(
    run: Callable[..., str], byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    """More time steps err less; neurons err more than rounding, most those silenced by SRP."""
    write_dump(pages=220)
    model = plain.make(BertModel, vocab_size=len(byte_tokenizer), max_position_embeddings=512)
    model.save_pretrained("encoder")
    byte_tokenizer.save_pretrained("encoder")
    tables = run("untuned_baselines", "encoder").split("\n\n")
    first, second, third = (table.splitlines()[2:] for table in tables)
    errors = [[float(x) for x in re.findall(r"\d\.\d+", line)] for line in first]
    assert [len(row) for row in errors] == [6, *[9] * 5]
    rounding, fires, silenced = errors[:3]
    for row in (rounding, fires):
        assert row[0] > row[1] > row[2] and row[3] > row[4] > row[5]
    everywhere = slice(3, 6)  # all linear layers
    of_each = zip(rounding[everywhere], fires[everywhere], silenced[everywhere], strict=True)
    assert all(a < b < c for a, b, c in of_each)
    assert [line.split("`")[1] for line in second] == ["fas", "sta", "ecmt", "spikedattention"]
    assert len(third) == 6


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "add_an_architecture",
        "convert_a_model",
        "original_in_int8",
        "simulate_and_count",
        "sub_neurons",
        "untuned_baselines",
        "where_they_part",
        "why_ten_steps_break",
    }
