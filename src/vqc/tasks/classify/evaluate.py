"""How a classifier does on one split of a set: a run and a set in, an `Evaluation` out."""

from __future__ import annotations

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.runs import Run
from vqc.tasks.classify import findings
from vqc.tasks.classify.answers import Answer, Crops
from vqc.tasks.classify.findings import Seen
from vqc.tasks.classify.samples import Pixels, by_image, numbers, samples_of
from vqc.tasks.classify.trained import Trained, load
from vqc.tasks.contract import Evaluation, Prediction


def evaluate(run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
    """Score a classifier on one split, on crops where it learnt from crops.

    Metrics and those of each class are of all pictures that show a class, each by its likeliest
    class, whatever its probability. Confusion, mistakes and `with none` are taken at the run's
    threshold, chosen on its own val: below it the answer is "none of these", which is right for
    backgrounds. Raises InputError for pictures or weights that do not fit.
    """
    classes = dataset.manifest.classes
    if run.classes != classes:
        raise InputError(
            f"{run.folder} knows the classes {', '.join(run.classes)}, the set has "
            f"{', '.join(classes)}; expected the same in the same order"
        )
    trained = load(run.weights, run.classes, device)
    samples = samples_of(dataset, (split,), trained.cropping)[split]
    if not samples:
        raise InputError(f"{dataset.folder}: {split} holds no frame to score on")
    margin = 0.0 if trained.cropping is None else trained.cropping.margin
    shares = trained.shares_of(Pixels(dataset, samples, trained.imgsz, margin))
    seen = Seen(tuple(samples), shares, numbers(samples, classes), trained.threshold, classes)
    return Evaluation(
        split=split,
        frames=len(dataset.frames(split)),
        metrics=findings.metrics(seen),
        per_class=findings.per_class(seen),
        threshold=trained.threshold,
        confusion=findings.confusion(seen),
        curves=findings.curves(seen),
        groups=findings.groups(seen),
        mistakes=findings.mistakes(seen),
        predictions=_predictions(seen, trained),
    )


def _predictions(seen: Seen, trained: Trained) -> tuple[Prediction, ...]:
    """One an image: the answer for it, or those for its boxes."""
    found: list[Prediction] = []
    for image, places in by_image(seen.samples):
        answers = [_answer(seen, place, trained) for place in places]
        boxes = [seen.samples[place].box for place in places]
        crops = [(box, a) for box, a in zip(boxes, answers, strict=True) if box is not None]
        found.append(Crops(image, tuple(crops)) if crops else answers[0])
    return tuple(found)


def _answer(seen: Seen, place: int, trained: Trained) -> Answer:
    image = seen.samples[place].frame.image
    return Answer(image, trained.classes, seen.shares[place], trained.threshold)
