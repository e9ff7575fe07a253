# An image that has Orthanc where orthancteam/orthanc has it, made of Debian's: outside the package manager, its plugins
# in a folder that nothing is loaded from, a user of another number, and a machine's number that every container shares.
# ServeFolders stands in for Orthanc Explorer 2, which Debian lacks.
ARG BASE=docker.io/library/debian:forky-slim
FROM ${BASE}
RUN apt-get update && \
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        orthanc orthanc-python orthanc-postgresql python3 python3-dev python3-pip ca-certificates && \
    mkdir -p /kept && cp -L /usr/share/orthanc/plugins/*.so /kept && cp -L "$(command -v Orthanc)" /usr/local/bin && \
    dpkg --purge --force-depends orthanc orthanc-python orthanc-postgresql && \
    rm -rf /var/lib/apt/lists/* /etc/orthanc /usr/share/orthanc /usr/sbin/policy-rc.d && \
    if id orthanc >/dev/null 2>&1; then userdel orthanc; fi && \
    if getent group orthanc >/dev/null; then groupdel orthanc; fi && \
    groupadd --system --non-unique --gid 999 orthanc && \
    useradd --system --non-unique --gid orthanc --uid 999 --home-dir /var/lib/orthanc --shell /bin/false orthanc && \
    mkdir -p /etc/orthanc /usr/share/orthanc/plugins /var/lib/orthanc && mv /kept /usr/share/orthanc/plugins-available && \
    cd /usr/share/orthanc/plugins-available && mv libServeFolders.so libOrthancExplorer2.so && \
    chown -R orthanc:orthanc /var/lib/orthanc /tmp /usr/share/orthanc /usr/local/bin/Orthanc && \
    echo not-generated >/etc/hostid && chown orthanc:orthanc /etc/hostid
ENV PYTHONUTF8=1 LANG=C.UTF-8
