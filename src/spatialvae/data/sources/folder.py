"""A folder of pictures, nested or not, as people have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from spatialvae.data.sources.files import AbstractFileSource, printable
from spatialvae.data.sources.source import Record
from spatialvae.data.sources.walk import PICTURE_SUFFIXES, Below
from spatialvae.data.splits import shared_parts, split_called, splits_of
from spatialvae.errors import UserError

__all__ = ["FolderSource"]


class FolderSource(AbstractFileSource):
    """All pictures below a folder, whose folders may name their splits.

    Labels are the names of the folders when no picture lies more than one folder deep (inside its split) and there
    are two such folders or more.
    """

    def __init__(self, path: Path, below: Below) -> None:
        self.name = printable(path.resolve().name)
        self.files = list(below.pictures.items())
        self.total = len(self.files)
        self.passed_over = below.beside_pictures
        if not self.files:
            others = f" It has {', '.join(f'{count} {kind}' for kind, count in self.passed_over.items())}."
            raise UserError(
                f"The folder '{path}' has no pictures ({', '.join(PICTURE_SUFFIXES[:5])}, ...), parquet or "
                "idx files, and is no saved data set. Give an .npy or .npz file by its own path."
                + (others if self.passed_over else "")
            )
        folders = {name: PurePosixPath(name).parts[:-1] for name, _ in self.files}
        self._split_of = _named_splits(folders)
        if any(self._split_of.values()):
            self.named = {printable(name): split for name, split in self._split_of.items()}
        self._find_labels(folders)

    def _find_labels(self, folders: Mapping[str, tuple[str, ...]]) -> None:
        shared = shared_parts(folders.values())
        inside = [_without_split(parts, self._split_of[name], shared) for name, parts in folders.items()]
        labelled = len({parts[0] for parts in inside if parts}) > 1 and all(len(parts) <= 1 for parts in inside)
        self._labels = [printable(parts[0]) if labelled and parts else None for parts in inside]

    def records(self) -> Iterator[Record]:
        """Picture by picture in the order of their paths."""
        for (name, path), label in zip(self.files, self._labels, strict=True):
            yield Record(printable(name), path, label, self._split_of[name])


def _named_splits(folders: Mapping[str, tuple[str, ...]]) -> dict[str, str | None]:
    """The split of every picture by its folders, or by its own name where all names say one.

    Folders can be classes instead. Beside folders that say nothing, a name of several words (`test tube`) is one, and
    so is a longer name with the word train (`train_station`) where no test or validation images are named.
    """
    splits = splits_of(folders)
    if None in splits.values():
        splits = splits_of({name: [part for part in parts if " " not in part] for name, parts in folders.items()})
    if not any(splits.values()):
        files = {name: split_called(PurePosixPath(name).name) for name in folders}
        if "train" in files.values() and None not in files.values():
            return files
    alone = {split for split in splits.values() if split} == {"train"}
    if alone and not any(part.lower() in ("train", "training") for parts in folders.values() for part in parts):
        return dict.fromkeys(folders)
    return splits


def _without_split(parts: tuple[str, ...], split: str | None, shared: int) -> tuple[str, ...]:
    """The folders of a picture that may be its class: not what all pictures share, and not the one of its split."""
    if split is None:
        return parts
    inside = parts[shared:]
    own = next((place for place, part in enumerate(inside) if split_called(part) == split), len(inside))
    return inside[:own] + inside[own + 1 :]
