"""The closed vocabulary: one symbol, one column, one unit and one meaning for every quantity.

Papers reuse letters: E is an offset, a number of experts and a number of exponent bits; P is a parameter count, a
precision and a number of parallel streams. Here each meaning has its own symbol, so that a law, a table and a command
line always mean the same thing. ``N`` is the column ``params`` (embeddings included) and never ``params_nonembed``,
which is ``N_nonemb``; ``C`` is the column ``flops``, a plain count of FLOP and never PF-days.

All counts are plain numbers, never billions or log10. Adding a quantity is one line in the table below.
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Literal, cast

Kind = Literal["count", "integer", "real", "fraction", "array", "label"]


@dataclass(frozen=True)
class Quantity:
    """One entry of the vocabulary.

    kind: ``count`` (a size: a positive number, whole in principle), ``integer`` (a small whole number),
    ``real``, ``fraction`` (0 to 1), ``array`` (a vector in every row, such as a mixture) or ``label`` (text).
    positive: whether zero and negative values are errors.
    convention: what is counted, where conventions differ. topic: the heading under which it stands.
    """

    symbol: str
    column: str
    unit: str
    meaning: str
    aliases: tuple[str, ...] = ()
    kind: Kind = "count"
    positive: bool = True
    convention: str = ""
    topic: str = ""

    @property
    def numeric(self) -> bool:
        """True for one number per row: neither a label nor an array."""
        return self.kind not in ("label", "array")


# One quantity is one line: symbol | column | unit | kind | meaning. Below it, "=" lists other names files
# use for it and "!" says what is counted where conventions differ. ">0": zero and less are errors.
_TABLE = """
# Model size
N | params | parameters | count | parameters of the model
    ! all trainable parameters, embeddings included; a paper that counts otherwise says so in its own law
    = n_params num_params parameters parameter_count param_count params_total total_params
    = n_parameters num_parameters model_size model_params nparams n_lm
N_nonemb | params_nonembed | parameters | count | parameters without the embedding and output matrices
    ! Kaplan et al. 2020 count this
    = params_nonemb params_non_embedding params_nonembedding non_embedding_params
    = nonembedding_params non_emb_params n_nonembed params_no_embed num_params_nonembed
N_nominal | params_nominal | parameters | count | size in the model's name
    ! a label such as 6.7B made a number: up to 3 % from the true count
    = n_params_nominal nominal_params
N_act | params_active | parameters | count | parameters that one token meets
    ! mixture of experts: routed experts count once each
    = active_params params_dense n_active n_a
N_act_nonemb | params_active_nonembed | parameters | count | active parameters without embeddings
    = active_params_nonembed
N_nv | params_nonvocab | parameters | count | parameters outside the vocabulary matrices
    = non_vocab_params
N_v | params_vocab | parameters | count | parameters of the vocabulary matrices, V x width
    = vocab_params
N_nonzero | params_nonzero | parameters | count | parameters left after sparsification
    = nonzero_params
N_0 | params_unpruned | parameters | count | parameters before pruning
N_eff | params_effective | parameters | count | effective parameters, as the law at hand defines them
N_S | params_student | parameters | count | parameters of the student model
    = student_params
N_T | params_teacher | parameters | count | parameters of the teacher model
    = teacher_params
N_ret | params_retriever | parameters | count | parameters of the retriever
N_e | params_encoder | parameters | count | parameters of the encoder, without embeddings
    = n_enc
N_d | params_decoder | parameters | count | parameters of the decoder, without embeddings
    = n_dec
N_pet | params_tuned | parameters | count | parameters trained in fine-tuning (adapters, prompts)
    = pet_params
# Training data
D | tokens | tokens | count | training tokens seen, repeats included
    = n_tokens num_tokens train_tokens training_tokens tokens_trained token_count total_tokens
    = tokens_seen tok d_tr d_pretrain pretraining_tokens
U | unique_tokens | tokens | count | distinct training tokens available
    = u_d tokens_unique n_unique_tokens
epochs | epochs | passes | real>0 | passes over the unique tokens, D/U
    = epoch n_epochs num_epochs
R_D | repetitions | passes | real | repeats of the unique tokens, epochs - 1
TPP | tokens_per_param | tokens per parameter | real>0 | D/N
    = token_multiplier tokens_per_parameter tpp d_over_n
H | characters | characters | count | training characters
    = chars n_characters
D_inf | inference_tokens | tokens | count | tokens served over the model's life
    = lifetime_tokens
D_in | prompt_tokens | tokens | count | prompt tokens served
D_out | generated_tokens | tokens | count | tokens generated
    = output_tokens
D_store | datastore_tokens | tokens | count | tokens of the retrieval datastore
D_S | distill_tokens | tokens | count | tokens of distillation
    = distillation_tokens
D_post | posttrain_tokens | tokens | count | tokens after pruning or in post-training
    = post_training_tokens
D_cpt | continued_tokens | tokens | count | tokens of continued pre-training
    = cpt_tokens
D_T | transferred_tokens | tokens | count | data that pre-training is worth
    = effective_data_transferred
D_i | tokens_i | tokens | count | tokens of domain or modality i
D_j | tokens_j | tokens | count | tokens of domain or modality j
D_f | finetune_examples | examples | count | examples or images of fine-tuning
    = ft_examples
D_chars | finetune_characters | characters | count | characters of fine-tuning text
D_pairs | pairs | pairs | count | image-text pairs
    = image_text_pairs
examples | examples | examples | count | training examples, samples or images
    = n_examples num_examples train_size n_samples num_samples images n_images
pool | pool_examples | examples | count | distinct examples in the pool
    = pool_size
D_scale1 | domain_tokens_1 | tokens | count | optimal tokens of every domain at the first scale
D_scale2 | domain_tokens_2 | tokens | count | optimal tokens of every domain at the second scale
scale_step | scale_step | 1 | real | steps of extrapolation beyond the second scale
# Compute, time and money
C | flops | FLOP | count | training compute
    ! 6ND unless the source counts otherwise; lawful.flops has the conventions
    = flop train_flops training_flops total_flops compute training_compute flops_total
C_min | flops_min | FLOP | count | compute at a batch far below the critical one
    = c_min
C_inf | inference_flops | FLOP | count | inference compute per problem
    = test_flops c_test
C_life | lifetime_flops | FLOP | count | training and inference compute together
C_tok | flops_per_token | FLOP/token | count | compute per token
    = flop_per_token
C_general | flops_general | FLOP | count | compute spent on general data
    = c_g
C_code | flops_code | FLOP | count | compute spent on code
    = c_c
gpu_hours | gpu_hours | GPU hours | real>0 | accelerator time
    = gpu_h accelerator_hours
cost | cost | currency | real>0 | price of a run or a plan
    = usd dollars price
seconds | seconds | s | real | wall time
    = wall_seconds wall_time runtime
# What is measured
L | loss | nats/token | real>0 | cross-entropy
    ! natural logarithm, per token of the run's own tokeniser: never comparable across tokenisers
    = val_loss valid_loss validation_loss eval_loss test_loss train_loss training_loss final_loss
    = cross_entropy ce_loss xent nll loss_nats
bpb | bpb | bits/byte | real | cross-entropy per byte of text
    = bits_per_byte val_bpb
ppl | perplexity | 1 | real>0 | perplexity, exp(loss)
    = val_ppl test_ppl
loss_sd | loss_sd | nats/token | real | standard deviation of the loss between seeds
    = loss_std
L_0 | loss_unpruned | nats/token | real>0 | loss before pruning
L_T | loss_teacher | nats/token | real>0 | loss of the teacher
    = teacher_loss
L_i | loss_i | nats/token | real>0 | loss on modality i alone
L_j | loss_j | nats/token | real>0 | loss on modality j alone
L_ND | loss_finite | nats/token | real>0 | loss at finite data, L(N, D)
L_Ninf | loss_infinite | nats/token | real>0 | loss at unlimited data, L(N, inf)
L_u | loss_unigram | nats/token | real | loss minus the unigram model's loss
    = unigram_normalized_loss
dL | loss_increase | nats/token | real | rise of the loss by an intervention, such as quantisation
bpc | bits_per_character | bits/character | real>0 | loss in bits per character
nmse | normalised_mse | fraction of variance | real>0 | squared error over the variance, of a reconstruction
I | intrinsic_performance | FLOP | count | compute that the best model size needs for the same performance
fertility | tokens_per_character | tokens/character | real>0 | tokens that the tokenizer makes of a character
mode_correct | mode_correct | 0 or 1 | integer | whether the most frequent answer is the right one
inference_multiplier | inference_multiplier | 1 | real>0 | factor on inference compute
accuracy | accuracy | fraction | fraction | share of items answered rightly
    ! says nothing about normalisation: keep acc and acc_norm apart by the column metric
    = acc accuracy_score
error | error | fraction | fraction | share of items answered wrongly, 1 - accuracy
    = error_rate top1_error err
e_US | error_upstream | fraction | fraction | upstream error rate
    = upstream_error
p_correct | p_correct | fraction | fraction | probability given to the right answer
    = correct_prob
coverage | coverage | fraction | fraction | share of problems solved by at least one attempt
    = pass_at_k
win_rate | win_rate | fraction | fraction | expected score against an opponent
score | score | 1 | real | any other measure of performance
capability | capability | 1 | array | scores on the principal components
    = pc_scores
elo | elo | Elo | real | playing strength
reward | reward | 1 | real | gold reward
sqrt_kl | sqrt_kl | sqrt(nats) | real | square root of KL(policy, first policy)
knowledge | knowledge_bits | bits | real>0 | facts stored in the weights
edit_distance | edit_distance | tokens | real | expected edits to the right answer
items | items | items | count | items of the test set
    = n_items num_items n_questions
chance | chance | fraction | fraction | accuracy of guessing
    = random_baseline
stderr | stderr | as measured | real | standard error of the outcome
    = std_err acc_stderr
correct | correct | items | integer | items or samples answered rightly
    = n_correct
# Training
S | steps | steps | count | optimiser steps of the whole run
    = total_steps n_steps num_steps max_steps
step | step | steps | integer | optimiser step of a checkpoint
    = global_step iteration
S_min | steps_min | steps | count | steps at a batch far above the critical one
S_stop | steps_stop | steps | count | step of early stopping
B | batch_tokens | tokens | count | batch size
    ! in tokens, not sequences
    = batch_size_tokens tokens_per_batch
B_seqs | batch_seqs | sequences | count | batch size in sequences
    = batch_sequences
B_crit | batch_critical | tokens | count | critical batch size
    = critical_batch
lr | lr | 1 | real>0 | peak learning rate
    = learning_rate peak_lr max_lr
lr_schedule | lr_schedule | 1 | array | learning rate at every step, warm-up included
    = lrs
S_warmup | warmup_steps | steps | integer | steps of warm-up
    = warmup
weight_decay | weight_decay | 1 | real | weight decay
    = wd
tau | ema_timescale | 1 | real>0 | AdamW's memory as a share of the run, B/(lr weight_decay D)
    = timescale
env_steps | env_steps | steps | count | interactions with an environment
    = environment_steps
# Shape of the model
V | vocab_size | tokens | integer>0 | size of the vocabulary
    = vocab n_vocab
w | width | units | integer>0 | hidden size of the model
    = d_model hidden_size n_embd
depth | depth | layers | integer>0 | number of layers
    = n_layer n_layers num_layers layers dp
heads | heads | heads | integer>0 | attention heads
    = n_heads n_head num_heads
d_ff | d_ff | units | integer>0 | hidden size of the feed-forward block
    = ffn_size intermediate_size
d_attn | d_attn | units | integer>0 | size of the attention block
n_ctx | context | tokens | integer>0 | context length
    = context_length seq_len sequence_length max_seq_len
length | length | tokens | integer>0 | length of the target or position in the context
    = target_length
aspect | aspect_ratio | 1 | real>0 | width over depth
mlp_ratio | mlp_ratio | 1 | real>0 | feed-forward over attention parameters
experts | experts | experts | integer>0 | experts of a routed layer (dense: 1)
    = n_experts num_experts
experts_active | experts_active | experts | integer>0 | experts that serve one token
    = active_experts top_k
G | granularity | 1 | real>0 | d_ff over the size of an expert
shared_ratio | shared_ratio | fraction | fraction | share of active experts that every token meets
moe_sparsity | moe_sparsity | fraction | fraction | share of experts that a token does not meet
sparsity | sparsity | fraction | fraction | share of weights that are zero
    = weight_sparsity
rho | pruning_rate | fraction | fraction | share of parameters removed by pruning
streams | streams | streams | integer>0 | parallel streams of one model
latents | latents | latents | integer>0 | latents of a sparse autoencoder
    = n_latents
latents_active | latents_active | latents | integer>0 | latents active at once
sketch | sketch_dim | dimensions | integer>0 | dimension of the sketch (model size of a linear model)
board | board_size | cells | integer>0 | cells on a side of the board
# Precision
P_w | precision_weights | bits | real>0 | precision of the weights in training
P_a | precision_activations | bits | real>0 | precision of the activations in training
P_kv | precision_kv | bits | real>0 | precision of keys and values
P_post | precision_post | bits | real>0 | precision of the weights after training
P_bits | precision | bits | real>0 | bits per weight, overhead of the format included
    = bit_width bits_per_weight
bits_exp | exponent_bits | bits | integer | bits of the exponent
bits_man | mantissa_bits | bits | integer | bits of the mantissa
block | block_size | elements | integer>0 | elements that share one scale
group | group_size | elements | integer>0 | elements of a quantisation group
Q_r | low_precision_share | fraction | fraction | share of parameters or operations in low precision
# Mixtures of training data
mixture | mixture | fraction | array | shares of the training domains, sum 1
    = proportions domain_weights
share | share | fraction | fraction | share of one domain in the training data
    = domain_share mixture_ratio
# Inference
k | attempts | samples | integer>0 | samples per problem (pass@k)
    = n_attempts
draws | draws | samples | integer>0 | samples drawn, from which pass@k is estimated
calls | calls | calls | integer>0 | calls of the model per question
    = n_calls
R_inf | inference_ratio | 1 | real>0 | inference tokens over training tokens
size_ratio | size_ratio | 1 | real>0 | parameters of the large model over those of the small one
# Anything
x | x | any | real>0 | the scaled quantity, whatever it is
x1 | x1 | any | real>0 | first scaled quantity, or the resource of player 1
x2 | x2 | any | real>0 | second scaled quantity, or the resource of player 2
xs | xs | any | array | a list of scaled quantities
y | y | any | real | the outcome, whatever it is
weight | weight | 1 | real>0 | weight of a row in a fit
    = row_weight
# Labels and settings of an evaluation
run | run | text | label | which training run a row belongs to
    = run_id run_name experiment_id
model | model | text | label | name of the model
    = model_name
family | family | text | label | models trained alike
    = model_family suite
size | size | text | label | size as the name says it, such as 6.7B
    = size_label
dataset | dataset | text | label | training data
    = train_data corpus
task | task | text | label | evaluation task
    = benchmark eval_task
metric | metric | text | label | what of the task is measured: acc, acc_norm, ...
    = metric_name
evaluator | evaluator | text | label | who or what evaluated
    = harness evaluation_harness
split | split | text | label | part of the data evaluated
    = loss_split
shots | shots | examples | integer | worked examples in the prompt
    = num_fewshot n_shots fewshot
seed | seed | 1 | integer | random seed
    = random_seed
"""


def _parse(table: str) -> tuple[Quantity, ...]:
    parsed: list[Quantity] = []
    topic = ""
    for line in (text.strip() for text in table.splitlines()):
        if line.startswith("="):
            parsed[-1] = replace(parsed[-1], aliases=(*parsed[-1].aliases, *line[1:].split()))
        elif line.startswith("!"):
            parsed[-1] = replace(parsed[-1], convention=line[1:].strip())
        elif line.startswith("#"):
            topic = line[1:].strip()
        elif line:
            symbol, column, unit, kind, meaning = (cell.strip() for cell in line.split("|"))
            positive = kind.endswith(">0") or kind == "count"
            kind = cast(Kind, kind.removesuffix(">0"))
            parsed.append(Quantity(symbol, column, unit, meaning, (), kind, positive, topic=topic))
    return tuple(parsed)


QUANTITIES: tuple[Quantity, ...] = _parse(_TABLE)


def normalize(name: str) -> str:
    """The form in which names are compared: ``Val/Loss`` is ``val_loss``; a single letter keeps its case."""
    plain = "_".join("".join(c if c.isalnum() else " " for c in name).split())
    return plain if len(plain) == 1 else plain.casefold()


@cache
def _index() -> dict[str, Quantity]:
    index: dict[str, Quantity] = {}
    for quantity in QUANTITIES:
        for name in (quantity.symbol, quantity.column, *quantity.aliases):
            if index.setdefault(normalize(name), quantity) is not quantity:
                raise ValueError(f"the name {name!r} stands for two quantities; give each its own")
    return index


def find(name: str) -> Quantity | None:
    """The quantity with this symbol, column or alias, or None. Case counts for single letters only."""
    return _index().get(normalize(name))


def find_part(column: str) -> Quantity | None:
    """The quantity of any part of a task's column: lambada/acc/0 is an accuracy."""
    return next(filter(None, map(find, column.split("/"))), None)


def by_symbol(symbol: str) -> Quantity:
    """The quantity written with this symbol, exactly: ``by_symbol("N").column == "params"``."""
    return _exact("symbol", symbol)


def by_column(column: str) -> Quantity:
    """The quantity kept in this column, exactly: ``by_column("tokens").symbol == "D"``."""
    return _exact("column", column)


def lookup(name: str) -> Quantity:
    """The quantity with this symbol, column or alias; ValueError with the nearest names if there is none."""
    quantity = find(name)
    if quantity is None:
        known = [n for q in QUANTITIES for n in (q.symbol, q.column, *q.aliases)]
        raise ValueError(f"no quantity is called {name!r}{did_you_mean(name, known)}")
    return quantity


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of an error message: the nearest known names, or the whole list if it is short."""
    folded = {k.casefold(): k for k in reversed(known)}
    near = [folded[m] for m in get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
    if near:
        return "; did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "; known: " + ", ".join(known) if 0 < len(known) <= 20 else ""


def _exact(field: str, value: str) -> Quantity:
    known = {getattr(q, field): q for q in QUANTITIES}
    if value not in known:
        raise ValueError(f"no quantity has the {field} {value!r}{did_you_mean(value, list(known))}")
    return known[value]
