"""The files of one split of a labelled data set, as the hub and its mirrors lay them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from las.errors import AssetError

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = (".arrow", ".parquet", ".jsonl", ".tsv")
"""Arrow, parquet, JSON lines, and tab-separated values with a header and no quoting (GLUE's)."""

_SPLITS = ("train", "validation", "dev", "test")


def find_shards(folder: Path, splits: Sequence[str], name: str) -> list[str]:
    """The files of the split to score: a split's own files, or all files if none is named.

    A file belongs to a split if its name, or that of a folder between it and `folder`, begins so.

    Arguments:
        folder: holds the data set.
        splits: the splits that may be scored, the preferred one first.
        name: of the task, for errors.

    Raises:
        AssetError: there is no file, or only files of other splits.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in FORMATS)
    if not files:
        raise AssetError(
            f"no data for the task {name}: {folder} holds no {', '.join(FORMATS)} file. Fetch the"
            f" data assets, or put the set there as {splits[0]}.parquet, .jsonl or .tsv"
        )

    def of(*beginnings: str) -> list[str]:
        return [
            str(path.resolve())
            for path in files
            if any(part.startswith(beginnings) for part in path.relative_to(folder).parts)
        ]

    for split in splits:
        if found := of(split):
            return found
    named = of(*_SPLITS)
    if unnamed := [str(path.resolve()) for path in files if str(path.resolve()) not in named]:
        return unnamed
    raise AssetError(
        f"{folder} holds {', '.join(str(path.relative_to(folder)) for path in files)} of {name},"
        f" but {' or '.join(splits)} is scored"
    )


def read_shards(paths: Sequence[str]) -> Dataset:
    """Read the files of one split; arrow files are mapped into memory, nothing is cached.

    Raises:
        AssetError: a file is damaged, or there are no items.
    """
    import pyarrow.csv  # type: ignore[import-untyped]
    import pyarrow.json  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]
    from datasets import Dataset, concatenate_datasets

    unquoted = pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False)
    shards = []
    for path in paths:
        try:
            if path.endswith(".arrow"):
                shards.append(Dataset.from_file(path))
            elif path.endswith(".parquet"):
                shards.append(Dataset(pyarrow.parquet.read_table(path)))
            elif path.endswith(".tsv"):
                shards.append(Dataset(pyarrow.csv.read_csv(path, parse_options=unquoted)))
            else:
                shards.append(Dataset(pyarrow.json.read_json(path)))
        except (OSError, ValueError) as error:
            raise AssetError(
                f"{path} is damaged ({error}): delete it and fetch it again"
            ) from error
    items = concatenate_datasets(shards)
    if not len(items):
        raise AssetError(f"{', '.join(paths)}: no items")
    return items
