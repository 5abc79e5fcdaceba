"""What a model is fine-tuned on before the neurons of a published method are put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from pipeline import paths


def data(cfg: DictConfig, root: Path) -> Path:
    """The data set that the model was trained on here.

    Raises:
        ValueError: it was trained elsewhere.
    """
    if not paths.trained_here(cfg):
        raise ValueError(
            f"neuron={cfg.neuron.name} fine-tunes on the data that a model was trained on, and "
            f"{cfg.model.name} was not trained here: take neuron={cfg.neuron.method}-t16, which "
            "is not fine-tuned, or a model with a section `pretraining`"
        )
    return paths.assets(root) / cfg.model.pretraining.dataset.name


def labelled_batches(cfg: DictConfig, reader: Any) -> list[Any]:
    """A batch for each step, forward arguments with labels; nothing that evaluation sees.

    Windows of a language model's text, spread evenly over it, or a classifier's sentences in the
    order of a shuffle that is always the same. After the last one comes the first one again.

    Arguments:
        cfg: of the cell; its calibration says how many are in a batch, and how long they are.
        reader: its tokenizer.

    Raises:
        ValueError: the model is neither a language model nor a classifier.
    """
    import torch

    from las.data.calibration import calibration_windows
    from las.data.glue import read_glue
    from las.data.windows import padded_batches

    pretraining, calibration = cfg.model.pretraining, cfg.calibration
    assets, size = paths.assets(Path(cfg.root)), calibration.batch_size
    if pretraining.task == "language_model":
        windows = calibration_windows(
            assets / pretraining.dump,
            reader,
            count=cfg.neuron.tuning.steps * size,
            length=calibration.length,
            batch_size=size,
        )
        return [{**batch, "labels": batch["input_ids"]} for batch in windows]
    if pretraining.task != "classification":
        raise ValueError(
            f"neuron={cfg.neuron.name} fine-tunes language models and classifiers, and "
            f"{cfg.model.name} is trained for {pretraining.task}"
        )
    found = read_glue(pretraining.glue_task, assets / pretraining.directory, "train")
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    items = [found[index] for index in order]
    labels = torch.tensor([int(item.label) for item in items]).split(size)
    read = padded_batches(
        [item.texts[0] for item in items],
        reader,
        batch_size=size,
        max_length=pretraining.max_length,
    )
    return [{**batch, "labels": part} for batch, part in zip(read, labels, strict=True)]
