"""docs/benchmarks.md is written by the benchmarks."""

import pytest

from tests.support.documentation import PAGES
from tools.benchmarks.page import kept_output, replaced

PAGE = "# Benchmarks\n<!-- measured: tiles -->\nold\n<!-- end -->\nBetween.\n" + (
    "<!-- measured: models -->\nkept\n<!-- end -->\n"
)


def test_one_section_is_replaced_with_date_and_headings_of_its_level():
    page = replaced(PAGE, "tiles", "\n# Tiles\n\n| a |\n", "Measured today.")
    assert page == PAGE.replace("old", "Measured today.\n\n### Tiles\n\n| a |")


def test_a_page_without_the_section_is_refused():
    with pytest.raises(ValueError, match="measured: waiting"):
        replaced(PAGE, "waiting", "", "")


def test_what_is_printed_is_kept_and_shown(capsys: pytest.CaptureFixture[str]):
    with kept_output() as kept:
        print("a row")
    assert kept.getvalue() == capsys.readouterr().out == "a row\n"


@pytest.mark.parametrize("subject", ["models", "tiles", "collection", "waiting"])
def test_the_page_in_docs_has_a_section_for_each_subject(subject: str):
    [page] = [one for one in PAGES if one.name == "benchmarks.md"]
    assert "new" in replaced(page.read_text(), subject, "new", "")
