"""The images: the same sources give the same digests, and nothing is in them that they do not need. O7, O11"""

import functools
import json
import pathlib
import posixpath
import tarfile

import pytest

import cluster

IMAGES = ("ingress", "sms-worker", "voice-worker", "audit", "tocsin", "twilio-sim")
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "toybox"}
PACKAGE_MANAGERS = {"apt", "apt-get", "dpkg", "rpm", "pip", "cpan"}


@functools.cache
def archive():
    return tarfile.open(cluster.images()[0])


@functools.cache
def manifest(image):
    (found,) = [row for row in json.load(archive().extractfile("manifest.json"))
                if row["RepoTags"] == [f"localhost/tocsin/{image}:dev"]]
    return found


def configuration(image):
    return json.load(archive().extractfile(manifest(image)["Config"]))


@functools.cache
def layer(name):
    """name -> its TarInfo of all files in one layer, and the texts of the small files of tocsin."""
    with tarfile.open(fileobj=archive().extractfile(name)) as content:
        files = {posixpath.normpath(member.name): member for member in content}
        texts = {path: content.extractfile(member).read() for path, member in files.items()
                 if path.startswith("usr/share/doc/tocsin/") and member.isfile()}
    return files, texts


def files_of(image):
    return {path: member for name in manifest(image)["Layers"] for path, member in layer(name)[0].items()}


def text(image, path):
    (found,) = [layer(name)[1][path] for name in manifest(image)["Layers"] if path in layer(name)[1]]
    return found.decode()


def test_a_second_build_gives_the_same_digests():
    first = cluster.images()[1]
    assert set(first) == set(IMAGES) and cluster.build_images("test", "--no-cache") == first


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_no_shell_and_no_package_manager(image):
    names = {posixpath.basename(path) for path, member in files_of(image).items() if not member.isdir()}
    assert not names & (SHELLS | PACKAGE_MANAGERS)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_that_can_change_nothing_in_it(image):
    assert configuration(image)["config"]["User"] == "65532:65532"
    for path, member in files_of(image).items():
        assert member.uid == 0 and member.gid == 0, path
        assert member.issym() or not member.mode & 0o6022 or path == "tmp", f"{path}: {member.mode:o}"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_names_its_revision_and_its_parts(image):
    labels = configuration(image)["config"]["Labels"]
    assert text(image, "usr/share/doc/tocsin/revision").strip() == labels["org.opencontainers.image.revision"]
    assert labels["org.opencontainers.image.revision"] == cluster.revision()
    assert labels["org.opencontainers.image.title"].removeprefix("tocsin-") == image
    packages = {package["name"] for package in json.loads(text(image, "usr/share/doc/tocsin/sbom.spdx.json"))["packages"]}
    documented = {pathlib.PurePath(path).parts[3] for path in files_of(image) if path.endswith("/copyright")}
    assert "librdkafka1" in packages and packages - {f"tocsin-{image}"} == documented - {"tocsin"}
