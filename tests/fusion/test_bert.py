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
        torch.testing.assert_close(ours(words, positions, segments, visible), expected, atol=2e-5, rtol=1e-4)
