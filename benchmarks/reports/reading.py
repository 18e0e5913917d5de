"""How hard the text for the patient is to read: ``python -m benchmarks.reports.reading --home HOME``.

The Flesch-Kincaid grade (`reports.plain.grade`) of the plain text of made-up patients, with and without the steps,
which stand in doctors' words, and how many of the named concepts have a layperson's name.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean

import whydx
from benchmarks.machine import stamp
from home import Part, part_folder
from reports.plain import PlainReporter, concepts_of, grade, lay_names

NOTES = (
    "62-year-old man with fever, productive cough and right-sided pleuritic chest pain for four days. Smoker, 40 "
    "pack-years. Penicillin allergy. No hemoptysis.",
    "70-year-old woman with progressive exertional dyspnea and dry cough for a year, finger clubbing, bibasilar "
    "crackles. CT: honeycombing, traction bronchiectasis. Never smoked. No fever.",
    "26-year-old man with known asthma, sudden worsening of wheezing and dyspnea after contact with a cat.",
    "78-year-old man with orthopnea and bilateral leg edema. Chest radiograph: cardiomegaly. No fever.",
    "34-year-old man with night sweats, weight loss and hemoptysis for two months. Chest radiograph: cavity.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=None)
    dx = whydx.open(parser.parse_args().home)
    print(stamp())
    rows = []
    for note in NOTES:
        report = dx.diagnose(note=note, audited=False)
        told = concepts_of(report)
        names = lay_names(part_folder(dx.home, Part.graph) / "terms.parquet", told)
        own = replace(report, next_steps=(), left_out=())
        rows.append((grade(PlainReporter(names).render(report)), grade(PlainReporter(names).render(own))))
        lay = f"{len(names)} of {len(told)} names are a layperson's"
        print(f"grade {rows[-1][0]:.1f}, without steps {rows[-1][1]:.1f}; {lay}")
    print(f"mean {mean(r[0] for r in rows):.1f}, without steps {mean(r[1] for r in rows):.1f}")


if __name__ == "__main__":
    main()
