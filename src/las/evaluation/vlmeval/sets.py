"""Image sets as VLMEvalKit holds them: local TSV files, and downloads of the sets it knows."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from las.data.windows import evenly_spaced
from las.errors import AssetError
from las.evaluation.vlmeval.metrics import groups_of, require_scorable
from las.evaluation.vlmeval.prompts import MULTIPLE_CHOICE, YES_OR_NO
from las.files.atomic import atomic_file


def load_set(name: str, folder: Path) -> Any:
    """Load a set by name, for VLMEvalKit to ask and judge.

    `folder`/<name>.tsv is read as it is if it is there. Otherwise the set has to be one that
    VLMEvalKit knows, and is downloaded there and compared with the checksum that VLMEvalKit has.
    A file of an unknown name is a multiple-choice set if it has options A and B, and a yes-or-no
    set if every answer is Yes or No.

    Call `import_vlmeval` before.

    Raises:
        AssetError: there is no such set, its download fails or is damaged, or a file is not a set.
    """
    from vlmeval.dataset import IMAGE_DATASET, ImageMCQDataset, ImageYORNDataset

    file = folder / f"{name}.tsv"
    kind = next((kind for kind in IMAGE_DATASET if name in kind.supported_datasets()), None)
    if not file.exists():
        if kind is None or not kind.DATASET_URL.get(name):
            raise AssetError(
                f"no image set {name}: VLMEvalKit does not offer it for download, and there is no"
                f" {file}"
            )
        _download(kind.DATASET_URL[name], kind.DATASET_MD5.get(name), file)
    if kind is None:
        kind = {MULTIPLE_CHOICE: ImageMCQDataset, YES_OR_NO: ImageYORNDataset}[_kind_of(file)]
    # VLMEvalKit downloads over a file that is not the one it knows, so it must expect none.
    checksums, kind.DATASET_MD5 = kind.DATASET_MD5, {}
    try:
        return kind(dataset=name)
    except (KeyError, AssertionError) as error:
        raise AssetError(f"{file} is no set of images and questions: {error!r}") from error
    finally:
        kind.DATASET_MD5 = checksums


def part_of(dataset: Any, limit: int | None) -> Any:
    """A set with about `limit` of its items, spread evenly over it.

    Items that are only scored together (see `groups_of`) stay together, so there may be a few
    more or less.

    Raises:
        ValueError: `limit` is below 1, or too low for MME's categories.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    part = copy.copy(dataset)
    part.data = dataset.data.copy()
    if limit is not None and limit < len(part.data):
        groups = groups_of(dataset.dataset_name, part.data)
        names = list(dict.fromkeys(groups))
        wanted = evenly_spaced(names, max(1, round(limit * len(names) / len(part.data))))
        part.data = part.data[groups.isin(wanted)]
    require_scorable(dataset.dataset_name, part.data)
    return part


def keep_image_files(dataset: Any, folder: Path) -> None:
    """Have a set's images written to `folder`, those of a set of ours byte by byte.

    VLMEvalKit writes every image as JPEG; for the sets that it knows that is part of how they
    are measured.
    """
    dataset.img_root = str(folder)
    if dataset.dataset_name in dataset.DATASET_URL or "image" not in dataset.data:
        return

    def image_files(item: Mapping[str, Any]) -> list[str]:
        images = item["image"] if isinstance(item["image"], list) else [item["image"]]
        files = [folder / f"{item['index']}-{number}" for number in range(len(images))]
        folder.mkdir(parents=True, exist_ok=True)
        for file, image in zip(files, images, strict=True):
            file.write_bytes(base64.b64decode(image))
        return [str(file) for file in files]

    dataset.dump_image = image_files


def _kind_of(file: Path) -> str:
    columns = set(pd.read_csv(file, sep="\t", nrows=0))
    if {"index", "image", "question", "answer"} <= columns:
        if {"A", "B"} <= columns:
            return MULTIPLE_CHOICE
        if set(pd.read_csv(file, sep="\t", usecols=["answer"])["answer"]) <= {"Yes", "No"}:
            return YES_OR_NO
    raise AssetError(
        f"{file} is neither a multiple-choice set (columns index, image in base64, question, A, B,"
        " ..., answer) nor a yes-or-no set (index, image, question, answer: Yes or No), but has the"
        f" columns {', '.join(sorted(columns))}"
    )


def _download(url: str, md5: str | None, file: Path) -> None:
    """Download to `file`; it appears there only if it is whole."""
    from vlmeval.smp import download_file

    with atomic_file(file) as partial:
        try:
            download_file(url, str(partial))
        except Exception as error:  # whatever urllib and its mirrors raise
            raise AssetError(
                f"{url} cannot be fetched ({error}). Where it cannot be reached, put the file at"
                f" {file}"
            ) from error
        with partial.open("rb") as content:
            actual = hashlib.file_digest(content, "md5").hexdigest()
        if md5 is not None and actual != md5:
            raise AssetError(f"{url} is damaged: its md5 is {actual}, expected {md5}. Fetch again")
