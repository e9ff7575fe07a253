"""docker/add-staff.sh: one account a name; docker/make-login.sh: the same for the login."""

import shutil
import subprocess
from pathlib import Path

import pytest

DOCKER = Path(__file__).parents[2] / "docker"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scripts, and no accounts."""
    for name in ("add-staff.sh", "make-login.sh"):
        shutil.copy(DOCKER / name, tmp_path)
    return tmp_path


def add(folder: Path, name: str, word: str = "long enough a word") -> int:
    """The status of the script."""
    command = [str(folder / "add-staff.sh"), name]
    done = subprocess.run(command, input=f"{word}\n", text=True, capture_output=True, check=False)
    return done.returncode


def accounts(folder: Path) -> dict[str, str]:
    """The hashes, by name, in the order of the file."""
    lines = (folder / "secrets/proxy/staff").read_text().splitlines()
    told = dict(line.split(":") for line in lines)
    assert len(told) == len(lines)
    return told


@pytest.mark.parametrize(
    ("first", "second"), [("aXb", "a.b"), ("10", "1e1"), ("alicealice", "alice")]
)
def test_a_name_is_compared_as_it_is_written(folder: Path, first: str, second: str) -> None:
    for name in (first, second):
        assert add(folder, name) == 0
    assert list(accounts(folder)) == [first, second]


def test_a_new_password_replaces_the_old_one(folder: Path) -> None:
    assert add(folder, "a.b") == 0
    old = accounts(folder)["a.b"]
    assert add(folder, "a.b", "another long word") == 0
    assert accounts(folder)["a.b"] != old


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nb", "caf\u00e9"])
def test_a_name_that_the_file_cannot_hold_is_refused(folder: Path, name: str) -> None:
    assert add(folder, name) != 0
    assert not (folder / "secrets/proxy/staff").exists()


def test_a_short_password_is_refused(folder: Path) -> None:
    assert add(folder, "alice", "eleven char") != 0
    assert not (folder / "secrets/proxy/staff").exists()


def test_the_login_has_the_accounts_of_staff_from_then_on(folder: Path) -> None:
    script = [str(folder / "make-login.sh")]
    assert subprocess.run(script, capture_output=True, check=False).returncode != 0
    assert add(folder, "alice") == 0
    assert subprocess.run(script, check=False).returncode == 0
    login = folder / "secrets/login"
    words = {name: (login / name).read_text() for name in ("session", "storage", "reset")}
    assert len(set(words.values())) == 3
    assert add(folder, "a.b") == 0
    lines = (login / "users.yml").read_text().splitlines()
    assert lines == ["users:"] + [
        f'  "{name}": {{ displayname: "{name}", password: "{hashed}" }}'
        for name, hashed in accounts(folder).items()
    ]
    assert {name: (login / name).read_text() for name in words} == words
