"""docs/python.ipynb and docs/python.md run against a real Orthanc that the demo has filled."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.orthanc_server import PROJECT, OrthancServer

NOTEBOOK = PROJECT / "docs" / "python.ipynb"
PAGE = PROJECT / "docs" / "python.md"
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OrthancServer, str]]:
    """An Orthanc with the samples of the demo, and what the demo has printed."""
    folder = tmp_path_factory.mktemp("demo")
    with OrthancServer() as server:
        environment = {
            **os.environ, "HTTP_PORT": str(server.http_port), "DATA": str(folder),
        }  # fmt: skip
        command = [sys.executable, "-m", "tools.demo"]
        loading = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
        )
        yield server, loading.stdout


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def triangles(server: OrthancServer, model: dict[str, str]) -> int:
    """Their number in the header of the model's STL file."""
    content = server.get(f"/instances/{model['ID']}/stl").content
    return int.from_bytes(content[80:84], "little")


def test_the_demo_prints_addresses_of_pages_that_open(demo: tuple[OrthancServer, str]):
    server, printed = demo
    addresses = re.findall(r"http://\S+", printed)
    assert sum("/stl/app/viewer.html?instance=" in one for one in addresses) >= 1
    pages = [server.session.get(address, timeout=60) for address in addresses]
    assert {page.status_code for page in pages} == {200}
    assert {page.headers["Content-Type"].split(";")[0] for page in pages} == {"text/html"}


def test_the_notebook_makes_models_and_reads_images(
    demo: tuple[OrthancServer, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    server, _ = demo
    monkeypatch.setenv("ORTHANC_URL", server.url)
    names: dict[str, Any] = {}
    for cell in code_cells():
        exec(compile(cell, str(NOTEBOOK), "exec"), names)  # noqa: S102 our own file
    assert 0 < triangles(server, names["model"]) <= 20_000
    assert triangles(server, names["ball"]) > 0
    assert names["jpeg"].startswith(b"\xff\xd8")
    assert "canvases" in capsys.readouterr().out
    names["orthanc"].session.close()


def test_the_examples_of_the_page_run(demo: tuple[OrthancServer, str]):
    server, _ = demo
    names: dict[str, Any] = {}
    for block in PYTHON_BLOCK.findall(PAGE.read_text()):
        code = block.replace("http://localhost:8042", server.url)
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 our own file
    assert len(names["stl"]) == 84 + 50 * int.from_bytes(names["stl"][80:84], "little") > 84
    names["orthanc"].session.close()


def test_page_and_notebook_show_the_same_client():
    assert PYTHON_BLOCK.findall(PAGE.read_text())[0].strip() == code_cells()[0].strip()
