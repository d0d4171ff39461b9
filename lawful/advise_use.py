"""Advice on what is done with a model: test-time compute, fine-tuning, bits, other modalities."""

from __future__ import annotations

from lawful.advise import OBJECTIONS, Advice, Wish, code_published, measured, spread, unknown
from lawful.advise_training import split
from lawful.attempts import covered, from_points, needed
from lawful.laws import find
from lawful.laws.finetuning import critical_examples, zhang_finetuning
from lawful.plan_attempts import matched
from lawful.plan_precision import serving, training

_SWE = (0.159, 250.0, 0.56)  # Brown et al. 2024: SWE-bench Lite with DeepSeek, at 1 and at 250 samples
_TASKS = ("wmt14_ende", "wmt19_enzh", "mlsum")
_METHODS = {"fmt": "all parameters", "lora": "LoRA", "prompt": "prompt tuning"}
_BITS = (16, 8, 4, 3)


def test_time(wish: Wish, name: str, question: str) -> Advice:
    """Samples that cost as much as a larger model, and what they buy on problems as unequal as published ones."""
    N, D = split(wish)
    served = wish.inference_tokens or D
    R = served / D
    factor = matched(wish.size_ratio, R)["inference_multiplier"]
    problems = from_points(*_SWE)
    k = max(1.0, factor.estimate)
    there = float(covered(k, problems.a, problems.b))
    half = needed(0.5, problems.a, problems.b)
    best = float(find("wu_optimal_size").at("wu2024", C_inf=2 * N * 1000))
    numbers = {"R_inf": unknown(R, wish.level, "given" if wish.inference_tokens else "assumed"),
               "samples_for_the_same_compute": factor, "coverage_there": unknown(there, wish.level, "from two "
                                                                                                    "published points"),
               "samples_to_half": unknown(half, wish.level, "from two published points"),
               "wu_N": unknown(best, wish.level, "Pythia on GSM8K; published without interval")}  # fmt: skip
    told = "" if wish.inference_tokens else " (assumed: as many tokens as in training; say yours)"
    answer = (
        f"Serving {served:.3g} tokens over its life{told}, this model may do {factor.estimate:.3g} times its "
        "inference for "
        f"the cost of a model {wish.size_ratio:.3g} times larger. On problems like those of SWE-bench Lite that "
        "many samples "
        f"would raise what some sample solves from {_SWE[0]:.0%} to {there:.0%}, if right answers can be told from "
        "wrong "
        f"ones; {half:.0f} samples reach half. Without a verifier a vote keeps far less of it: measure pass@k of both "
        "models and ask `lawful plan attempts`."
    )
    return Advice(name, question, answer, numbers, ("snell", "monkeys", "vote_two_level", "wu_optimal_size"),
                  measured("monkeys", k=k) + "; " + measured("snell", size_ratio=wish.size_ratio, R_inf=R),
                  ("Coverage is not accuracy: it needs a perfect verifier, and a larger model wins on problems that "
                   "the "
                   "small one never solves (Snell et al. 2024).", OBJECTIONS["proxy"],
                   code_published("monkeys")))  # fmt: skip


def finetuning(wish: Wish, name: str, question: str) -> Advice:
    """Which method of fine-tuning for so many examples, over the three published tasks."""
    N, _ = split(wish)
    x = wish.examples
    best, rows = [], {}
    for task in _TASKS:
        losses = {m: float(zhang_finetuning.at(f"zhang2024_{task}_{m}_model_size", x=N, D_f=x)) for m in _METHODS}
        best.append(min(losses, key=lambda m: losses[m]))
        rows[task] = losses
    cross = []
    for task in _TASKS:
        full, lora = (zhang_finetuning.published(f"zhang2024_{task}_{m}_model_size").values for m in ("fmt", "lora"))
        cross.append(critical_examples(N, full, lora))
    saved = [rows[t]["lora"] - rows[t]["fmt"] for t in _TASKS]
    numbers = {"examples_where_full_beats_lora": spread(cross, wish.level, "tasks"),
               "loss_of_lora_minus_full": spread(saved, wish.level, "tasks")}  # fmt: skip
    counts = ", ".join(f"{_METHODS[m]} on {best.count(m)}" for m in _METHODS if m in best)
    one = numbers["loss_of_lora_minus_full"]
    verdict = "Cannot tell between full fine-tuning and LoRA: the tasks disagree." if one.lower < 0 < one.upper else ""
    answer = (
        f"With {x:.3g} examples and {N:.3g} parameters the law gives the lowest loss to {counts} of the three "
        "published "
        f"tasks. Full fine-tuning overtakes LoRA between {min(cross):.2g} and {max(cross):.2g} examples, a range so "
        "wide "
        "that your own task decides: fit `rectified` to a few small subsets."
    )
    return Advice(name, question, answer, numbers, ("zhang_finetuning", "rectified", "hernandez"),
                  measured("zhang_finetuning", x=N, D_f=x),
                  ("The printed crossings come from unrounded values and differ from those of the paper's table by "
                   "up to a "
                   "factor of 3.", OBJECTIONS["proxy"], code_published("zhang_finetuning")), verdict)  # fmt: skip


def bits(wish: Wish, name: str, question: str) -> Advice:
    """Bits to train in and to serve in, and the tokens beyond which training hurts a compressed model."""
    N, D = split(wish)
    trained = training(flops=wish.flops, level=wish.level)
    served = serving(params=N, tokens=D, level=wish.level)
    added = {r["bits"]: r["added"] for r in served.choices}
    stored = serving(memory=wish.memory, level=wish.level) if wish.memory else None
    numbers = {"bits_in_training": trained["P_w"]}
    numbers |= {f"loss_added_by_{b}_bits": added[b] for b in _BITS if b in added and b < 16}
    numbers["tokens_beyond_which_4_bits_lose"] = served["most_tokens"]
    if stored is not None:
        numbers |= {"bits_for_the_memory": stored["P_post"], "N_for_the_memory": stored["N"]}
    low, high = trained.near["P_w"]
    fine = min((b for b in added if added[b].estimate <= 0.005 * served["L"].estimate), default=16)
    answer = (
        f"Training: {trained['P_w'].estimate:.1f} bits are best if a bit costs in proportion, and {low:.1f} to "
        f"{high:.1f} "
        f"bits as good within half a percent, so 8-bit formats. Serving {N:.3g} parameters trained on {D:.3g} tokens: "
        f"{fine} bits add at most half a percent of loss, 4 bits add {added[4].estimate:.2g} nats; beyond "
        f"{served['most_tokens'].estimate:.2g} tokens more training would make the 4-bit model worse."
    )
    if stored is not None:
        answer += (
            f" In {wish.memory:.3g} bytes the best use is {stored['P_post'].estimate:.0f} bits and "
            f"{stored['N'].estimate:.3g} "
            "parameters."
        )
    return Advice(name, question, answer, numbers, ("kumar_precision", "kumar_ptq", "ouyang_qid", "dettmers_bits"),
                  measured("kumar_ptq", N=N, D=D),
                  ("The constants are those of models of 30M to 220M parameters and one method of quantising; "
                   "Dettmers and "
                   "Zettlemoyer measured four bits best up to 176e9 parameters, and printed no formula.",
                   code_published("kumar_precision"), OBJECTIONS["population of models"]))  # fmt: skip


def modalities(wish: Wish, name: str, question: str) -> Advice:
    """How the best size grows with compute by modality, and what cannot be told about mixing them."""
    law, loss = find("henighan_n_opt"), find("henighan_c")
    beta = {k.removeprefix("henighan2020_"): v["beta"] for k, v in law.values.items()}
    size = {k.removeprefix("henighan2020_"): float(law.at(k, C=wish.flops)) for k in law.values}
    left = {}
    for key, entry in loss.values.items():
        floor = entry["L_inf"]
        left[key.removeprefix("henighan2020_")] = float(loss.at(key, C=wish.flops)) - floor
    numbers = {"exponent_of_N": spread(list(beta.values()), wish.level, "domains"),
               "N_language": unknown(size["language"], wish.level), "N_image": unknown(size["image_32x32"], wish.level),
               "N_video": unknown(size["video_vq"], wish.level),
               "reducible_loss_image": unknown(left["image_32x32"], wish.level),
               "reducible_loss_video": unknown(left["video_vq"], wish.level)}  # fmt: skip
    e = numbers["exponent_of_N"]
    answer = (
        "Alone, each modality follows a power of compute with a floor of its own, and the best size grows alike, "
        "as C to "
        f"the {e.lower:.2f} to {e.upper:.2f}: at {wish.flops:.3g} FLOP {size['language']:.2g} parameters for language, "
        f"{size['image_32x32']:.2g} for 32x32 images, {size['video_vq']:.2g} for video, of which "
        f"{left['image_32x32']:.2g} and "
        f"{left['video_vq']:.2g} nats of loss remain above the floor."
    )
    verdict = (
        "Cannot tell whether your modalities help or hurt each other: Aghajanyan et al. 2023 give the form (they "
        "compete "
        "until the size and data terms fall to the synergy C_ij) but no coefficients were found. Runs of each modality "
        "alone and of both, on either side of that barrier, would tell: fit `aghajanyan_bimodal`."
    )
    return Advice(name, question, answer, numbers, ("henighan_n_opt", "henighan_c", "aghajanyan_bimodal", "zhai"),
                  measured("henighan_n_opt", C=wish.flops),
                  ("One schedule for all lengths of training biases these exponents upwards, as in Kaplan et al. 2020.",
                   "A larger encoder is not always better: alignment of the modalities matters more (Li et al. 2024).",
                   OBJECTIONS["reproducibility"]), verdict)  # fmt: skip
