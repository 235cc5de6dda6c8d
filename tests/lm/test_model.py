"""The student's soft token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from known import known
from redraft.lm.model import IGNORE, UNKNOWN, StudentIndex, StudentLM, StudentVectors, next_token_loss

PLACEHOLDER = 4


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=40,
            n_positions=32,
            n_embd=16,
            n_layer=2,
            n_head=2,
            bos_token_id=None,
            eos_token_id=None,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    )


def llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=32,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def student_lm(lm: nn.Module, n_students: int = 3) -> StudentLM:
    return StudentLM(lm, StudentVectors(n_students, width=16, dim=8), PLACEHOLDER)


def test_student_vectors_equal_the_papers_one_hot_module() -> None:
    ours = StudentVectors(6, width=16, dim=8).double()
    first = nn.Linear(7, 8)
    paper = nn.Sequential(first, nn.ReLU(), nn.Linear(8, 16)).double()
    with torch.no_grad():
        nn.init.normal_(ours.bias)
        first.weight.copy_(ours.rows.weight.T)
        first.bias.copy_(ours.bias)
        paper[2].load_state_dict(ours.out.state_dict())
    ids = torch.tensor([1, 5, 5, 0])
    expected = paper(nn.functional.one_hot(ids, 7).double())
    torch.testing.assert_close(ours(ids), expected, rtol=0, atol=1e-12)

    weights = torch.randn_like(expected)
    (ours(ids) * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(known(ours.rows.weight.grad).to_dense(), known(first.weight.grad).T, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.bias.grad, first.bias.grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.out.weight.grad, paper[2].weight.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [gpt2, llama])
def test_the_vector_takes_the_placeholders_place(make: Callable[[], PreTrainedModel]) -> None:
    model = student_lm(make()).eval()
    ids_BL = torch.tensor([[PLACEHOLDER, 7, 8, 9], [PLACEHOLDER, 7, 8, 9], [PLACEHOLDER, 7, 8, 9]])
    logits_BLV = model(ids_BL, torch.tensor([1, 2, UNKNOWN])).logits
    assert logits_BLV.shape == (3, 4, 40)
    assert not torch.allclose(logits_BLV[0], logits_BLV[1])
    assert not torch.allclose(logits_BLV[0], logits_BLV[2])

    embedded_BLD = model.lm.get_input_embeddings()(ids_BL).clone()
    embedded_BLD[:, 0] = model.students(torch.tensor([1, 2, UNKNOWN]))
    torch.testing.assert_close(logits_BLV, model.lm(inputs_embeds=embedded_BLD).logits)


def test_without_students_it_is_the_plain_lm() -> None:
    model = student_lm(gpt2()).eval()
    ids_BL = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(model(ids_BL).logits, model.lm(input_ids=ids_BL).logits)


def test_cached_steps_equal_one_pass() -> None:
    model = student_lm(gpt2()).double().eval()
    ids_BL, students_B = torch.tensor([[PLACEHOLDER, 7, 8, 9, 10]]), torch.tensor([2])
    whole = model(ids_BL, students_B).logits
    first = model(ids_BL[:, :3], students_B, use_cache=True)
    rest = model(ids_BL[:, 3:], past_key_values=first.past_key_values, use_cache=True)
    torch.testing.assert_close(torch.cat([first.logits, rest.logits], dim=1), whole)


def test_loss_is_the_mean_over_what_counts_and_padding_changes_nothing() -> None:
    model = student_lm(gpt2()).double().eval()
    short_BL, students_B = torch.tensor([[PLACEHOLDER, 7, 8, 9]]), torch.tensor([1])
    labels_BL = torch.tensor([[IGNORE, IGNORE, 8, 9]])
    output = model(short_BL, students_B, labels=labels_BL)
    log_p = output.logits.log_softmax(-1)
    torch.testing.assert_close(output.loss, -(log_p[0, 1, 8] + log_p[0, 2, 9]) / 2)

    padded = model(
        torch.cat([short_BL, torch.zeros(1, 3, dtype=torch.long)], 1), students_B,
        labels=torch.cat([labels_BL, torch.full((1, 3), IGNORE)], 1),
    )  # fmt: skip
    torch.testing.assert_close(padded.loss, output.loss)
    assert next_token_loss(output.logits, torch.full((1, 4), IGNORE)) == 0


def test_only_the_students_met_have_rows_of_their_own() -> None:
    index = StudentIndex(["anna", "ben"])
    assert [index.row(student) for student in ("anna", "ben", "cleo")] == [1, 2, UNKNOWN]
    assert len(index) == 2
    assert "ben" in index
    assert "cleo" not in index
