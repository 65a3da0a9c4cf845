#!/usr/bin/env python3
"""What a package's programs are built from: a bill of materials (CycloneDX 1.5, JSON), and the licences with their texts.

    sbom.py NAME OUT    writes OUT/sbom.cdx.json and OUT/licences.txt for the package NAME, latco or latco-sim

Packages, features and sums are those of Cargo.lock, as `cargo tree` resolves them for this machine; what is built and run at
compile time alone (build scripts, macros) is not in the programs and not listed. The texts are those in the packages' sources.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The features that `make deb` builds each package with.
BUILT_WITH = {"latco": ["-p", "latco-ros", "--no-default-features"], "latco-sim": ["-p", "latco-ros", "-p", "latco-trainer"]}
TEXTS = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.I)


def cargo(*arguments):
    done = subprocess.run([os.environ.get("CARGO", "cargo"), *arguments, "--locked", "--offline"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"sbom: expected cargo {' '.join(arguments)} to succeed, found exit status {done.returncode}")
    return done.stdout


def packages(name):
    """The packages of a program as `cargo metadata` describes them, and their dependencies among each other."""
    listed = cargo("tree", *BUILT_WITH[name], "-e", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe", "--format", "{p}")
    wanted = {tuple(line.split()[:2]) for line in listed.splitlines() if line}
    metadata = json.loads(cargo("metadata", "--format-version", "1"))
    found = {p["id"]: p for p in metadata["packages"] if (p["name"], "v" + p["version"]) in wanted}
    if len(found) != len(wanted):
        sys.exit(f"sbom: expected {len(wanted)} packages of cargo tree in cargo metadata, found {len(found)}")
    edges = {node["id"]: [d for d in node["dependencies"] if d in found] for node in metadata["resolve"]["nodes"] if node["id"] in found}
    return found, edges


def licence(package):
    """Its licence as an SPDX expression, or the name of its file."""
    text = package["license"]
    return {"expression": text.replace("/", " OR ")} if text else {"license": {"name": f"see {package['license_file']}"}}


def component(package, sums):
    made = {"type": "library", "bom-ref": package["id"], "name": package["name"], "version": package["version"], "licenses": [licence(package)]}
    if package["source"]:
        made["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        made["hashes"] = [{"alg": "SHA-256", "content": sums[package["name"], package["version"]]}]
    return made


def onnxruntime():
    """The library that is shipped beside the programs, as it is pinned for this machine."""
    script = (ROOT / "models/fetch-onnxruntime.sh").read_text()
    version = re.search(r"^version=(.*)$", script, re.M)[1]
    part = script[re.search(rf"^cpu-Linux-{os.uname().machine}\b", script, re.M).start():]
    return {"type": "library", "bom-ref": "onnxruntime", "name": "onnxruntime", "version": version, "purl": f"pkg:pypi/onnxruntime@{version}",
            "licenses": [{"expression": "MIT"}], "hashes": [{"alg": "SHA-256", "content": re.search(r'files="(\w+)', part)[1]}]}


def texts(found):
    """Licence texts, each once with the packages that have it."""
    of = {}
    for package in found.values():
        folder = pathlib.Path(package["manifest_path"]).parent
        folder = folder if package["source"] or (folder / "LICENSE.md").exists() else ROOT
        for file in sorted(folder.iterdir()):
            if file.is_file() and TEXTS.match(file.name):
                text = file.read_text(errors="replace").strip()
                of.setdefault(text, []).append(f"{package['name']} {package['version']}")
    return of


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in BUILT_WITH:
        sys.exit(f"usage: sbom.py {' | '.join(BUILT_WITH)} OUT")
    name, out = sys.argv[1], pathlib.Path(sys.argv[2])
    found, edges = packages(name)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    sums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    ordered = sorted(found.values(), key=lambda p: (p["name"], p["version"]))
    roots = [p["id"] for p in ordered if p["name"] in ("latco-ros", "latco-trainer")]
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": name, "name": name, "version": version,
                                   "licenses": [{"expression": "MIT OR Apache-2.0"}]}},
        "components": [component(package, sums) for package in ordered] + [onnxruntime()],
        "dependencies": [{"ref": name, "dependsOn": roots + ["onnxruntime"]}]
        + [{"ref": package["id"], "dependsOn": sorted(edges[package["id"]])} for package in ordered],
    }
    out.mkdir(parents=True, exist_ok=True)
    # One place on every machine: sources lie where cargo put them.
    text = json.dumps(bom, indent=1).replace(ROOT.as_uri(), "file:///latco")
    (out / "sbom.cdx.json").write_text(text + "\n")
    lines = [f"{p['name']} {p['version']}: {p['license'] or 'see its text below'}" for p in ordered]
    lines += [f"onnxruntime {onnxruntime()['version']}: MIT"]
    for text, names in sorted(texts(found).items(), key=lambda item: item[1]):
        lines += ["", "-" * 100, ", ".join(sorted(set(names))), "", text]
    (out / "licences.txt").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(ordered)} packages and ONNX Runtime, {out}/sbom.cdx.json")


if __name__ == "__main__":
    main()
