"""The script that Orthanc's Python plugin loads: finds the packages, then starts the plugin.

Orthanc imports this file as the top-level module `plugin` and puts its folder first in sys.path.
The installer lays a link to it beside the virtual environment `venv`; a plain `pip install` works
as well, with "Python.Path" naming this file in site-packages.
"""

import site
import sys
from pathlib import Path

_script = Path(__file__)
_package = _script.resolve().parent
for _packages in sorted((_script.parent / "venv" / "lib").glob("python*/site-packages")):
    site.addsitedir(str(_packages))
sys.path[:] = [entry for entry in sys.path if entry != str(_package)]
sys.path.insert(0, str(_package.parent))

from orthanc_stl_plugin.host import start  # noqa: E402  # sys.path is right from here on

start.start()
