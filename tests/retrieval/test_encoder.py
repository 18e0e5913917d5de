from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from retrieval import encoder
from retrieval.document import Document
from retrieval.encoder import Encoder
from retrieval.hybrid import HybridIndex

TEXTS = [
    "Pneumothorax.",
    "A 60-year-old man with fever, productive cough and a right lower lobe consolidation.",
    "",
    "Bilateral hilar lymphadenopathy suggests sarcoidosis; granulomas were found at biopsy. " * 40,
    "β-lactam \ud800 naïve",
]


@pytest.fixture(scope="module")
def packaged() -> Encoder:
    return Encoder.load()


def test_equals_sentence_transformers(packaged: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(encoder.packaged_folder()), device="cpu")
    clean = [text.encode("utf-8", "replace").decode() for text in TEXTS]
    expected = reference.encode(clean, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(packaged.encode(TEXTS), expected, atol=2e-6)


def test_in_16_bits_nearly_the_same_and_never_taken_for_it(packaged: Encoder, tmp_path: Path) -> None:
    half = Encoder.load(half=True)
    vectors = half.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (np.sum(vectors * packaged.encode(TEXTS), axis=1) > 0.999).all()
    assert half.encode(TEXTS).tobytes() == vectors.tobytes()
    assert half.fingerprint != packaged.fingerprint
    document = Document(doc_id="a", kind="literature", title="Effusion", text="Pleural.", source_curie="a", concepts=())
    HybridIndex.build([document], tmp_path / "index", kind="literature index", encoder=half)
    assert len(HybridIndex.open(tmp_path / "index", kind="literature index", encoder=half)) == 1
    with pytest.raises(ArtifactError, match="built with another encoder"):
        HybridIndex.open(tmp_path / "index", kind="literature index")
    with pytest.raises(InputError, match="only the packaged encoder"):
        Encoder.load(tmp_path, half=True)


def test_order_shape_and_norm(packaged: Encoder) -> None:
    vectors = packaged.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(packaged.encode(TEXTS[::-1])[::-1], vectors, atol=1e-6)
    np.testing.assert_allclose(packaged.encode([TEXTS[1]])[0], vectors[1], atol=1e-6)
    assert packaged.encode([]).shape == (0, 384)


def test_meaning_is_near(packaged: Encoder) -> None:
    query, near, far = packaged.encode(["enlarged heart", "cardiomegaly", "the price of wheat"])
    assert query @ near > query @ far + 0.2


def test_same_input_same_bytes(packaged: Encoder) -> None:
    assert packaged.encode(TEXTS).tobytes() == packaged.encode(TEXTS).tobytes()


def test_progress_ends_at_the_total(packaged: Encoder) -> None:
    calls: list[tuple[str, int, int]] = []
    packaged.encode(["a", "b c"], progress=lambda *call: calls.append(call))
    assert calls[-1] == ("encode", 2, 2)


def test_fingerprint_is_the_hash_of_the_weights(packaged: Encoder) -> None:
    assert packaged.fingerprint == encoder.PACKAGED_SHA256
    assert Encoder.load() is packaged


@pytest.mark.parametrize("name", sorted(encoder.PACKAGED_FILES))
@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_changed_file_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in encoder.PACKAGED_FILES:
        (folder / file).symlink_to(encoder.packaged_folder() / file)
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1
    (folder / name).unlink()
    if damage == "flip":
        (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name} does not match") as caught:
        encoder.open_minilm(folder, encoder.PACKAGED_FILES, "changed")
    assert "pip install" in str(caught.value)


def test_a_local_folder_can_replace_it(packaged: Encoder) -> None:
    other = Encoder.load(encoder.packaged_folder())
    np.testing.assert_allclose(other.encode(TEXTS[:2]), packaged.encode(TEXTS[:2]), atol=2e-6)
    assert len(other.fingerprint) == 64
    assert other.fingerprint != packaged.fingerprint  # of the tensors, not of the file


def test_an_unknown_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError) as caught:
        Encoder.load(tmp_path / "empty")
    assert "\n" not in str(caught.value)


def test_the_packaged_path_imports_no_transformers() -> None:
    code = (
        "import sys; from retrieval.encoder import Encoder; Encoder.load().encode(['cough']);"
        "sys.exit(any(m.split('.')[0] in ('transformers', 'sentence_transformers') for m in sys.modules))"
    )
    repository = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
