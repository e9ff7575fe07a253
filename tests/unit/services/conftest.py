from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.open_images import Gallery, gallery


@pytest.fixture(params=[True, False], ids=["local files", "files in memory"])
def images_here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    """What serves images, on an archive with and without local files."""
    made = gallery(tmp_path, is_local=request.param)
    yield made
    made.close()
