# SPDX-License-Identifier: BSD-2-Clause
"""license_check.py - proves, from link maps and dependency files, which licences each binary of the image is made of.

  license_check.py --build DIR [--sbom FILE] kernel PROGRAM...

A program may hold no GPL file and no file of the project without an SPDX line, headers included; the kernel may hold
GPL-2.0-only and BSD-2-Clause. --sbom writes an SPDX 2.3 document of the image."""
import argparse
import hashlib
import json
import os
import re
import sys

MEMBER = re.compile(r"^(\S+\.a)\((\S+\.o)\)")
LOAD = re.compile(r"^LOAD (\S+\.o)$")
SPDX = re.compile(r"SPDX-License-Identifier: ([\w.+-]+)")
ARCHIVE_FOLDERS = {"libkit.a": "user/servers/kit", "liblintel.a": "libc"}  # where their objects lie, below obj/
PROGRAM_LICENCES = {"BSD-2-Clause"}
KERNEL_LICENCES = {"BSD-2-Clause", "GPL-2.0-only"}


def linked_objects(link_map):
    """Object files named on the command line, and the archive members that were pulled in."""
    objects, members = set(), set()
    with open(link_map, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            load, member = LOAD.match(line), MEMBER.match(line)
            if load:
                objects.add(load.group(1))
            elif member:
                members.add(member.groups())
    return objects, members


def sources_of(object_file):
    """The files of the project that an object was made of, from its .d file."""
    with open(object_file[:-2] + ".d", encoding="utf-8") as file:
        words = file.read().replace("\\\n", " ").split(":", 1)[1].split("\n")[0].split()
    return {os.path.normpath(word) for word in words}


def licence_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        found = SPDX.search(file.read(400))
    return found.group(1) if found else None


def own_objects(build, archive, member):
    """The objects of that name that an archive of ours may hold; empty for a library from elsewhere."""
    folder = ARCHIVE_FOLDERS.get(os.path.basename(archive))
    if not folder or not is_built_here(archive, build):
        return []
    return [os.path.join(current, member) for current, _, files in os.walk(os.path.join(build, "obj", folder))
            if member in files]


def is_own(path):
    return not os.path.isabs(path) and not path.startswith("..")


def check(name, link_map, build, allowed):
    """(complaints, licences found, number of the project's files, libraries from elsewhere)."""
    objects, members = linked_objects(link_map)
    libraries, complaints, licences, files = set(), [], set(), set()
    for archive, member in sorted(members):
        found = own_objects(build, archive, member)
        objects.update(found)
        if not found:
            libraries.add(os.path.basename(archive))
    for each in sorted(objects):
        if os.path.exists(each[:-2] + ".d"):
            files |= sources_of(each)
        elif not is_built_here(each, build):
            libraries.add(os.path.basename(each))
    gen = os.path.normpath(os.path.join(build, "gen"))
    for path in sorted(files):
        generated = os.path.normpath(path).startswith(gen)
        if not generated and not is_own(path):
            continue
        licence = licence_of(path)
        licences.add(licence)
        if licence not in allowed:
            complaints.append(f"{name}: holds {path}, whose licence is {licence or 'not named'}")
    return complaints, licences, len(files), libraries


def is_built_here(path, build):
    return os.path.abspath(path).startswith(os.path.abspath(build) + os.sep)


def package(name, path, licences, libraries):
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {"SPDXID": f"SPDXRef-{name}", "name": name, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": " AND ".join(sorted(licences)), "licenseDeclared": " AND ".join(sorted(licences)),
            "copyrightText": "NOASSERTION", "comment": "links: " + ", ".join(sorted(libraries)) if libraries else "",
            "checksums": [{"algorithm": "SHA256", "checksumValue": digest}]}


def write_sbom(path, packages):
    total = hashlib.sha256("".join(p["checksums"][0]["checksumValue"] for p in packages).encode()).hexdigest()
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "lintel-image",
                "documentNamespace": f"https://spdx.org/spdxdocs/lintel-{total[:16]}",
                "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: lintel-license-check"]},
                "packages": packages,
                "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                                   "relatedSpdxElement": each["SPDXID"]} for each in packages]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", required=True)
    options.add_argument("--sbom")
    options.add_argument("names", nargs="+")
    options = options.parse_args()
    complaints, packages = [], []
    for name in options.names:
        kernel = name == "kernel"
        link_map = os.path.join(options.build, "kernel.map" if kernel else f"obj/{name}.map")
        binary = os.path.join(options.build, "kernel.elf" if kernel else f"bin/{name}")
        found, licences, count, libraries = check(name, link_map, options.build,
                                                  KERNEL_LICENCES if kernel else PROGRAM_LICENCES)
        complaints += found
        told = " and ".join(sorted(str(each) for each in licences))
        print(f"{name}: {count} files, {told}" + (f"; links {', '.join(sorted(libraries))}" if libraries else ""))
        packages.append(package(name, binary, {str(each) for each in licences}, libraries))
    if options.sbom:
        write_sbom(options.sbom, packages)
    for line in complaints:
        print(line, file=sys.stderr)
    print(f"license-check: {len(options.names)} binaries, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
