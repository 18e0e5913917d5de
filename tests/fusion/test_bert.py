"""Our BERT against transformers' on the packaged weights."""

from __future__ import annotations

import torch

from fusion.bert import Bert
from fusion.checkpoint import bert_files


def test_hidden_states_are_those_of_transformers() -> None:
    from transformers import BertConfig, BertModel

    config, state = bert_files()
    state = {k: v for k, v in state.items() if not k.startswith("pooler") and "position_ids" not in k}
    ours, theirs = Bert(config).eval(), BertModel(BertConfig(**config), add_pooling_layer=False).eval()
    ours.load_state_dict(state)
    theirs.load_state_dict(state)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 20000, (3, 17), generator=generator)
    positions = torch.randint(0, 60, (3, 17), generator=generator)
    segments = torch.randint(0, 2, (3, 17), generator=generator)
    visible = torch.rand(3, 17, 17, generator=generator) < 0.5
    visible |= torch.eye(17, dtype=torch.bool)
    mask = torch.zeros(3, 1, 17, 17).masked_fill(~visible[:, None], torch.finfo(torch.float32).min)
    with torch.inference_mode():
        words = ours.embeddings.word_embeddings(ids)
        expected = theirs(
            inputs_embeds=words, attention_mask=mask, position_ids=positions, token_type_ids=segments
        ).last_hidden_state
        torch.testing.assert_close(ours(words, positions, segments, visible)[-1], expected, atol=2e-5, rtol=1e-4)


def test_a_context_read_before_is_the_same_as_reading_it_along() -> None:
    """Tokens that see the context but are not seen by it: two passes, or one with the mask that says so."""
    config, state = bert_files()
    bert = Bert({**config, "num_hidden_layers": 3}).eval()
    bert.load_state_dict({k: state[k] for k in bert.state_dict()})
    generator = torch.Generator().manual_seed(1)
    before, own = 5, 7
    length = before + own
    words = bert.embeddings.word_embeddings(torch.randint(1000, 20000, (1, length), generator=generator))
    positions, segments = torch.arange(length)[None], torch.zeros(1, length, dtype=torch.long)
    visible = torch.rand(1, length, length, generator=generator) < 0.6
    visible |= torch.eye(length, dtype=torch.bool)
    visible[:, :before, before:] = False
    with torch.inference_mode():
        together = bert(words, positions, segments, visible)[-1][:, before:]
        context = bert(words[:, :before], positions[:, :before], segments[:, :before], visible[:, :before, :before])
        twice = [x[:, before:].expand(2, -1, -1) for x in (words, positions[..., None], segments[..., None])]
        after = bert(twice[0], twice[1][..., 0], twice[2][..., 0], visible[:, before:].expand(2, -1, -1), context)[-1]
    torch.testing.assert_close(after, together.expand(2, -1, -1), atol=2e-5, rtol=1e-4)
