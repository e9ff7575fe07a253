"""The files of the project's top agree with each other."""

import re
from pathlib import Path

from orthanc_stl_plugin import __version__

TOP = Path(__file__).parents[2]


def text(name: str) -> str:
    return (TOP / name).read_text()


def test_the_hooks_of_pre_commit_are_the_commands_of_make_check():
    recipe = re.search(r"^check:.*\n\t.*-euc '(.*)'$", text("Makefile"), re.MULTILINE)
    assert recipe
    hooks = re.findall(r"entry: docker/root\.sh (.*)", text(".pre-commit-config.yaml"))
    assert hooks == recipe[1].split("; ")


def test_citation_and_changelog_have_the_version_of_the_package():
    assert f"\nversion: {__version__}\n" in text("CITATION.cff")
    [released] = re.findall(r"\ndate-released: (.*)\n", text("CITATION.cff"))
    assert f"\n## [{__version__}] - {released}\n" in text("CHANGELOG.md")


def test_every_section_of_the_changelog_is_one_that_keep_a_changelog_names():
    sections = re.findall(r"^### (.*)", text("CHANGELOG.md"), re.MULTILINE)
    named = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(sections) <= named


def test_every_change_is_one_line():
    lines = text("CHANGELOG.md").partition("\n## ")[2].splitlines()
    assert [line for line in lines if line.startswith(" ")] == []
