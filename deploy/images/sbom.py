"""The bill of materials of an image (SPDX 2.3, JSON), and the licenses of the Debian packages in it."""

import json
import pathlib
import re
import shutil
import subprocess
import uuid

CREATED = "1970-01-01T00:00:00Z"  # a fixed time: the same content gives the same image
FOLDER = "usr/share/doc"


def owners():
    """File -> the Debian package that installed it."""
    found = {}
    for listing in pathlib.Path("/var/lib/dpkg/info").glob("*.list"):
        package = listing.stem.split(":")[0]
        found |= {name: package for name in listing.read_text().splitlines()}
    return found


def packages_of(files):
    """The Debian packages of the files: {(name, version, architecture, source)}."""
    known, names = owners(), set()
    for path in files:
        # A package may list a file below /lib or below /usr/lib, or the target of a link.
        for candidate in (str(path), re.sub(r"^/usr/(lib|lib64|bin)/", r"/\1/", str(path)), f"/usr{path}",
                          str(path.resolve()), str(path.resolve()).removeprefix("/usr")):
            if candidate in known:
                names.add(known[candidate])
                break
        else:
            if str(path) != "/etc/ssl/certs/ca-certificates.crt":  # made when ca-certificates is installed
                raise SystemExit(f"sbom.py: {path} belongs to no Debian package")
            names.add("ca-certificates")
    if not names:
        return set()
    rows = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\t${source:Package}\n",
                           *sorted(names)], capture_output=True, text=True, check=True).stdout
    return {tuple(row.split("\t")) for row in rows.splitlines()}


def add_licenses(root, packages):
    for name, *_ in packages:
        path = root / FOLDER / name / "copyright"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pathlib.Path("/") / FOLDER / name / "copyright", path)
        path.chmod(0o644)


def debian_entry(name, version, architecture, source):
    return {"SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version,
            "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "licenseComments": f"See /{FOLDER}/{name}/copyright in the image.",
            "copyrightText": "NOASSERTION", "sourceInfo": f"built from the Debian source package {source}",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=bookworm"}]}


def document(image, version, packages):
    own = {"SPDXID": "SPDXRef-Package-tocsin", "name": f"tocsin-{image}", "versionInfo": version,
           "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
           "licenseDeclared": "NOASSERTION", "licenseComments": f"See /{FOLDER}/tocsin/copyright in the image.",
           "copyrightText": "NOASSERTION", "primaryPackagePurpose": "CONTAINER"}
    entries = [debian_entry(*package) for package in sorted(packages)]
    name = f"tocsin-{image}-{version}"
    content = json.dumps([name, entries], sort_keys=True)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
            "documentNamespace": f"https://tocsin.example/spdx/{name}-{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
            "creationInfo": {"created": CREATED, "creators": ["Tool: tocsin-make_roots"]},
            "packages": [own, *entries],
            "relationships": [
                {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                 "relatedSpdxElement": own["SPDXID"]},
                *({"spdxElementId": own["SPDXID"], "relationshipType": "CONTAINS",
                   "relatedSpdxElement": entry["SPDXID"]} for entry in entries)]}


def add(root, image, version, files, shared):
    """Writes the SBOM of `root` and its base, and the licenses of what only `root` has. Returns its packages."""
    own = packages_of(files)
    add_licenses(root, own - shared)
    if image != "base":
        path = root / FOLDER / "tocsin/sbom.spdx.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document(image, version, own | shared), indent=1) + "\n")
        path.chmod(0o644)
    return own | shared
