"""The cache: atomic, shared, never stale."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import spatialvae
from spatialvae.data import prepare
from spatialvae.data.cache import default_cache, publish
from spatialvae.data.sources import files
from spatialvae.errors import UserError
from tests.data.pictures import everything, noise, prepared, write_folder


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.name != "identities")


def test_second_time_reads_the_cache(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(30))
    first = prepared(folder, cache)
    stamp = (cache / first.fingerprint).stat().st_mtime_ns
    second = prepared(folder, cache)
    assert first.fingerprint == second.fingerprint
    assert (cache / first.fingerprint).stat().st_mtime_ns == stamp
    assert entries(cache) == [cache / first.fingerprint]
    assert everything(first) == everything(second) and first.channel_means == second.channel_means


def test_memory_mapped_and_read_only(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    np.save(tmp_path / "a.npy", images)
    data = prepared(tmp_path / "a.npy", cache)
    train = data.split("train")
    assert isinstance(train.images.base, np.memmap) and not train.images.flags.writeable
    taken = train.take(np.array([2, 0, 2]))
    assert taken.flags.writeable and np.array_equal(taken, train.images[[2, 0, 2]])
    assert data.channel_means == pytest.approx(train.images.mean((0, 2, 3)))
    reread = np.load(cache / data.fingerprint / "train.images.npy", allow_pickle=False)
    assert np.array_equal(reread, train.images)
    with pytest.raises(UserError, match="'validation'"):
        data.split("valid")


@pytest.mark.parametrize("large", [False, True])
def test_never_stale(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:  # the identity of a large source is remembered
        monkeypatch.setattr(files, "ALWAYS_READ", 0)
        monkeypatch.setattr(files, "SETTLED", -1.0)
    path = tmp_path / "a.npy"
    np.save(path, noise(30))
    before = prepared(path, cache)
    assert prepared(path, cache).fingerprint == before.fingerprint
    assert (cache / "identities").exists() == large
    stamp = path.stat()
    time.sleep(0.02)  # longer than the grain of a file system's clock
    np.save(path, noise(30, seed=1))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    after = prepared(path, cache)
    assert after.fingerprint != before.fingerprint and everything(after).isdisjoint(everything(before))


def test_young_files_are_not_remembered(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ALWAYS_READ", 0)
    path = tmp_path / "a.npy"
    np.save(path, noise(30))
    prepared(path, cache)
    assert not (cache / "identities").exists()


def test_a_copy_is_the_same_data(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(30))
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert prepared(folder, cache).fingerprint == prepared(tmp_path / "copy", cache).fingerprint
    (tmp_path / "copy" / "0000.png").rename(tmp_path / "copy" / "9999.png")  # another order
    assert prepared(folder, cache).fingerprint != prepared(tmp_path / "copy", cache).fingerprint


def test_options_are_part_of_the_fingerprint(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, noise(30, 3, 12, 16))
    settings = [
        {},
        {"image_size": (8, 8)},
        {"crop": "center"},
        {"crop": "8"},
        {"channels": 1},
        {"layout": "nchw"},
    ]
    assert len({prepared(path, cache, **setting).fingerprint for setting in settings}) == len(settings)


@pytest.mark.parametrize("damage", ["truncate", "remove", "info", "labels"])
def test_damaged_entries_are_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=noise(30), labels=np.arange(30))
    data = prepared(path, cache)
    expected = everything(data)
    entry = cache / data.fingerprint
    if damage == "truncate":
        content = (entry / "train.images.npy").read_bytes()
        (entry / "train.images.npy").unlink()  # the mapped file itself must not shrink under this process
        (entry / "train.images.npy").write_bytes(content[:-64])
    elif damage == "remove":
        (entry / "test.images.npy").unlink()
    elif damage == "labels":
        np.save(entry / "test.labels.npy", np.zeros(1, np.float32))
    else:
        (entry / "info.json").write_text("{")
    again = prepared(path, cache)
    assert everything(again) == expected and again.split("test").labels is not None
    assert entries(cache) == [entry]


def test_two_processes_at_once(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(200))
    script = (
        "import sys\nfrom pathlib import Path\nfrom spatialvae.data import prepare\nsys.stdin.readline()\n"
        "print(prepare(sys.argv[1], cache=Path(sys.argv[2])).fingerprint)"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(folder), str(cache)]
    environment = {**os.environ, "PYTHONPATH": str(Path(spatialvae.__path__[0]).parent)}
    running = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    messages = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(messages) == 1
    assert entries(cache) == [cache / messages.pop()]
    assert len(everything(prepare(str(folder), cache=cache))) == 200


def test_the_loser_discards_its_copy(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(30))
    entry = cache / prepared(folder, cache).fingerprint
    second = shutil.copytree(entry, cache / ".new-second")
    before = entry.stat().st_ino
    publish(second, entry)
    assert entry.stat().st_ino == before and second.exists()
    (entry / "info.json").unlink()
    publish(second, entry)  # a damaged one is replaced
    assert entry.stat().st_ino != before and not second.exists()


def test_nothing_is_left_of_a_failure(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UserError):
        prepared(write_folder(tmp_path / "own", noise(3)), cache)
    assert entries(cache) == []


def test_what_killed_processes_left_is_removed(tmp_path: Path, cache: Path) -> None:
    old, young = cache / ".new-old", cache / ".new-young"
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "train.images.npy").write_bytes(b"part")
    for path in (old / "train.images.npy", old):
        os.utime(path, (0, 0))
    prepared(write_folder(tmp_path / "own", noise(30)), cache)
    assert not old.exists() and young.exists()


def test_changes_while_reading_are_noticed(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "own", noise(30))
    original = files.AbstractFileSource.identity

    def identity(self: files.AbstractFileSource, root: Path) -> str:
        result = original(self, root)
        (folder / "0000.png").write_bytes((folder / "0001.png").read_bytes())
        return result

    monkeypatch.setattr(files.AbstractFileSource, "identity", identity)
    with pytest.raises(UserError, match="changed while it was read"):
        prepared(folder, cache)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise(30))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="SPATIALVAE_CACHE"):
        prepared(tmp_path / "a.npy", tmp_path / "file" / "cache")


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIALVAE_CACHE", str(tmp_path / "here"))
    assert default_cache() == tmp_path / "here"
    monkeypatch.delenv("SPATIALVAE_CACHE")
    assert default_cache().name == "spatialvae"
