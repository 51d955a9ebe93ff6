#!/usr/bin/python3
"""Makes the file trees of Tocsin's images from programs that were built on this Debian.

    make_roots.py BIN_DIR OUT REVISION

OUT/base has what all images share: the libraries of all programs, CA certificates, the user, licenses and the SBOM.
OUT/NAME has what only image NAME has: its program, and for `tocsin` also the migrations with what they need to run.
/usr/share/doc/tocsin/revision has the REVISION of the sources. The same inputs give the same trees.
"""

import pathlib
import re
import shutil
import subprocess
import sys

import sbom

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {"ingress": "tocsin-ingress", "sms-worker": "tocsin-sms-worker", "voice-worker": "tocsin-voice-worker",
            "audit": "tocsin-audit", "tocsin": "tocsin", "twilio-sim": "tocsin-twilio-sim"}
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
NAME_SERVICE = [LIBRARIES / "libnss_dns.so.2", LIBRARIES / "libnss_files.so.2"]
LOADER = "/lib64/ld-linux-x86-64.so.2"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
USER = 65532
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\ntocsin:x:{USER}:{USER}:tocsin:/:/sbin/nologin\n"
GROUP = f"root:x:0:\ntocsin:x:{USER}:\n"

# sqitch is written in Perl: its packages and those that they depend on, without documentation.
MIGRATION_PACKAGES = ("sqitch", "libdbd-pg-perl")
PERL_PACKAGE = re.compile(r"^(sqitch|perl|perl-base|perl-modules-[\d.]+|libperl[\d.]+|perl-openssl-defaults|lib.+-perl)$")
PERL_FILE = re.compile(r"^/(usr/share/perl|usr/share/perl5|usr/lib/x86_64-linux-gnu/perl|usr/lib/x86_64-linux-gnu/perl5|"
                       r"usr/lib/x86_64-linux-gnu/perl-base|etc/perl|etc/sqitch)/|^/usr/bin/(perl|sqitch)$")
PERL_UNUSED = re.compile(r"\.(pod|ph|h|e2x)$|/(pod|unicore/lib/.*\.txt|CORE)/|/sqitch\.txt$")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def libraries_of(files):
    """The shared libraries that the ELF files need, directly or not."""
    found = set()
    for line in output("ldd", *map(str, files)).splitlines():
        if "not found" in line:
            raise SystemExit(f"make_roots.py: missing library: {line.strip()}")
        if match := re.search(r"(?:=> )?(/\S+) \(0x", line):
            found.add(pathlib.Path(match[1]))
    return found


def copy(source, root, target, mode=None):
    """Copies the content of a file; a link is followed."""
    path = root / str(target).lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    path.chmod(mode or (0o755 if pathlib.Path(source).stat().st_mode & 0o111 else 0o644))
    return pathlib.Path(source)


def write(root, target, text):
    path = root / target.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def add_libraries(root, libraries):
    for library in libraries:
        if str(library) == LOADER:
            copy(library, root, "/usr/lib64/ld-linux-x86-64.so.2", 0o755)
        else:
            copy(library, root, LIBRARIES / library.name, 0o644)
    return set(libraries)


def make_base(root, programs):
    """Returns the copied files of Debian."""
    for folder in ("etc/ssl/certs", "proc", "sys", "dev", "run", "tmp", "usr/lib64"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    write(root, "/etc/passwd", PASSWD)
    write(root, "/etc/group", GROUP)
    write(root, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    used = add_libraries(root, libraries_of([*programs, *NAME_SERVICE]) | set(NAME_SERVICE))
    copy(CERTIFICATES, root, CERTIFICATES)
    copy(SOURCE / "LICENSE", root, "/usr/share/doc/tocsin/copyright")
    return used


def perl_packages():
    """The installed packages that sqitch needs and that are written for Perl."""
    status = output("dpkg-query", "-W", "-f", "${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\n")
    names = lambda text: [re.split(r"[ (:]", part.strip())[0] for part in re.split(r"[,|]", text) if part.strip()]
    needs, provided = {}, {}
    for line in status.splitlines():
        package, provides, depends = line.split("\t")
        needs[package] = names(depends)
        for name in [package, *names(provides)]:
            provided.setdefault(name, package)
    found, waiting = set(), list(MIGRATION_PACKAGES)
    while waiting:
        package = provided.get(waiting.pop())
        if package and package not in found and PERL_PACKAGE.match(package):
            found.add(package)
            waiting += needs[package]
    missing = set(MIGRATION_PACKAGES) - found
    if missing:
        raise SystemExit(f"make_roots.py: not installed: {', '.join(sorted(missing))}")
    return sorted(found)


def add_migrations(root, base):
    """Returns the copied files of Debian. Libraries that the base has are not copied again."""
    used = set()
    for package in perl_packages():
        for name in output("dpkg", "-L", package).splitlines():
            path = pathlib.Path(name)
            if PERL_FILE.match(f"{name}/x") and path.is_symlink() and path.is_dir():  # such as 5.36 -> 5.36.0
                (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                (root / name.lstrip("/")).symlink_to(path.readlink())
            elif PERL_FILE.match(name) and not PERL_UNUSED.search(name) and path.is_file():
                used.add(copy(name, root, name))
    client = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda path: int(path.parts[4]))
    used.add(copy(client, root, "/usr/bin/psql", 0o755))
    binaries = [path for path in root.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    used |= add_libraries(root, {library for library in libraries_of(binaries)
                                 if not (base / str(LIBRARIES / library.name).lstrip("/")).exists()
                                 and str(library) != LOADER})
    copy(SOURCE / "deploy/images/tocsin-migrate", root, "/usr/bin/tocsin-migrate", 0o755)
    migrations = SOURCE / "services/audit/migrations"
    for path in sorted(migrations.rglob("*")):
        if path.is_file():
            copy(path, root, pathlib.Path("/usr/share/tocsin/migrations") / path.relative_to(migrations), 0o644)
    return used


def main(arguments):
    if len(arguments) != 3:
        raise SystemExit(__doc__)
    programs, out, revision = pathlib.Path(arguments[0]), pathlib.Path(arguments[1]), arguments[2]
    if out.exists():
        shutil.rmtree(out)
    base = out / "base"
    used = make_base(base, [programs / program for program in PROGRAMS.values()])
    # Buildah 1.28 compares files, not labels, to find a cached layer: without this one, an image could get the labels
    # and times of an earlier revision.
    write(base, "/usr/share/doc/tocsin/revision", f"{revision}\n")
    for image, program in PROGRAMS.items():
        copy(programs / program, out / image, f"/usr/bin/{program}", 0o755)
    version = output(programs / "tocsin", "--version").split()[-1]
    shared = sbom.add(base, "base", version, used | {pathlib.Path(CERTIFICATES)}, set())
    for image in PROGRAMS:
        own = add_migrations(out / image, base) if image == "tocsin" else set()
        sbom.add(out / image, image, version, own, shared)


if __name__ == "__main__":
    main(sys.argv[1:])
