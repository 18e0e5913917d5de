"""What the words of a header mean: a view, a body part, an age. Machines and people write them in many ways and
languages.
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
        *("LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LLD", "RLD", "OBL", "YAN", "DWARS"),
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
    *("THORACIQUE", "POITRINE", "POUMON", "PULMON", "PULMAO", "PULMO", "POLMON", "PECHO", "PEITO", "BORSTKAS"),
    *("BRYSTKASSE", "BROSTKORG", "KLATKA PIERSIOWA", "PLUCA", "HRUDNIK", "HRUD", "PLICE", "MELLKAS", "TUDO", "GOGUS"),
    *("AKCIGER", "RINTAKEHA", "KEUHKO", "GRUDNAYA", "GRUDNAIA", "ГРУД", "ЛЕГК", "ОГК", "ПЛУЦА", "TORACELE", "PLAMAN"),
    *("胸", "肺", "흉부", "가슴", "صدر", "חזה", "ΘΩΡΑΚ", "NGUC", "PHOI", "DADA", "TXR", "T-D3000", "51185008"),
)
_OTHER_PARTS = (
    *("ABDOM", "HAND", "WRIST", "FINGER", "THUMB", "ELBOW", "ARM", "HUMERUS", "SHOULDER", "CLAVIC", "SCAPULA"),
    *("KNEE", "ANKLE", "FOOT", "FEET", "TOE", "LEG", "FEMUR", "TIBIA", "FIBULA", "PATELLA", "HIP", "PELVI", "SACRUM"),
    *("SPINE", "CSPINE", "TSPINE", "LSPINE", "COCCYX", "SKULL", "HEAD", "BRAIN", "NECK", "FACE", "FACIAL", "JAW"),
    *("MANDIB", "TEETH", "DENTAL", "SINUS", "NASAL", "NOSE", "ORBIT", "EYE", "EAR", "BREAST", "MAMMA", "KIDNEY"),
    *("BLADDER", "COLON", "STOMACH", "LIVER", "CALCANEUS", "HEEL", "EXTREMITY", "ZYGOMA", "KUB"),
    *("WIRBELS", "KNIE", "FUSS", "HUFTE", "BECKEN", "SCHADEL", "KOPF", "ELLBOG", "SCHULTER", "FINGER", "UNTERARM"),
    *("MANO", "MAIN", "PIE", "PIED", "PIEDE", "RODILLA", "GENOU", "GINOCCHIO", "JOELHO", "CADERA", "HANCHE", "ANCA"),
    *("PELVIS", "BASSIN", "BACINO", "BACIA", "CRANEO", "CRANIO", "CRANE", "COLUMNA", "COLONNA", "COLUNA", "RACHIS"),
    *("HOMBRO", "EPAULE", "SPALLA", "OMBRO", "CODO", "COUDE", "GOMITO", "TOBILLO", "CHEVILLE", "CAVIGLIA", "VIENTRE"),
    *("BUIK", "VOET", "HOOFD", "SCHEDEL", "WERVEL", "HEUP", "КОЛЕН", "КИСТ", "СТОП", "ЧЕРЕП", "ЖИВОТ", "ТАЗ"),
    *("膝", "手", "足", "腹", "頭", "头", "骨盆", "腰", "颈", "頸"),
)
_CODED_OTHER_SIGN = 0x2E80  # from here on, scripts without spaces between words


def _fold(text: str) -> str:
    """Upper case, without accents; letters of "P.A." joined."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\b(\w)\.\s?(\w)\b\.?", r"\1\2", unicodedata.normalize("NFC", bare).upper())


def _tokens(folded: str) -> list[str]:
    return [t for t in re.split(r"[\W\d_]+", folded) if t]


def view_of(text: str) -> View:
    """What words say of the view: "frontal", "lateral" (or oblique, or decubitus), or "" when nothing or both."""
    folded = _fold(text)
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
    if any(part in folded for part in map(_fold, _CHEST_PARTS)):
        return "chest"
    words = _tokens(folded)
    for part in map(_fold, _OTHER_PARTS):
        if any(w.startswith(part) for w in words) or (ord(part[0]) >= _CODED_OTHER_SIGN and part in folded):
            return "other"
    return ""


_UNITS = {"Y": 1.0, "J": 1.0, "A": 1.0, "M": 12.0, "W": 52.1775, "D": 365.25}
MOST_YEARS = 130


def age_years(text: str) -> float | None:
    """An age as headers have it, in years: "045Y", "018M", "003W", "010D" (PS3.5 6.2), and as people type it: "61Y",
    "61", " 8 y", "61 years", "61J". None when it says nothing, or more than 130 years.
    """
    match = re.fullmatch(r"(\d{1,4}(?:[.,]\d+)?)\s*([A-Z]*)\.?", _fold(text).strip())
    if not match:
        return None
    unit = match[2][:1] or "Y"
    if unit not in _UNITS:
        return None
    years = float(match[1].replace(",", ".")) / _UNITS[unit]
    return years if years <= MOST_YEARS else None
