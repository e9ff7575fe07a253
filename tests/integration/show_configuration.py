"""A script for Orthanc: shows the configuration as Orthanc has read it."""

import orthanc


def show(output, uri, **request):
    output.AnswerBuffer(orthanc.GetConfiguration().encode(), "application/json")


orthanc.RegisterRestCallback("/configuration", show)
