"""A script for Orthanc: puts its catalogue behind one REST route, for the conformance suite."""

import json
import os
import site
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path

site.addsitedir(os.environ["TEST_SITE_PACKAGES"])
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import orthanc

from orthanc_stl_plugin.errors import PluginError
from orthanc_stl_plugin.host.catalogue import OrthancCatalogue
from orthanc_stl_plugin.services.ports.catalogue import Level, StudyChoice


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def call(output, uri, **request):
    order = json.loads(request["body"])
    arguments = order["arguments"]
    if "choice" in arguments:
        arguments["choice"] = StudyChoice(**arguments["choice"])
    if "level" in arguments:
        arguments["level"] = Level(arguments["level"])
    try:
        result = getattr(OrthancCatalogue(), order["method"])(**arguments)
    except PluginError as error:
        answer: dict[str, object] = {
            "error": type(error).__name__,
            "sentence": error.sentence.to_json(),
        }
    else:
        answer = {"result": plain(result)}
    output.AnswerBuffer(json.dumps(answer).encode(), "application/json")


orthanc.RegisterRestCallback("/conformance", call)
