import json
import re
from pathlib import Path
from typing import Any

import pytest

from orthanc_stl_plugin import command
from orthanc_stl_plugin.command import main

PAGES = Path(command.__file__).parent / "pages"


def section(capsys: pytest.CaptureFixture[str]) -> Any:
    main(["explorer2-json"])
    return json.loads(capsys.readouterr().out)["OrthancExplorer2"]


def test_the_section_names_the_style_sheet_that_the_other_word_prints(
    capsys: pytest.CaptureFixture[str],
):
    path = Path(section(capsys)["CustomCssPath"])
    main(["explorer2-css"])
    assert capsys.readouterr().out == path.read_text()


def test_every_button_opens_a_page_that_exists(capsys: pytest.CaptureFixture[str]):
    buttons = section(capsys)["UiOptions"]["CustomButtons"]
    assert set(buttons) == {"study", "series", "instance", "bulk-studies"}
    for one in [one for level in buttons.values() for one in level]:
        page = re.fullmatch(r"\.\./\.\./stl/app/(\w+\.html)\?\w+=\{\w+\}&from=oe2", one["Url"])
        assert page is not None
        assert (PAGES / page[1]).is_file()


def test_the_style_sheet_hides_by_the_tooltips_and_file_names_of_the_section(
    capsys: pytest.CaptureFixture[str],
):
    options = section(capsys)["UiOptions"]
    styles = (PAGES / "explorer" / "oe2.css").read_text()
    tooltips = [one["Tooltip"] for one in options["CustomButtons"]["series"]]
    for title in re.findall(r'title\^="([^"]+)"', styles):
        assert any(tooltip.startswith(title) for tooltip in tooltips), title
    assert options["DownloadSeriesFileNameTemplate"].endswith("--{Modality}.zip")


@pytest.mark.parametrize("constant", ["THRESHOLDED", "NO_IMAGES"])
def test_both_explorers_and_the_pages_agree_on_the_modalities(constant: str):
    page = modalities(rf"{constant} = new Set\(\[([^\]]*)\]", "js/modalities.js")
    if constant == "THRESHOLDED":
        page |= {"RTSTRUCT", "SEG"}
    in_legacy = {"THRESHOLDED": "SOURCES"}.get(constant, constant)
    legacy = modalities(rf"{in_legacy} = \[([^\]]*)\]", "explorer/legacy.js")
    verb = {"THRESHOLDED": "not", "NO_IMAGES": "has"}[constant]
    rule = re.search(rf"series-details-table:{verb}\(.*?\n  \)", css := oe2_styles(), re.DOTALL)
    assert rule is not None, css
    assert page == legacy == set(re.findall(r"--(\w+)\.zip", rule[0]))


def modalities(pattern: str, name: str) -> set[str]:
    found = re.search(pattern, (PAGES / name).read_text())
    assert found is not None
    return set(re.findall(r"'(\w+)'", found[1]))


def oe2_styles() -> str:
    return (PAGES / "explorer" / "oe2.css").read_text()
