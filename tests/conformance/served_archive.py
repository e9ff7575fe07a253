"""A script for Orthanc: puts its archive behind one REST route, for the conformance suite."""

import base64
import json
import os
import site
import sys
from dataclasses import asdict
from pathlib import Path

site.addsitedir(os.environ["TEST_SITE_PACKAGES"])
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import orthanc

from orthanc_stl_plugin.errors import PluginError
from orthanc_stl_plugin.host.archive import OrthancArchive, OrthancImages
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.services.ports.archive import SeriesRecord
from orthanc_stl_plugin.services.ports.image_files import FileRecord

STORAGE = json.loads(orthanc.GetConfiguration())["StorageDirectory"]
PORTS = {"archive": OrthancArchive(), "images": OrthancImages(STORAGE)}


def plain(result):
    """Records as mappings."""
    if isinstance(result, tuple):
        return [plain(one) for one in result]
    return asdict(result) if isinstance(result, SeriesRecord | ImagePlane) else result


def call(output, uri, **request):
    order = json.loads(request["body"])
    arguments = order["arguments"]
    for name in ("document", "textured_model"):
        if arguments.get(name):
            arguments[name] = Path(arguments[name])
    try:
        result = getattr(PORTS[order["port"]], order["method"])(**arguments)
    except PluginError as error:
        answer: dict[str, object] = {
            "error": type(error).__name__,
            "sentence": error.sentence.to_json(),
        }
    else:
        if isinstance(result, bytes):
            answer = {"bytes": base64.b64encode(result).decode()}
        elif isinstance(result, SeriesRecord | tuple):
            answer = {"result": plain(result)}
        elif isinstance(result, FileRecord):
            path = str(result.path) if result.path else None
            answer = {"result": {"digest": result.digest, "path": path}}
        else:
            answer = {"result": getattr(result, "answer", result)}
    output.AnswerBuffer(json.dumps(answer).encode(), "application/json")


orthanc.RegisterRestCallback("/conformance", call)
