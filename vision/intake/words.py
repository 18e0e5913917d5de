"""What the words of a header mean: a view, a body part, a modality, an age, a sex. Machines and people write them in
many ways and languages.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

View = Literal["frontal", "lateral", ""]
Region = Literal["chest", "other", ""]

# Tokens (whole words) and beginnings of words, folded by ``_fold``. "lateral" stands for whatever is not PA or AP.
_LATERAL = frozenset(
    (
        *("LL", "RL", "LAT", "LLAT", "RLAT", "LLATERAL", "RLATERAL", "LTLAT", "RTLAT", "LATL", "LATR"),
        *("LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LLD", "RLD", "OBL", "YAN", "DWARS", "BOK"),
    )
)
_LATERAL_BEGINS = (
    *("LATER", "SEITL", "SEITAUF", "SEITENAUF", "PROFIL", "PERFIL", "OBLI", "SCHRAG", "DECUB", "DEKUB", "ZIJD"),
    *("BOCZN", "BOCN", "OLDALIR", "SIDEB", "SIDOB", "SIVUK", "БОК", "ЛАТЕРАЛ", "ПРОФИЛ"),
)
_LATERAL_SIGNS = ("侧位", "側位", "側面", "侧面")
_FRONTAL = frozenset(("PA", "AP", "FACE", "FRENTE", "VOORACHTER"))
_FRONTAL_BEGINS = (
    *("FRONT", "POSTERO", "ANTERO", "POSTERIOR", "ANTERIOR", "ПРЯМ", "ПЕРЕДН", "ФРОНТ"),
    *("POSTEROANT", "ANTEROPOST"),
)
_FRONTAL_SIGNS = ("正位", "正面", "后前", "後前", "前后", "前後")
_DECUBITUS = ("LLD", "RLD", "DECUB", "DEKUB")

_CHEST_PARTS = (
    *("CHEST", "THORAX", "THORACIC CAVITY", "TORAX", "TORACE", "THORAKS", "TORAKS", "TORAK", "LUNG", "RIB", "HEART"),
    *("BRUSTKORB", "BRUSTRAUM", "BRUST", "CASSA TORACICA", "CAJA TORACICA", "CAIXA TORACICA", "CAGE THORACIQUE"),
    *("THORACIQUE", "POITRINE", "CXR", "POUMON", "PULMON", "PULMAO", "PULMO", "POLMON", "PECHO", "PEITO", "BORSTKAS"),
    *("BRYSTKASSE", "BROSTKORG", "KLATKA PIERSIOWA", "PLUCA", "HRUDNIK", "HRUD", "PLICE", "MELLKAS", "TUDO", "GOGUS"),
    *(
        "AKCIGER",
        "RINTAKEHA",
        "KEUHKO",
        "GRUDNA",
        "LEGKI",
        "PŁUC",
        "ГРУД",
        "ЛЕГК",
        "ОГК",
        "ПЛУЦА",
        "TORACELE",
        "PLAMAN",
    ),
    *("胸", "肺", "흉부", "가슴", "صدر", "חזה", "ΘΩΡΑΚ", "NGUC", "PHOI", "DADA", "TXR", "T-D3000", "51185008"),
)
_OTHER_PARTS = (
    *("ABDOM", "HAND", "WRIST", "FINGER", "THUMB", "ELBOW", "ARM", "HUMERUS", "SHOULDER", "CLAVIC", "SCAPULA"),
    *("KNEE", "ANKLE", "FOOT", "FEET", "TOE", "LEG", "FEMUR", "TIBIA", "FIBULA", "PATELLA", "HIP", "PELVI", "SACRUM"),
    *("SPINE", "CSPINE", "TSPINE", "LSPINE", "COCCYX", "SKULL", "HEAD", "BRAIN", "NECK", "FACE", "FACIAL", "JAW"),
    *("MANDIB", "TEETH", "DENTAL", "SINUS", "NASAL", "NOSE", "ORBIT", "EYE", "EAR", "BREAST", "MAMMA", "KIDNEY"),
    *("BLADDER", "COLON", "STOMACH", "LIVER", "CALCANEUS", "HEEL", "EXTREMITY", "ZYGOMA", "KUB"),
    *("WIRBELS", "KNIE", "FUSS", "HUFT", "BECKEN", "SCHADEL", "KOPF", "ELLBOG", "SCHULTER", "FINGER", "UNTERARM"),
    *("MANO", "MAIN", "PIE", "PIED", "PIEDE", "RODILLA", "GENOU", "GINOCCHIO", "JOELHO", "CADERA", "HANCHE", "ANCA"),
    *("PELVIS", "BASSIN", "BACINO", "BACIA", "CRANEO", "CRANIO", "CRANE", "COLUMNA", "COLONNA", "COLUNA", "RACHIS"),
    *("HOMBRO", "EPAULE", "SPALLA", "OMBRO", "CODO", "COUDE", "GOMITO", "TOBILLO", "CHEVILLE", "CAVIGLIA", "VIENTRE"),
    *("BUIK", "VOET", "HOOFD", "SCHEDEL", "WERVEL", "HEUP", "КОЛЕН", "КИСТ", "СТОП", "ЧЕРЕП", "ЖИВОТ", "ТАЗ"),
    *("BWS", "LWS", "HWS", "ABD", "BAUCH", "LIMB", "GELENK", "HANDGELENK", "SPRUNGGELENK", "ELLENBOG", "HOFT"),
    *("MUNECA", "POLSO", "POIGNET", "PUNHO", "TORNOZELO", "MAO", "POLS", "KOLANO", "KOLEN", "DŁON", "ŁOK", "DIZ"),
    *("KNÆ", "KNE", "KEZ", "TERD", "POLVI", "LAKT", "GLAVA", "CZASZK", "LEBK", "KREGOSŁUP", "PATER", "OMURGA"),
    *("OPG", "PANOREX", "ZAHN", "ZAEHN", "NNH", "KIEFER", "HALS", "LENDEN", "STEISS", "DAUMEN", "OBERSCH", "UNTERSCH"),
    *("NASEN", "FERSE", "BEKKEN", "SCHOUDER", "ELLEBO", "ENKEL", "SKULD", "ANKEL", "ALBU", "FOT", "RYGG", "ADDOM"),
    *("REKA", "REK", "STOPA", "BARK", "MIEDNIC", "BIODR", "GŁOW", "RUKA", "NOHA", "KOTNIK", "RAMEN", "LOKET", "PANEV"),
    *("AYAK", "OMUZ", "BILEG", "KALCA", "DIRSEK", "BOYUN", "KARIN", "ПЛЕЧ", "ГОЛЕН", "ЛОКТ", "БЕДР", "ПОЯСН", "ЗУБ"),
    *(
        "踝",
        "肩",
        "肘",
        "腕",
        "髋",
        "颅",
        "鼻",
        "牙",
        "歯",
        "脚",
        "指",
        "무릎",
        "손",
        "발",
        "어깨",
        "골반",
        "척추",
        "복부",
    ),
    *("膝", "骨盤", "手", "足", "腹", "頭", "头", "骨盆", "腰", "颈", "頸"),
)
_SPINE = ("SPINE", "RACHIS", "COLONNE", "COLONNA", "COLUMN", "COLUNA", "WIRBEL", "KREGOSŁUP", "ПОЗВОНОЧ")
_CODED_OTHER_SIGN = 0x2E80  # from here on, scripts without spaces between words


def _fold(text: str) -> str:
    """Upper case, without accents; letters of "P.A." joined."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\b(\w)\.\s?(\w)\b\.?", r"\1\2", unicodedata.normalize("NFC", bare).upper())


def _tokens(folded: str) -> list[str]:
    return [t for t in re.split(r"[\W\d_]+", folded) if t]


def view_of(text: str) -> View:
    """What words say of the view: "frontal", "lateral" (or oblique, or decubitus), or "" when nothing or both."""
    folded = _fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    tokens = _tokens(folded)
    if any(t.startswith(_DECUBITUS) for t in tokens):
        return "lateral"
    lateral = any(t in _LATERAL or t.startswith(_LATERAL_BEGINS) for t in tokens) or _holds(text, _LATERAL_SIGNS)
    frontal = any(t in _FRONTAL or t.startswith(_FRONTAL_BEGINS) for t in tokens) or _holds(text, _FRONTAL_SIGNS)
    if lateral == frontal:
        return ""
    return "lateral" if lateral else "frontal"


def _holds(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)


def region_of(text: str) -> Region:
    """What words say of the body part: "chest" (also beside others: CHESTABDOMEN), "other", or "" when they are not
    known, or say nothing.
    """
    folded = _fold(text)
    if any(part in folded for part in _SPINE) and "CHEST" not in folded:  # "rachis thoracique", "Brustwirbelsäule"
        return "other"
    if any(part in folded for part in map(_fold, _CHEST_PARTS)):
        return "chest"
    words = _tokens(folded)
    for part in map(_fold, _OTHER_PARTS):
        if any(w.startswith(part) for w in words) or (ord(part[0]) >= _CODED_OTHER_SIGN and part in folded):
            return "other"
    return ""


RADIOGRAPHS = frozenset(("DX", "CR", "DR", "RG", "RF", "XR", "RX", "X-RAY", "XRAY", ""))
"""What Modality says of a projection radiograph: DICOM's terms, what is written in their place, and nothing."""
SECONDARY = frozenset(("OT", "SC"))
"""Other, secondary capture: may hold a radiograph."""

_YEARS, _MONTHS, _WEEKS, _DAYS = 1.0, 12.0, 52.1775, 365.25
_UNITS = {
    **dict.fromkeys(("JOU", "GIO", "GG", "GUN", "D", "T", "Д"), _DAYS),
    **dict.fromkeys(("TYG", "SEM", "SET", "W", "S", "Н"), _WEEKS),
    **dict.fromkeys(("MJE", "MAAND", "M", "М"), _MONTHS),
    **dict.fromkeys(("J", "A", "Y", "L", "V", "R", "E", "Л", "Г", "岁", "歳", "才", "세"), _YEARS),
}  # the longest beginning that fits counts: "jours" are days, "Jahre" and "jaar" years
MOST_YEARS = 130


def age_years(text: str) -> float | None:
    """An age as headers have it, in years: "045Y", "018M", "003W", "010D" (PS3.5 6.2), and as people type it: "61Y",
    "61", " 8 y", "61 years", "61J", "5 jours", "61岁", "Y061". None when it says nothing, or more than 130 years.
    """
    folded = re.sub(r"([A-Z])(\d+)", r"\2\1", _fold(text).strip())
    match = re.fullmatch(r"(\d{1,4}(?:[.,]\d+)?)\s*([^\W\d_]*)\.?", folded)
    if not match:
        return None
    fits = [unit for unit in _UNITS if match[2].startswith(unit)]
    if match[2] and not fits:
        return None
    years = float(match[1].replace(",", ".")) / (_UNITS[max(fits, key=len)] if fits else _YEARS)
    return years if years <= MOST_YEARS else None


def age_between(birth: str, day: str) -> float | None:
    """Years from a date of birth to a day, both YYYYMMDD. None when either is none, when they are in the wrong order,
    or when they are more than 110 years apart: anonymisers write 1 January 1900.
    """
    from datetime import datetime

    try:
        born, then = (datetime.strptime(value.strip(), "%Y%m%d") for value in (birth, day))
    except ValueError:
        return None
    years = (then - born).days / _DAYS
    return years if 0 <= years <= 110 else None


_WOMEN = (
    *("F", "FEMALE", "FEM", "FEMME", "FEMININ", "FEMENINO", "FEMMINA", "FEMMINILE", "FRAU", "W", "WEIBLICH", "WOMAN"),
    *("MUJER", "MULHER", "DONNA", "VROUW", "V", "KVINNA", "KVINDE", "KOBIETA", "K", "KADIN", "Ж", "ЖЕН", "女", "女性"),
    "여",
)
_MEN = (
    *("M", "MALE", "MAN", "MANN", "MANNLICH", "MASC", "MASCULIN", "MASCULINO", "MASCHIO", "MASCHILE", "HOMME"),
    *("HOMBRE", "HOMEM", "UOMO", "MEZCZYZNA", "ERKEK", "М", "МУЖ", "男", "男性", "남"),
)


def sex_of(text: str) -> str | None:
    """ "F", "M" or "O" of Patient's Sex, also as a word; None when it says nothing known."""
    folded = _fold(text).strip(" .")
    if folded in map(_fold, _WOMEN):
        return "F"
    if folded in map(_fold, _MEN):
        return "M"
    return "O" if folded in ("O", "OTHER", "D", "DIVERS") else None
