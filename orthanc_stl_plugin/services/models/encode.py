"""Making models: fetches the source, lets a worker mesh it, stores the results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from pydicom.uid import generate_uid

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest, UnusableSource
from orthanc_stl_plugin.formats.dicom.encapsulated import (
    ModelDescription,
    SeriesIdentity,
    lost_letters,
    series_description,
    stl_tags,
)
from orthanc_stl_plugin.formats.meshes import stl
from orthanc_stl_plugin.formats.meshes.read import MeshLimits
from orthanc_stl_plugin.model.identity import Reference
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.jobs.job import Watch, Work
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
from orthanc_stl_plugin.services.models.orders import (
    AttachOrder,
    Making,
    NiftiOrder,
    SeriesOrder,
    StructuresOrder,
)
from orthanc_stl_plugin.services.models.progress import (
    show_fetching,
    show_making,
    show_storing,
)
from orthanc_stl_plugin.services.models.sources import (
    MeshFileSource,
    NiftiSource,
    RtStructSource,
    SegSource,
    SeriesSource,
    Source,
)
from orthanc_stl_plugin.services.models.worker import ConversionTask, MadeModel, make_models
from orthanc_stl_plugin.services.ports.archive import (
    Archive,
    SeriesRecord,
    StoredInstance,
    write_instance,
)

_HIGHEST_IS: Final = 2**31 - 1  # PS3.5 section 6.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NamedInstance:
    """A stored model, the name of its structure, and warnings."""

    name: str
    stored: StoredInstance
    warnings: tuple[Sentence, ...] = ()

    @property
    def answer(self) -> dict[str, object]:
        """The archive's answer, with the warnings if there are any."""
        if not self.warnings:
            return dict(self.stored.answer)
        details = [warning.to_json() for warning in self.warnings]
        return {**self.stored.answer, "Warnings": list(self.warnings), "WarningDetails": details}


class Encoder:
    """Makes models and stores them in the archive; failures leave nothing stored.

    The methods check what can be checked at once and return the work of a job, whose result is a
    list of NamedInstance. They raise NotFound for a study, series or instance that does not exist;
    the work raises what `make_models` and the archive raise.
    """

    def __init__(
        self, archive: Archive, workers: Workers, spool: Spool, settings: Settings
    ) -> None:
        self._archive = archive
        self._workers = workers
        self._spool = spool
        self._max_bytes = settings.max_volume_mib << 20
        self._max_triangles = settings.max_triangles
        self._mesh_limits = MeshLimits(
            settings.max_triangles, settings.max_texture_pixels, self._max_bytes
        )

    def receiving(self, parent_study: str, reference_series: str | None) -> SeriesRecord | None:
        """The series whose frame of reference the models of a study take; None for none.

        Raises:
            NotFound: there is no such study or series.
            BadRequest: the series has no images, or belongs to another study.
        """
        self._archive.study_tags(parent_study)
        if reference_series is None:
            return None
        reference = self._archive.series(reference_series)
        _check_reference(reference, parent_study)
        return reference

    def nifti(self, order: NiftiOrder, making: Making) -> Work:
        """The models of a NIfTI file."""
        reference = self.receiving(order.parent_study, order.reference_series)

        def spooled(folder: Path, _: Watch) -> Source:
            path = folder / "source.nii"
            path.write_bytes(order.nifti)
            wanted, split = order.wanted, order.split
            return NiftiSource(path, self._max_bytes, wanted, split, order.label_names)

        return partial(self._encode, order.parent_study, spooled, making, reference)

    def attached(self, order: AttachOrder, making: Making) -> Work:
        """The model in a file."""
        reference = self.receiving(order.parent_study, order.reference_series)

        def spooled(folder: Path, _: Watch) -> Source:
            file = order.file
            path = folder / "source.mesh"
            path.write_bytes(file.content)
            sidecar_files: dict[str, Path] = {}
            for number, (name, content) in enumerate(file.sidecar_files.files.items(), start=1):
                sidecar_files[name] = folder / f"companion-{number}"
                sidecar_files[name].write_bytes(content)
            return MeshFileSource(
                path,
                file.kind,
                self._mesh_limits,
                order.name,
                sidecar_files,
                file.millimetres_per_unit,
                file.is_y_up,
            )

        return partial(self._encode, order.parent_study, spooled, making, reference)

    def rtstruct(self, order: StructuresOrder, making: Making) -> Work:
        """The models of an RT Structure Set, in its study."""

        def spooled(folder: Path, watch: Watch) -> Source:
            path = self._spooled_instances([order.instance], folder, watch)[0]
            images = self._archive.source_images(order.instance)
            return RtStructSource(path, order.wanted, order.split, images)

        study_id = self._archive.study_of(order.instance)
        return partial(self._encode, study_id, spooled, making, None)

    def seg(self, order: StructuresOrder, making: Making) -> Work:
        """The models of a DICOM Segmentation, in its study."""

        def spooled(folder: Path, watch: Watch) -> Source:
            path = self._spooled_instances([order.instance], folder, watch)[0]
            images = self._archive.source_images(order.instance)
            return SegSource(path, self._max_bytes, order.wanted, order.split, images)

        study_id = self._archive.study_of(order.instance)
        return partial(self._encode, study_id, spooled, making, None)

    def series(self, order: SeriesOrder, making: Making) -> Work:
        """The model of an image series, in its study."""
        series = self._archive.series(order.series)

        def spooled(folder: Path, watch: Watch) -> Source:
            return SeriesSource(
                tuple(self._spooled_instances(series.instance_ids, folder, watch)),
                self._max_bytes,
                order.inside,
                series.series_instance_uid,
                title=f"Surface of {series.description}" if series.description else "Surface",
            )

        return partial(self._encode, series.study_id, spooled, making, None)

    def _spooled_instances(
        self, instance_ids: Sequence[str], folder: Path, watch: Watch
    ) -> list[Path]:
        paths: list[Path] = []
        for instance_id in instance_ids:
            show_fetching(watch, len(paths), len(instance_ids))
            paths.append(write_instance(self._archive, instance_id, folder))
        return paths

    def _encode(
        self,
        study_id: str,
        spooled: Callable[[Path, Watch], Source],
        making: Making,
        reference: SeriesRecord | None,
        watch: Watch,
    ) -> list[NamedInstance]:
        watch.tell(0, Stage=str(Stage.READING))
        with self._spool.task_folder() as folder:
            source = spooled(folder, watch)
            task = ConversionTask(source, folder, making.options, self._max_triangles)
            models = self._workers.run_checked(
                partial(show_making, watch, folder), make_models, task
            )
            if reference is not None:
                models = [_placed(model, reference) for model in models]
            series = self._next_series(study_id, models, watch)
            stored = self._stored(study_id, series, models, making.tags, watch)
        for one in stored:
            # A warning, as all of the audit log: Orthanc shows these by default.
            _log.warning("audit: model %r was made: instance %s", one.name, one.stored.instance_id)
        return stored

    def _next_series(
        self, study_id: str, models: Sequence[MadeModel], watch: Watch
    ) -> SeriesIdentity:
        """The identity of the new series, numbered after those of the study."""
        number = self._archive.last_series_number(study_id) + 1
        return SeriesIdentity(
            number=number if number <= _HIGHEST_IS else 1,
            description=series_description([model.segment.name for model in models]),
            series_instance_uid=watch.series_instance_uid,
            model_group_uid=generate_uid() if len(models) > 1 else None,
            made_at=datetime.now().astimezone(),
        )

    def _stored(
        self,
        study_id: str,
        series: SeriesIdentity,
        models: Sequence[MadeModel],
        tags: Mapping[str, object],
        watch: Watch,
    ) -> list[NamedInstance]:
        stored: list[NamedInstance] = []
        for number, model in enumerate(models, start=1):
            show_storing(watch, len(stored), len(models))
            all_tags = stl_tags(_description(model, number), series) | dict(tags)
            instance = self._archive.create_instance(
                study_id, all_tags, model.path, stl.MEDIA_TYPE, model.textured_model
            )
            name = str(tags.get("ContentDescription") or model.segment.name)
            stored.append(NamedInstance(name, instance, model.warnings))
        stored = [self._spelt(one) for one in stored]
        made = [{**one.answer, "Name": one.name} for one in stored]
        watch.commit()
        watch.tell(1, Instances=made)
        return stored

    def _spelt(self, one: NamedInstance) -> NamedInstance:
        """With a warning if the study's character set lacks letters, which Orthanc leaves out."""
        if one.name.isascii():
            return one
        kept = self._archive.instance_tags(one.stored.instance_id).get("ContentDescription")
        lost = lost_letters(one.name, str(kept))
        if not lost:
            return one
        warning = Sentence("NameWithoutLetters", name=one.name, letters=lost)
        return replace(one, warnings=(*one.warnings, warning))


def _check_reference(series: SeriesRecord, parent_study: str) -> None:
    if series.study_id != parent_study:
        raise BadRequest(
            "ReferenceInOtherStudy",
            series_id=series.series_id,
            study_id=series.study_id,
            parent_study=parent_study,
        )
    if series.frame_of_reference_uid is None:
        raise UnusableSource("ReferenceWithoutFrame", series_id=series.series_id)


def _placed(model: MadeModel, reference: SeriesRecord) -> MadeModel:
    return replace(
        model,
        frame_of_reference_uid=reference.frame_of_reference_uid,
        references=tuple(
            Reference(reference.series_instance_uid, sop_class, instance)
            for sop_class, instance in reference.references
        ),
        modality=reference.modality,
    )


def _description(model: MadeModel, number: int) -> ModelDescription:
    return ModelDescription(
        segment=model.segment,
        number=number,
        frame_of_reference_uid=model.frame_of_reference_uid,
        references=model.references,
        modality=model.modality,
        algorithm_parameters=model.parameters,
        document_bytes=model.path.stat().st_size,
        icon=model.icon,
    )
