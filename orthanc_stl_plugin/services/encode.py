"""Making models: fetch or take the source, let a worker mesh it, store the result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.formats import stl
from orthanc_stl_plugin.formats.encapsulated import ModelDescription, parameters_text, stl_tags
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.services.archive import Archive, StoredInstance
from orthanc_stl_plugin.services.convert import NiftiTask, nifti_to_stl
from orthanc_stl_plugin.services.spool import Spool
from orthanc_stl_plugin.services.work import Workers

NIFTI_TITLE: Final = "Model from NIfTI"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NiftiOrder:
    """What a client asks for: a model of a NIfTI mask, in a study.

    Attributes:
        nifti: the bytes of a .nii or .nii.gz file.
        parent_study: Orthanc identifier of the study that receives the model.
        options: how to make the surface.
        tags: tags of the new instance by keyword; they win over those that are made here.
    """

    nifti: bytes
    parent_study: str
    options: MeshOptions
    tags: Mapping[str, object]


class Encoder:
    """Makes models and stores them in the archive."""

    def __init__(
        self, archive: Archive, workers: Workers, spool: Spool, settings: Settings
    ) -> None:
        self._archive = archive
        self._workers = workers
        self._spool = spool
        self._settings = settings

    def encode_nifti(self, order: NiftiOrder) -> StoredInstance:
        """One model of all non-zero voxels, stored as Encapsulated STL.

        Raises:
            NotFound: no such study.
            PluginError: whatever making or storing the model met; then nothing is stored.
        """
        self._archive.study_tags(order.parent_study)
        with self._spool.task_folder() as folder:
            source, target = folder / "source.nii", folder / "model.stl"
            source.write_bytes(order.nifti)
            task = NiftiTask(
                source,
                target,
                order.options,
                max_bytes=self._settings.max_volume_mib << 20,
                max_triangles=self._settings.max_triangles,
            )
            made = self._workers.run(nifti_to_stl, task)
            description = ModelDescription(
                title=NIFTI_TITLE,
                frame_of_reference_uid=None,
                algorithm_parameters=parameters_text(order.options),
                document_bytes=target.stat().st_size,
                made_at=datetime.now().astimezone(),
            )
            stored = self._archive.create_instance(
                order.parent_study,
                stl_tags(description) | dict(order.tags),
                target,
                stl.MEDIA_TYPE,
            )
        _log.info(
            "stored model %s: %d triangles, %.0f mm3",
            stored.instance_id,
            made.triangles,
            made.volume_mm3,
        )
        return stored
