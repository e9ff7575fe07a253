"""The addresses of everything in manifests; no other module forms them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses below `base`, the server's root as the client sees it, without a trailing slash.

    Identifiers are Orthanc's, which need no encoding.
    """

    base: str

    def collection(self) -> str:
        """The collection of all studies."""
        return f"{self.base}/iiif/collection.json"

    def collection_page(self, number: int) -> str:
        """A part of that collection, counted from 1."""
        return f"{self.base}/iiif/collection/{number}.json"

    def patient_collection(self, patient_id: str) -> str:
        """The studies of a patient, or of an object."""
        return f"{self.base}/patients/{patient_id}/iiif/collection.json"

    def study_collection(self, study_id: str) -> str:
        """The series of a study, each a manifest."""
        return f"{self.base}/studies/{study_id}/iiif/collection.json"

    def study_manifest(self, study_id: str) -> str:
        """The manifest of all images and models of a study."""
        return f"{self.base}/studies/{study_id}/iiif/manifest.json"

    def series_manifest(self, series_id: str) -> str:
        """One series."""
        return f"{self.base}/series/{series_id}/iiif/manifest.json"

    def instance_manifest(self, instance_id: str) -> str:
        """One instance."""
        return f"{self.base}/instances/{instance_id}/iiif/manifest.json"

    def scene(self, series_id: str) -> str:
        """The scene of the models of a series."""
        return f"{self.base}/series/{series_id}/iiif/scene.json"

    def dicom_json(self, study_id: str) -> str:
        """The DICOM attributes that a study's manifest shows."""
        return f"{self.base}/studies/{study_id}/iiif/dicom.json"

    def slide_canvas(self, series_id: str, scan_number: int = 0) -> str:
        """The canvas of a slide; several scans have one each."""
        scan = f"/{scan_number}" if scan_number else ""
        return f"{self.base}/series/{series_id}/iiif/canvas{scan}"

    def frame_canvas(self, instance_id: str, frame_index: int) -> str:
        """The canvas of a frame, counted from 0."""
        return f"{self.base}/instances/{instance_id}/frames/{frame_index}/iiif/canvas"

    def model_canvas(self, instance_id: str) -> str:
        """The canvas with the picture of a model."""
        return f"{self.base}/instances/{instance_id}/iiif/canvas"

    def slide_service(self, series_id: str, pyramid: int = 0) -> str:
        """The image service of a slide; its other optical paths, planes and scans count from 1."""
        middle = f"pyramids/{pyramid}/" if pyramid else ""
        return f"{self.base}/series/{series_id}/{middle}iiif/3"

    def frame_service(self, instance_id: str, frame_index: int) -> str:
        """The image service of a frame, counted from 0."""
        return f"{self.base}/instances/{instance_id}/frames/{frame_index}/iiif/3"

    def model_preview(self, instance_id: str, size_px: int) -> str:
        """A square picture of a model."""
        return f"{self.base}/instances/{instance_id}/preview-3d?size={size_px}"

    def model_stl(self, instance_id: str) -> str:
        """A model to print."""
        return f"{self.base}/instances/{instance_id}/stl"

    def model_glb(self, instance_id: str) -> str:
        """A model to view."""
        return f"{self.base}/instances/{instance_id}/glb"

    def range(self, series_id: str, number: int = 0) -> str:
        """The table of contents of a series, and its parts from 1 on."""
        part = f"/{number}" if number else ""
        return f"{self.base}/series/{series_id}/iiif/range{part}"

    def changes(self) -> str:
        """What has been published, changed and withdrawn."""
        return f"{self.base}/iiif/discovery/all-changes.json"

    def changes_page(self, number: int) -> str:
        """A page of these changes, counted from 0."""
        return f"{self.base}/iiif/discovery/page-{number}.json"


class OfficialAddresses(Addresses):
    """The same, with image services where Orthanc's own plugin for slides has them.

    A proxy may let nothing else through. Optical paths and planes that it does not know stay.
    """

    def slide_service(self, series_id: str, pyramid: int = 0) -> str:
        """See Addresses."""
        if pyramid:
            return super().slide_service(series_id, pyramid)
        return f"{self.base}/wsi/iiif/tiles/{series_id}"

    def frame_service(self, instance_id: str, frame_index: int) -> str:
        """See Addresses."""
        return f"{self.base}/wsi/iiif/frames-pyramids/{instance_id}/{frame_index}"
