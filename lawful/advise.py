"""Eight questions about scaling, answered from the laws for your numbers.

The questions are those of the survey by Sengupta, Goel and Chakraborty (2025): size or data, architectures, data
strategy, test-time compute, fine-tuning, sparsity, quantisation, modalities. Each answer is computed by the plans of
this package, says which laws it rests on and where those were measured, and carries the objection that applies. Where
no coefficients were published the answer is "cannot tell", with the runs that would tell::

    for one in advise(flops=1e21, unique_tokens=2e10, inference_tokens=1e12):
        print(one)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from textwrap import fill
from typing import Any

from lawful.belief import positive
from lawful.law import Law
from lawful.laws import find
from lawful.quantities import did_you_mean
from lawful.uncertainty import Interval

# name, question, module and function that answers
QUESTIONS = (
    ("size", "What matters more, parameters or data?", "advise_training", "size"),
    ("architecture", "Which architecture?", "advise_training", "shape"),
    ("data", "Which data strategy?", "advise_training", "data"),
    ("test-time", "What does test-time compute buy?", "advise_use", "test_time"),
    ("fine-tuning", "How should it be fine-tuned?", "advise_use", "finetuning"),
    ("sparsity", "Dense, or experts, or sparse weights?", "advise_training", "sparse"),
    ("quantisation", "How many bits?", "advise_use", "bits"),
    ("multimodal", "Do other modalities scale alike?", "advise_use", "modalities"),
)

# Objections that hold for all of it, by name; an answer names those that touch it most.
OBJECTIONS = {
    "populations": "A mean loss hides groups: as data grow they hold more groups with interests of their own, and what "
    "improves the mean may fail each (Diaz and Madaio 2024, arXiv 2307.03201). Fit by group, and look at regret.",
    "pruning": "A power of the data is no bound: chosen well, fewer data can beat it (Sorscher et al. 2022, "
    "arXiv 2206.14486), and what is well chosen moves with compute (Goyal et al. 2024).",
    "reproducibility": "Fits disagree: optimiser, start, threshold and counting move exponents more than their printed "
    "intervals (Besiroglu et al. 2024; Li et al. 2024, Misfitting; Porian et al. 2024).",
    "population of models": "Constants come from one family, corpus and tokeniser: exponents may carry over, "
    "prefactors do "
    "not.",
    "proxy": "A lower loss is not a better model for your task: the map from one to the other differs by task and "
    "family.",
}


@dataclass(frozen=True)
class Wish:
    """What the advice is for. flops: training. Others may be left at None or 0, and the answer says what it assumed."""

    flops: float
    source: Any = ("chinchilla", "besiroglu2024")
    unique_tokens: float | None = None
    inference_tokens: float = 0.0
    memory: float | None = None
    examples: float = 10_000
    size_ratio: float = 8.0
    hardware: Any = None
    level: float = 0.9


@dataclass(frozen=True)
class Advice:
    """One question and its answer. numbers: what it rests on. laws: of the catalogue. valid: where they were measured.

    objections: what speaks against it. verdict: empty, or "cannot tell" and why.
    """

    name: str
    question: str
    answer: str
    numbers: Mapping[str, Interval]
    laws: tuple[str, ...]
    valid: str
    objections: tuple[str, ...]
    verdict: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def citations(self) -> tuple[str, ...]:
        """Papers of the laws, as "key, arXiv number"."""
        papers = (find(name).paper for name in self.laws)
        return tuple(dict.fromkeys(f"{p.key}, arXiv {p.arxiv}" if p.arxiv else p.key for p in papers if p is not None))

    def __str__(self) -> str:
        lines = [f"{self.question}", *_wrapped(self.answer, "  ")]
        if self.verdict:
            lines += _wrapped(self.verdict, "  ")
        lines += [f"    {name} = {one}" for name, one in self.numbers.items()]
        lines += _wrapped("; ".join(self.citations), "  from      ")
        lines += _wrapped(self.valid, "  measured  ")
        for text in self.objections:
            lines += _wrapped(text, "  but       ")
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        from dataclasses import asdict

        from lawful.fitfile import plain

        return plain(asdict(self) | {"citations": self.citations})


def advise(
    source: Any = None, *, flops: float, questions: Sequence[str] | None = None, level: float = 0.9, **wishes: Any
) -> tuple[Advice, ...]:
    """Answers to the questions (all eight, or those named) for a training budget of ``flops``.

    source: what is believed about the loss, anything that `lawful.belief` takes (default Chinchilla's law, refitted by
    Besiroglu et al. 2024). wishes: unique_tokens, inference_tokens, memory (bytes to serve in), examples (to fine-tune
    on), size_ratio (of the larger model compared at test time), hardware.
    Raises ValueError for an unknown question or wish.
    """
    known = [name for name, *_ in QUESTIONS]
    for name in questions or ():
        if name not in known:
            raise ValueError(f"advise: no question {name!r}{did_you_mean(name, known)}; they are {', '.join(known)}")
    fields = [f for f in Wish.__dataclass_fields__ if f not in ("flops", "source", "level")]
    for name in wishes:
        if name not in fields:
            raise ValueError(f"advise: no wish {name!r}{did_you_mean(name, fields)}; they are {', '.join(fields)}")
    given = {k: v for k, v in wishes.items() if v is not None}
    for name in ("unique_tokens", "memory", "examples", "size_ratio"):
        if name in given:
            positive(name, given[name])
    wish = Wish(positive("flops", flops), **({} if source is None else {"source": source}), level=level, **given)
    return tuple(_answered(wish, questions or known))


def _answered(wish: Wish, names: Sequence[str]) -> Iterator[Advice]:
    for name, question, module, function in QUESTIONS:
        if name in names:
            yield getattr(import_module(f"lawful.{module}"), function)(wish, name, question)


def measured(law: str | Law, **at: float) -> str:
    """Where a law was measured, and by how many decades the point lies outside."""
    found = find(law) if isinstance(law, str) else law
    words = []
    for name, value in at.items():
        if name not in found.over:
            continue
        low, high = found.over[name]
        from math import log10

        out = max(log10(value / high) if high > 0 else 0.0, log10(low / value) if low > 0 else 0.0)
        here = f"{name} {low:.3g} to {high:.3g}"
        words.append(here + (f" (yours, {value:.3g}, is {out:.1f} decades outside)" if out > 0.05 else ""))
    return f"{found.name}: {', '.join(words) or 'no range stated'}"


def unknown(value: float, level: float, why: str = "published without interval") -> Interval:
    """A number that was published without saying how sure it is."""
    return Interval(float(value), float("nan"), float("nan"), level, "none", why)


def spread(values: Sequence[float], level: float, what: str = "published sets") -> Interval:
    """The middle and the range of several published answers: no confidence interval."""
    ordered = sorted(values)
    middle = 0.5 * (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2])
    return Interval(middle, ordered[0], ordered[-1], level, "range of published values",
                    f"the range over {len(ordered)} {what}, not a confidence interval")  # fmt: skip


def code_published(law: str) -> str:
    """Whether the survey found analysis code for the paper of a law, and what we found wrong with its equation."""
    from lawful.literature import papers

    studies = papers(law=find(law).name)
    if not studies:
        return ""
    one = studies[0]
    code = {True: "with", False: "without", None: "not known whether with"}[one.analysis_code]
    return f"{one.key} was published {code} analysis code." + (f" {one.check}" if one.check else "")


def _wrapped(text: str, first: str) -> list[str]:
    return fill(text, 100, initial_indent=first, subsequent_indent=" " * len(first)).splitlines() if text else []
