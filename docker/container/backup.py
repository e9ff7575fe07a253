#!/usr/bin/env python3
"""What backup.sh and restore.sh do with files; they run it as root in Orthanc's image.

A backup folder holds

    storage/            Orthanc's files under Orthanc's names; a stored file never changes
    state-TIME/         the index of one moment ("index", or "index.dump" of PostgreSQL), and
                        "checksums": SHA-256 of it and of every file, for sha256sum --check
    current             the name of the state that counts, replaced by rename as the last step

Whatever fails before that step leaves "current", its state and its files as they were.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

BLOCK = 1 << 20
STATE = re.compile(r"state-[0-9TZ]+")
# Orthanc's files lie in ab/cd/abcd..., its index beside them. Those of a restore begin with a dot.
FOLDER = re.compile(r"[0-9a-f]{2}")
ASIDE, MOVING, BEFORE = ".restoring", ".before-restore.part", ".before-restore"
Checksums = dict[str, str]


class BackupError(Exception):
    """Why there is no backup, or no restore."""


def digest(path: Path) -> str:
    """The SHA-256 of a file as it is on the disk: what the system remembers is dropped."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_file(source: Path, target: Path) -> str:
    """Copies a file, written aside and then renamed; the SHA-256 of what was read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".new")
    read = hashlib.sha256()
    try:
        with source.open("rb") as reading, aside.open("wb") as writing:
            while block := reading.read(BLOCK):
                read.update(block)
                writing.write(block)
        shutil.copystat(source, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return read.hexdigest()


def stored_files(storage: Path) -> Iterator[str]:
    """The files of Orthanc's storage, relative to it."""
    for folder in sorted(storage.iterdir()):
        if FOLDER.fullmatch(folder.name):
            for path, _, names in os.walk(folder):
                yield from (str((Path(path) / name).relative_to(storage)) for name in names)


def read_checksums(state: Path) -> Checksums:
    """What a state lists, by path relative to the backup; nothing if it has no list yet."""
    path = state / "checksums"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: value for value, _, name in (line.partition("  ") for line in lines)}


def write_checksums(state: Path, checksums: Checksums) -> None:
    """Replaces the list of a state."""
    aside = state / "checksums.new"
    aside.write_text("".join(f"{value}  {name}\n" for name, value in sorted(checksums.items())))
    aside.replace(state / "checksums")


def current_state(backup: Path) -> Path:
    """The state that counts.

    Raises:
        BackupError: the folder holds no finished backup.
    """
    current = backup / "current"
    name = current.read_text().strip() if current.exists() else ""
    if not STATE.fullmatch(name) or not (backup / name / "checksums").exists():
        raise BackupError("the folder holds no finished backup")
    return backup / name


def is_same_size(one: Path, other: Path) -> bool:
    """Whether the first exists and is as long as the other."""
    return one.exists() and one.stat().st_size == other.stat().st_size


def copy(storage: Path, backup: Path, state: Path) -> None:
    """Copies what the backup lacks; what an earlier run has listed is not read again."""
    known = read_checksums(state)
    if (backup / "current").exists():
        known = read_checksums(current_state(backup)) | known
    found = Checksums()
    for name in stored_files(storage):
        source, listed = storage / name, f"storage/{name}"
        try:
            if listed in known and is_same_size(backup / listed, source):
                found[listed] = known[listed]
            else:
                found[listed] = copy_file(source, backup / listed)
        except FileNotFoundError:
            if source.exists():
                raise
            # Orthanc has deleted it meanwhile.
    write_checksums(state, found)


def copy_index(storage: Path, state: Path) -> None:
    """Copies SQLite's index of an Orthanc that has stopped, as one file."""
    if not (storage / "index").exists():
        raise BackupError("Orthanc's storage holds no index")
    for name in ("index", "index-wal"):
        if (storage / name).exists():
            copy_file(storage / name, state / name)
    # What a killed Orthanc had not yet moved from its log into the index is moved here.
    with closing(sqlite3.connect(state / "index")) as index:
        index.execute("PRAGMA locking_mode = EXCLUSIVE")
        index.execute("PRAGMA journal_mode = DELETE").fetchone()


def check_index(path: Path, files: set[str]) -> None:
    """Checks SQLite's index, and tells which of its files are not there.

    Raises:
        BackupError: SQLite finds it damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as index:
            told = index.execute("PRAGMA integrity_check").fetchone()[0]
            named = [name for (name,) in index.execute("SELECT uuid FROM AttachedFiles")]
    except sqlite3.Error as error:
        told, named = str(error), []
    if told != "ok":
        raise BackupError(f"{path.name} is damaged: {told.splitlines()[0]}")
    lost = [one for one in named if f"storage/{one[:2]}/{one[2:4]}/{one}" not in files]
    if lost:
        sys.stderr.write(f"warning: {len(lost)} files of the index are missing, {lost[0]} first\n")


def finish(storage: Path, backup: Path, state: Path, *, is_quick: bool) -> None:
    """Checks what has been copied, makes it the backup that counts, and removes what is left over.

    A file that is damaged in the backup is copied again. With is_quick, files that an earlier
    backup has checked are not read.
    """
    checksums = read_checksums(state)
    known = read_checksums(current_state(backup)) if (backup / "current").exists() else {}
    for path in state.glob("index*"):
        checksums[f"{state.name}/{path.name}"] = digest(path)
    os.sync()
    for name, expected in checksums.items():
        is_checked = is_quick and known.get(name) == expected
        if is_checked or digest(backup / name) == expected:
            continue
        source = storage / name.removeprefix("storage/")
        if not source.exists():
            raise BackupError(f"{name} is damaged, and Orthanc has it no more")
        checksums[name] = copy_file(source, backup / name)
        os.sync()
        if digest(backup / name) != checksums[name]:
            raise BackupError(f"{name} cannot be written: what is read is not what was written")
    if (state / "index").exists():
        check_index(state / "index", set(checksums))
    write_checksums(state, checksums)
    os.sync()
    aside = backup / "current.new"
    aside.write_text(f"{state.name}\n")
    aside.replace(backup / "current")
    os.sync()
    prune(backup, state, checksums)


def prune(backup: Path, state: Path, checksums: Checksums) -> None:
    """Removes earlier states, and files that this one does not list."""
    for other in backup.iterdir():
        if STATE.fullmatch(other.name) and other != state:
            shutil.rmtree(other)
    for name in list(stored_files(backup / "storage")):
        if f"storage/{name}" not in checksums:
            (backup / "storage" / name).unlink()


def verify(backup: Path) -> None:
    """Reads the whole backup.

    Raises:
        BackupError: a file is missing or damaged, or the index is.
    """
    state = current_state(backup)
    checksums = read_checksums(state)
    if not {f"{state.name}/index", f"{state.name}/index.dump"} & set(checksums):
        raise BackupError("the backup has no index")
    for name, expected in checksums.items():
        path = backup / name
        if not path.is_file():
            raise BackupError(f"{name} is missing")
        if digest(path) != expected:
            raise BackupError(f"{name} is damaged")
    if (state / "index").exists():
        check_index(state / "index", set(checksums))


def lay(backup: Path, storage: Path) -> None:
    """Lays the backup's files beside those of the running Orthanc, whose equal ones serve for both.

    Raises:
        BackupError: an earlier restore was cut short, or a file is damaged.
    """
    if (storage / BEFORE).exists() or (storage / MOVING).exists():
        raise BackupError("an earlier restore was cut short: start this one again")
    state, aside = current_state(backup), storage / ASIDE
    owner = storage.stat()
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name, expected in read_checksums(state).items():
        if name == f"{state.name}/index.dump":
            continue
        own = Path(name).relative_to("storage" if name.startswith("storage/") else state.name)
        live, target = storage / own, aside / own
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("storage/") and is_same(live, expected):
            target.hardlink_to(live)
        elif copy_file(backup / name, target) != expected:
            raise BackupError(f"{name} is damaged")
        else:
            os.chown(target, owner.st_uid, owner.st_gid)
    for path, _, _ in os.walk(aside):
        os.chown(path, owner.st_uid, owner.st_gid)
    os.sync()


def is_same(path: Path, expected: str) -> bool:
    """Whether a file exists and has that SHA-256."""
    try:
        return digest(path) == expected
    except FileNotFoundError:
        return False


def own_entries(storage: Path) -> list[Path]:
    """What Orthanc has at the top of its storage: folders of files, and SQLite's index."""
    return [
        path
        for path in storage.iterdir()
        if FOLDER.fullmatch(path.name) or path.name.startswith("index")
    ]


def swap(storage: Path) -> None:
    """Puts what lay() has laid in the place of what Orthanc has; that one is kept until keep()."""
    moving = storage / MOVING
    moving.mkdir()
    for path in own_entries(storage):
        path.rename(moving / path.name)
    moving.rename(storage / BEFORE)
    for path in (storage / ASIDE).iterdir():
        path.rename(storage / path.name)
    (storage / ASIDE).rmdir()


def put_back(storage: Path) -> None:
    """Undoes lay() and swap(), however far they came."""
    before = storage / BEFORE
    if before.exists():
        for path in own_entries(storage):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    else:
        before = storage / MOVING
    for path in before.iterdir() if before.exists() else ():
        path.rename(storage / path.name)
    shutil.rmtree(before, ignore_errors=True)
    shutil.rmtree(storage / ASIDE, ignore_errors=True)


def keep(storage: Path) -> None:
    """Removes what swap() has kept."""
    shutil.rmtree(storage / BEFORE)


def main() -> None:
    """Does one step, with the folders of the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "step", choices=("copy", "index", "finish", "verify", "lay", "swap", "back", "keep")
    )
    parser.add_argument("--storage", type=Path, default=Path("/storage"))
    parser.add_argument("--backup", type=Path, default=Path("/backup"))
    parser.add_argument("--state", default="")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    storage, backup, state = asked.storage, asked.backup, asked.backup / asked.state
    steps = {
        "copy": lambda: copy(storage, backup, state),
        "index": lambda: copy_index(storage, state),
        "finish": lambda: finish(storage, backup, state, is_quick=asked.quick),
        "verify": lambda: verify(backup),
        "lay": lambda: lay(backup, storage),
        "swap": lambda: swap(storage),
        "back": lambda: put_back(storage),
        "keep": lambda: keep(storage),
    }
    try:
        steps[asked.step]()
    except (BackupError, OSError, sqlite3.Error) as error:
        sys.exit(f"backup.py {asked.step}: {error}")


if __name__ == "__main__":
    main()
