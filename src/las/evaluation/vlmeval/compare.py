"""Vision-language sets with VLMEvalKit (Table 4), both models on the same items."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from las.evaluation.checks import refuse_dense_checkpoint
from las.evaluation.score import Score
from las.evaluation.vlmeval.environment import import_vlmeval
from las.evaluation.vlmeval.metrics import Value, values_of
from las.evaluation.vlmeval.model import ChatModel
from las.evaluation.vlmeval.prompts import MULTIPLE_CHOICE, YES_OR_NO, prompt_for
from las.evaluation.vlmeval.sets import keep_image_files, load_set, part_of

_JUDGE = "exact_matching"
# The file that VLMEvalKit writes its verdict on every item to, and the column.
_VERDICTS = {
    MULTIPLE_CHOICE: (f"_{_JUDGE}_result.xlsx", "hit"),
    YES_OR_NO: ("_auxmatch.xlsx", "score"),
}


def compare_vision_language(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    processor: ProcessorMixin,
    sets: Sequence[str],
    *,
    folder: Path,
    prompt: str = "instructed",
    limit: int | None = None,
    max_new_tokens: int = 16,
) -> list[Score]:
    """Scores of both models on VLMEvalKit's image sets.

    A model answers greedily in words, and VLMEvalKit's exact matching finds the letter or the
    text of an option in the answer, or Yes or No; what it cannot match is wrong. No other model
    judges. `agreement` is the share of items with the same answer, word by word. Of sets that are
    neither multiple-choice nor yes-or-no there is VLMEvalKit's own figure, as "overall" and
    without a standard error, if it has one without a judging model.

    Arguments:
        ann, snn: the original and its spike-equivalent.
        processor: theirs.
        sets: names of sets; see `load_set` for where they come from.
        folder: of their TSV files.
        prompt: "instructed" asks for a letter, or for yes or no; "question" gives the question
            alone, to a model that has learnt no instruction. Such a model is not told the options
            of a multiple-choice item; the word that it answers is matched to them.
        limit: about so many items of each set, spread evenly; None for all.
        max_new_tokens: the longest answer.

    Returns:
        for each set one Score per metric (see `values_of`), in the order given.

    Raises:
        MissingExtraError: VLMEvalKit is not installed.
        AssetError: a set is missing, damaged, or cannot be fetched.
        ValueError: repeated sets or none, a limit below 1 or too low for MME's categories, a set
            that only a judging model can score, or a model gives NaN.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    if not sets or len(set(sets)) < len(sets):
        raise ValueError(f"no image sets to score, or one is named twice: {', '.join(sets)}")
    refuse_dense_checkpoint(ann)
    refuse_dense_checkpoint(snn)
    import_vlmeval(folder)
    scores = []
    for name in tqdm(sets, desc="image sets", unit="set"):
        whole = load_set(name, folder)
        dataset = part_of(whole, limit)
        asked = prompt_for(dataset.TYPE, prompt)
        judged = {}
        for which, model in (("ANN", ann), ("SNN", snn)):
            chat = ChatModel(
                model, processor, which=which, prompt=asked, max_new_tokens=max_new_tokens
            )
            judged[which] = _answer_and_judge(chat, part_of(dataset, None))
        scores += _scores(name, judged["ANN"], judged["SNN"], len(whole.data))
    return scores


@dataclass(frozen=True)
class _Judged:
    """The items of a set with each `prediction`, the metrics, and the model's computing time."""

    items: pd.DataFrame
    values: list[Value]
    seconds: float


def _answer_and_judge(chat: ChatModel, dataset: Any) -> _Judged:
    """Let VLMEvalKit ask the model about every item, and judge the answers."""
    from vlmeval.inference import infer_data_job
    from vlmeval.smp import load

    name = dataset.dataset_name
    # VLMEvalKit goes on where an earlier run left off, so each run has a folder of its own.
    with tempfile.TemporaryDirectory(prefix="las-vlmeval-") as scratch:
        keep_image_files(dataset, Path(scratch, "images"))
        infer_data_job(model=chat, work_dir=scratch, model_name=chat.which, dataset=dataset)
        answers = Path(scratch, f"{chat.which}_{name}.xlsx")
        summary = dataset.evaluate(str(answers), model=_JUDGE, nproc=1)
        suffix, verdict = _VERDICTS.get(dataset.TYPE, (".xlsx", None))
        judged = answers.with_name(answers.stem + suffix)
        items: pd.DataFrame = load(str(judged if judged.exists() else answers))
    if verdict in items:
        values = values_of(name, items.assign(right=items[verdict].astype(bool)))
    else:
        values = [_overall(name, summary)]
    said = items["prediction"].fillna("").astype(str)  # an empty answer comes back as no text
    return _Judged(items.assign(prediction=said), values, chat.seconds)


def _overall(name: str, summary: Any) -> Value:
    """VLMEvalKit's own figure, in its own unit."""
    try:
        return Value("overall", float(pd.DataFrame(summary)["Overall"].iloc[0]), None)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{name}: VLMEvalKit gives no overall score for it without a judging model"
        ) from error


def _scores(name: str, ann: _Judged, snn: _Judged, available: int) -> list[Score]:
    if list(ann.items["index"]) != list(snn.items["index"]):
        raise RuntimeError(f"{name}: ANN and SNN were not scored on the same items")
    agreement = float((ann.items["prediction"] == snn.items["prediction"]).mean())
    seconds = {"seconds_ann": ann.seconds, "seconds_snn": snn.seconds}

    def score(number: int, of_ann: Value, of_snn: Value) -> Score:
        return Score(
            task=name,
            metric=of_ann.name,
            higher_is_better=True,
            ann=of_ann.value,
            snn=of_snn.value,
            ann_stderr=of_ann.stderr,
            snn_stderr=of_snn.stderr,
            items=len(ann.items),
            items_available=available,
            agreement=agreement,
            # Once for the set, so that its time is not added up once per metric.
            extra=seconds if number == 0 else {},
        )

    pairs = zip(ann.values, snn.values, strict=True)
    return [score(number, *pair) for number, pair in enumerate(pairs)]
