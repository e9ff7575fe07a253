"""The pages' own files: texts in every language, and references that lead somewhere."""

import json
import re
from pathlib import Path

import pytest

from orthanc_stl_plugin.model.progress import Stage

PACKAGE = Path(__file__).parents[2] / "orthanc_stl_plugin"
PAGES = PACKAGE / "pages"
LOCK = PACKAGE.parent / "docker" / "viewers" / "package-lock.json"
TEXTS = {path.stem: json.loads(path.read_text()) for path in (PAGES / "texts").glob("*.json")}
SCRIPTS = sorted(PAGES.rglob("*.js"))
HTML = sorted(PAGES.glob("*.html"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# Keys that scripts put together: text(`side.${side}`).
FAMILIES = ("button.", "cache.", "cut.", "direction.", "fact.", "job.", "resolution.", "side.",
            "smoothing.", "stage.", "state.", "axis.", "unit.")  # fmt: skip


def keys_in_use() -> set[str]:
    keys: set[str] = set()
    for path in HTML:
        keys.update(re.findall(r'data-(?:text|label)="([^"]+)"', path.read_text()))
    for path in SCRIPTS:
        keys.update(re.findall(r"(?<![.\w])(?:text|startPage)\(\s*'([^']+)'", path.read_text()))
    return keys


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_the_texts_of_english(language: str):
    assert list(TEXTS[language]) == list(TEXTS["en"])


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_fills_in_the_same_values(language: str):
    for key, text in TEXTS[language].items():
        assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(TEXTS["en"][key])), key


def test_every_text_that_a_page_asks_for_exists():
    assert keys_in_use() <= set(TEXTS["en"])


def test_no_text_is_left_over():
    sources = "".join(path.read_text() for path in SCRIPTS)
    unused = set(TEXTS["en"]) - keys_in_use()
    assert [
        key
        for key in (one.removesuffix(".one") for one in unused)
        if not key.startswith(FAMILIES) and f"'{key}'" not in sources
    ] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_out_of_data(path: Path):
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert re.findall(banned, path.read_text()) == []


@pytest.mark.parametrize(
    "path", [*SCRIPTS, *HTML, *PAGES.rglob("*.css")], ids=lambda path: path.name
)
def test_no_page_names_another_server_and_none_is_long(path: Path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in text
    assert "https:" not in text
    assert len(text.splitlines()) <= 300


def test_the_viewers_that_pages_name_are_those_of_the_lock_file():
    locked = {
        f"{name.removeprefix('node_modules/')}-{package['version']}"
        for name, package in json.loads(LOCK.read_text())["packages"].items()
        if name
    }
    named = {
        folder
        for path in SCRIPTS
        for folder in re.findall(r"\.\./viewers/([^/']+)/", path.read_text())
    }
    assert named
    assert named <= locked


def test_the_lock_file_names_no_registry():
    text = LOCK.read_text()
    assert "resolved" not in text
    assert text.count('"integrity"') == len(json.loads(text)["packages"]) - 1


def test_every_part_of_a_page_that_scripts_name_is_in_some_html():
    ids = {one for path in HTML for one in re.findall(r'\bid="([^"]+)"', path.read_text())}
    made = {f"{name}{end}" for name in ("lower", "upper") for end in ("", "-slider")}
    for path in SCRIPTS:
        named = set(re.findall(r"byId\('([^']+)'\)", path.read_text()))
        assert named <= ids | made, path.name


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_of_a_job_has_a_text(stage: Stage):
    assert f"stage.{stage}" in TEXTS["en"]
