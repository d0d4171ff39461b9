"""Variational latents and stablemax: the divergence, the bound, trajectories from the prior, the other softmax."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the lab's models need PyTorch: pip install 'lawful[lab]'")

from lawful.lab.answer import solved  # noqa: E402
from lawful.lab.config import config, key  # noqa: E402
from lawful.lab.latent import divergence  # noqa: E402
from lawful.lab.losses import answer_loss, probabilities  # noqa: E402
from lawful.lab.models import build  # noqa: E402
from lawful.lab.shape import Shape  # noqa: E402
from lawful.lab.tasks import task  # noqa: E402
from lawful.lab.train import Training, train  # noqa: E402
from lawful.laws.inference import pass_at_k  # noqa: E402

PUZZLES = {
    "colouring": {"nodes": 4, "edges": [2]},
    "queens": {"n": 5, "hidden": [2, 5]},
}
GIVEN = {"width": 16, "depth": 1, "loops": 2, "noise": 0.5, "latent": "variational", "batch": 32, "eval_sequences": 128}


def test_the_divergence_is_that_of_pytorch_and_never_negative():
    torch.manual_seed(0)
    q, p = ((torch.randn(500, 6), torch.randn(500, 6)) for _ in range(2))
    exact = torch.distributions.kl_divergence(
        torch.distributions.Normal(q[0], q[1].exp()), torch.distributions.Normal(p[0], p[1].exp())
    ).sum(-1)
    assert torch.allclose(divergence(q, p), exact, rtol=1e-4) and (divergence(q, p) >= 0).all()
    assert torch.equal(divergence(q, q), torch.zeros(500))


def test_prior_posterior_and_their_view_of_the_answer_are_all_trained():
    given = config({"task": "colouring", "knobs": PUZZLES["colouring"], **GIVEN})
    training = Training(given, given.built_task)
    latent = training.model.latent
    before = {name: p.clone() for name, p in latent.named_parameters()}
    for training.step in range(8):
        training.one_step()
    assert all(not torch.equal(p, before[name]) for name, p in latent.named_parameters())
    assert latent.kl > 0


@pytest.mark.parametrize("name", list(PUZZLES))
def test_the_bound_falls_and_stays_above_the_floor(name):
    given = {"task": name, "knobs": PUZZLES[name], **GIVEN, "answers": 16}
    begun, trained = (train(config({**given, "steps": n})) for n in (1, 150))
    assert begun["bound"] > trained["bound"] > trained["bayes_loss"] and trained["kl"] >= 0
    tries = np.array(trained["solved"]["right"])
    coverage = [pass_at_k(16, tries, k).mean() for k in (1, 4, 16)]
    assert coverage[0] < coverage[1] < coverage[2]
    cheap = train(config({**given, "steps": 150, "kl_weight": 0.01}))
    assert cheap["kl"] > 0.1 + trained["kl"]  # latents that cost little say what the answer is


def test_trajectories_are_drawn_from_the_prior_by_seed():
    t = task("queens", PUZZLES["queens"])
    model = build(Shape(**{k: GIVEN[k] for k in ("width", "depth", "loops", "noise", "latent")}), t).eval()
    torch.nn.init.normal_(model.readout.weight)
    x = torch.from_numpy(t.batch(np.random.default_rng(0), 4)[0])

    def drawn(seed, tokens=x):
        torch.manual_seed(seed)
        with torch.no_grad():
            return model.hidden(tokens, noisy=True)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))
    other = x.clone()
    other[:, 7:] = 0
    assert torch.allclose(drawn(1)[:, :7], drawn(1, other)[:, :7], atol=1e-5)  # what was written keeps its latents
    given = config({"task": "queens", "knobs": PUZZLES["queens"], **GIVEN, "answers": 4})
    assert solved(model, t, given) == solved(model, t, given)
    with torch.no_grad():
        assert torch.equal(model.hidden(x), model.hidden(x))  # a calm pass takes the mean of the prior


def test_stablemax_is_a_distribution_that_keeps_the_order():
    x = torch.tensor([[-30.0, -1.0, 0.0, 1.0, 50.0]], dtype=torch.double, requires_grad=True)
    p = probabilities(x, "stablemax")
    s = torch.tensor([1 / 31, 1 / 2, 1.0, 2.0, 51.0], dtype=torch.double)
    assert torch.allclose(p[0], s / s.sum())
    for y in range(5):
        (slope,) = torch.autograd.grad(answer_loss(x, torch.tensor([y]), "stablemax"), x, retain_graph=True)
        assert slope.isfinite().all() and slope[0, y] < 0
    assert torch.autograd.gradcheck(lambda v: probabilities(v, "stablemax").log(), x)
    assert torch.equal(probabilities(x, "cross_entropy"), x.softmax(-1))


def test_a_model_is_trained_and_scored_with_its_own_softmax():
    given = {"task": "swaps", "knobs": {"steps": 2}, "width": 16, "depth": 1, "batch": 64, "eval_sequences": 256}
    begun, trained = (train(config({**given, "steps": n, "loss": "stablemax"})) for n in (1, 150))
    plain = train(config({**given, "steps": 150}))
    assert trained["loss"] < 0.7 * begun["loss"] and trained["loss"] != plain["loss"]
    assert trained["curve"][-1][1] == pytest.approx(trained["loss"], rel=0.2)


def test_settings_left_alone_rename_no_run():
    plain = {"task": "colouring", "width": 16, "noise": 0.5}
    assert key(config(plain)) == key(config({**plain, "loss": "cross_entropy", "latent": "noise", "kl_weight": 1.0}))
    others = [{"loss": "stablemax"}, {"latent": "variational"}, {"latent": "variational", "kl_weight": 0.1}]
    assert len({key(config({**plain, **one})) for one in [{}, *others]}) == 4


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"loss": "stable"}, "loss is 'stable'; it must be one of 'cross_entropy', 'stablemax'"),
        ({"latent": "gauss"}, "latent is 'gauss'; it must be one of noise, variational"),
        ({"latent": "variational"}, "starts from a deviation above 0"),
        ({"kl_weight": -1.0}, "kl_weight is -1.0; it must be 0 or more"),
        ({"loss": "stablemax", "datastore": [8]}, "leave loss at 'cross_entropy'"),
    ],
)
def test_what_cannot_be_is_explained(wrong, words):
    with pytest.raises(ValueError, match=words):
        config({"task": "swaps", **wrong})
