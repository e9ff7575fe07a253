"""The routes of jobs, ours and Orthanc's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.model.job import JobRecord
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.ports.host_jobs import HostJobRefused, HostJobs
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Handler, Route

ORTHANC_PATH: Final = "/jobs"
OWN_PATH: Final = "/stl/jobs"
_CANCELED_JOB: Final = (37, "Canceled job")  # Orthanc's ErrorCode
_FAILED: Final = (1, "Error encountered within the plugin engine")


def job_routes(engine: JobEngine, host: HostJobs | None) -> list[Route]:
    """The routes below /jobs, including Orthanc's jobs; without `host`, ours only."""
    api = _JobApi(engine, host)
    path = OWN_PATH if host is None else ORTHANC_PATH
    actions = {
        "cancel": engine.cancel,
        "pause": engine.pause,
        "resume": engine.resume,
        "resubmit": engine.resubmit,
    }
    return [
        Route(path, {"GET": api.listing}, summary="All jobs; with ?expand everything"),
        Route(
            f"{path}/{{id}}",
            {"GET": api.show, "DELETE": api.forget},
            summary="One job; DELETE forgets a finished one",
        ),
        *(
            Route(
                f"{path}/{{id}}/{name}",
                {"POST": api.acting(action)},
                summary=f"{name.capitalize()}s a job",
            )
            for name, action in actions.items()
        ),
    ]


class _JobApi:
    def __init__(self, engine: JobEngine, host: HostJobs | None) -> None:
        self._engine = engine
        self._host = host

    def listing(self, request: Request) -> Response:
        is_expanded = request.query.get("expand", "false") not in {"false", "0"}
        records = self._engine.records()
        ours: list[object] = [job_json(one) if is_expanded else one.job_id for one in records]
        if self._host is None:
            return json_response(ours)
        query = f"?{urlencode(request.query)}" if request.query else ""
        try:
            theirs = json.loads(self._host.get(query))
        except HostJobRefused as refusal:
            return Response(status=refusal.status)
        return json_response([*theirs, *ours])

    def show(self, request: Request) -> Response:
        return self._ours_or(
            request,
            lambda job_id: json_response(job_json(self._engine.record(job_id))),
            lambda host, tail: Response(host.get(tail)),
        )

    def forget(self, request: Request) -> Response:
        def own(job_id: str) -> Response:
            self._engine.forget(job_id)
            return json_response({})

        def theirs(host: HostJobs, tail: str) -> Response:
            host.delete(tail)
            return Response(media_type="text/plain")  # as Orthanc answers

        return self._ours_or(request, own, theirs)

    def acting(self, action: Callable[[str], object]) -> Handler:
        def own(job_id: str) -> Response:
            action(job_id)
            return json_response({})

        def handle(request: Request) -> Response:
            return self._ours_or(
                request, own, lambda host, tail: Response(host.post(tail, request.body))
            )

        return handle

    def _ours_or(
        self,
        request: Request,
        own: Callable[[str], Response],
        theirs: Callable[[HostJobs, str], Response],
    ) -> Response:
        try:
            return own(request.groups[0])
        except NotFound:
            if self._host is None:
                raise
        try:
            return theirs(self._host, request.path.removeprefix(ORTHANC_PATH))
        except HostJobRefused as refusal:
            return Response(status=refusal.status)


def job_json(record: JobRecord) -> dict[str, object]:
    """A job in the form of Orthanc's own."""
    code, description = (0, "Success")
    if record.error:
        code, description = _CANCELED_JOB if record.is_cancelled else _FAILED
    content: dict[str, object] = {"Description": record.kind, **record.content}
    if record.error:
        content["Error"] = record.error
        content["Code"] = record.error.code
        content["Parameters"] = record.error.parameters
    shown: dict[str, object] = {
        "ID": record.job_id,
        "Type": record.kind,
        "State": str(record.state),
        "Priority": record.priority,
        "Progress": record.progress,
        "CreationTime": _time(record.created_at),
        "Timestamp": _time(datetime.now(UTC)),
        "EffectiveRuntime": _runtime_s(record),
        "ErrorCode": code,
        "ErrorDescription": description,
        "ErrorDetails": record.error or "",
        "Content": content,
    }
    if record.completed_at is not None:
        shown["CompletionTime"] = _time(record.completed_at)
    return shown


def _runtime_s(record: JobRecord) -> float:
    if record.started_at is None:
        return 0.0
    end = record.completed_at or datetime.now(UTC)
    return round((end - record.started_at).total_seconds(), 3)


def _time(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S.%f}"
