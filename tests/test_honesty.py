"""Which scores are honest: cases known beforehand, and random sets against a plain checker."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import frame as photo
from pools import render, write

from vqc.dataset import Dataset, dataset_from, open_dataset
from vqc.errors import HonestyError, InputError, VqcError
from vqc.honesty import Verdict, judge, require_honest
from vqc.types import Annotation, Frame, Manifest

HONEST = Verdict((), "")


def dataset(*frames: Frame, name: str = "both") -> Dataset:
    """A set without a folder; one name, one hash."""
    manifest = Manifest("mix", name, ("a",), frames, "0" * 64, "vqc 0.1.0")
    return Dataset(Path(name), manifest, name.ljust(64, "0"))


def some(split: str, count: int = 2, session: str | None = None, **fields: Any) -> list[Frame]:
    """Photos of a shoot, by default of one of their own for each split."""
    name = fields.pop("name", split)
    return [
        photo(f"{name}{k}", ("a",), session=session or f"{split}-shoot", split=split, **fields)
        for k in range(count)
    ]


def run_set(*more: Frame) -> Dataset:
    """Renders and photos that train, and photos of other shoots that choose and test."""
    renders = [render(f"r{k}", "a", "qf-3f2a", split="train") for k in range(3)]
    return dataset(*renders, *some("train"), *some("val"), *some("test"), *more)


RUN = run_set()


def other(*frames: Frame) -> Verdict:
    """The verdict on another set than the run's."""
    return judge(RUN, dataset(*frames, name="other"), "test")


def test_a_test_split_of_its_own_shoot_is_honest():
    assert judge(RUN, RUN, "test") == HONEST
    assert HONEST.honest and HONEST.mark == ""


def test_another_set_may_hold_the_runs_own_test_frames():
    assert other(*RUN.frames("test"), *some("test", name="new", session="new")) == HONEST


def test_what_trained_and_what_chose_gives_no_honest_score():
    assert judge(RUN, RUN, "train").reasons == (
        "this split trained",
        "3 of 5 frames are renders",
    )
    assert judge(RUN, RUN, "val") == Verdict(
        ("this split chose the epoch",), "not an honest score: val split"
    )


def test_only_test_is_meant_for_scores():
    new = dataset(*some("val", name="n", session="n"), *some("train", name="m", session="m"))
    new = replace(new, sha256="f" * 64)
    assert judge(RUN, new, "val").reasons == ("split val is meant for choosing",)
    assert judge(RUN, new, "train") == Verdict(
        ("split train is meant for training",), "not an honest score: train split"
    )


def test_val_cut_out_of_a_training_shoot_is_told_once():
    cut = some("val", 3, session="december", same_shoot=True)
    mixed = dataset(*some("train", session="december"), *cut)
    assert judge(mixed, mixed, "val") == Verdict(
        ("this split chose the epoch", "all 3 frames are of shoot december, which trained"),
        "not an honest score: val split, same shoot",
    )


def test_a_mark_of_same_shoot_counts_without_the_shoot():
    verdict = other(*some("test", 3, name="x"), *some("test", 1, name="y", same_shoot=True))
    assert verdict == Verdict(
        ("1 of 4 frames is marked same shoot",), "not an honest score: same shoot"
    )


def test_renders_and_simulated_photos_are_told_apart():
    cad = [render(f"t{k}", "a", "new", split="test") for k in range(2)]
    fake = some("test", 3, name="s", source="cad", simulated=True)
    assert other(*cad, *fake, *some("test", 5)) == Verdict(
        ("2 of 10 frames are renders", "3 of 10 frames are simulated photos"),
        "not an honest score: renders, simulated photos",
    )
    assert other(*fake).reasons == ("all 3 frames are simulated photos",)
    assert other(cad[0]).reasons == ("the only frame is a render",)
    assert other(fake[0], *some("test", 1)).reasons == ("1 of 2 frames is a simulated photo",)


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ("train-shoot", "shoot train-shoot, which trained"),
        ("val-shoot", "shoot val-shoot, which chose the epoch"),
        ("qf-3f2a", "shoot qf-3f2a, which trained"),  # a batch of renders of that name
        ("test-shoot", None),
    ],
)
def test_a_shoot_that_trained_or_chose(session, told):
    verdict = other(*some("test", 2, name="n"), *some("test", 4, name="m", session=session))
    expected = () if told is None else (f"4 of 6 frames are of {told}",)
    assert verdict.reasons == expected
    assert verdict.mark == ("not an honest score: same shoot" if told else "")


def test_a_batch_of_renders_is_no_shoot():
    verdict = other(render("t", "a", "qf-3f2a", split="test"))
    assert verdict == Verdict(
        ("the only frame is a render", "the only frame is of session qf-3f2a, which trained"),
        "not an honest score: renders, same shoot",
    )


def test_many_shoots_are_one_sentence_and_training_weighs_more():
    shoots = [f"s{k}" for k in range(5)]
    both = [photo(f"v{s}", ("a",), session=s, split="val") for s in [*shoots, "chose"]]
    run = dataset(*(photo(f"t{s}", ("a",), session=s, split="train") for s in shoots), *both)
    test = [photo(f"x{s}", ("a",), session=s, split="test") for s in [*shoots, "chose", "new"]]
    assert judge(run, dataset(*test, name="other"), "test").reasons == (
        "5 of 7 frames are of shoots s0, s1, s2 and 2 more, which trained",
        "1 of 7 frames is of shoot chose, which chose the epoch",
    )


def test_frames_of_the_run_that_did_nothing_do_not_count():
    idle = [photo("idle", ("a",), session="idle"), *some("test", 1, session="idle", name="i")]
    seen = [replace(f, split="test") for f in idle]
    assert judge(run_set(*idle), dataset(*seen, name="other"), "test") == HONEST


# Pictures ---------------------------------------------------------------------------------


def near(frame: Frame, bits: int) -> str:
    return f"{int(frame.phash, 16) ^ ((1 << bits) - 1):016x}"


def as_test(frame: Frame, **fields: Any) -> Frame:
    """A photo of a new shoot that looks like a frame of the run."""
    fields = {"session": "new", "split": "test", "sha256": "e" * 64, **fields}
    return replace(frame, image="images/new.jpg", **fields)


TRAINED, CHOSE = RUN.frames("train")[3], RUN.frames("val")[0]


@pytest.mark.parametrize(
    ("frame", "deed", "name"), [(TRAINED, "trained", "train0"), (CHOSE, "chose the epoch", "val0")]
)
def test_the_same_bytes_under_another_name(frame, deed, name):
    copy = as_test(frame, sha256=frame.sha256, phash="0" * 16, objects=None)
    assert other(copy, *some("test", 2)) == Verdict(
        (f"1 picture is the same as one that {deed}: new.jpg = {name}.jpg",),
        "not an honest score: same pictures",
    )


def test_the_same_bytes_count_for_renders_too():
    copy = as_test(RUN.frames("train")[0], sha256=RUN.frames("train")[0].sha256)
    assert other(copy).reasons[1:] == (
        "1 picture is the same as one that trained: new.jpg = r0.jpg",
    )


OTHER_PLACE = (Annotation("a", box_xyxy=(300.0, 0.0, 500.0, 100.0)),)
OTHER_CLASS = (Annotation("b", box_xyxy=(0.0, 0.0, 200.0, 100.0)),)
NEARLY_THERE = (Annotation("a", box_xyxy=(5.0, 2.0, 205.0, 101.0)),)


@pytest.mark.parametrize(
    ("bits", "objects", "same"),
    [
        (0, OTHER_PLACE, True),  # one picture, labelled twice
        (6, TRAINED.objects, True),
        (6, NEARLY_THERE, True),
        (7, TRAINED.objects, False),
        (1, OTHER_PLACE, False),
        (1, OTHER_CLASS, False),
        (1, (), False),
        (1, TRAINED.objects * 2, False),
    ],
)
def test_a_near_hash_needs_labels_that_agree_an_equal_one_does_not(bits, objects, same):
    copy = as_test(TRAINED, phash=near(TRAINED, bits), objects=objects)
    told = "1 picture is (nearly) the same as one that trained: new.jpg = train0.jpg"
    assert other(copy).reasons == ((told,) if same else ())


def test_labels_are_compared_in_shares_of_the_frame():
    large = replace(TRAINED, objects=(Annotation("a", box_xyxy=(300.0, 200.0, 500.0, 400.0)),))
    half = (Annotation("a", box_xyxy=(150.0, 100.0, 250.0, 200.0)),)
    small = as_test(TRAINED, phash=near(TRAINED, 2), objects=half, width=320, height=240)
    assert not judge(dataset(large), dataset(small, name="other"), "test").honest
    same_size = replace(small, width=640, height=480)
    assert judge(dataset(large), dataset(same_size, name="other"), "test").honest


def test_labels_of_whole_pictures_are_labels():
    good, crack = (replace(TRAINED, objects=None, label=name) for name in ("good", "crack"))
    scored = as_test(good, phash=near(good, 2))
    assert not judge(dataset(good), dataset(scored, name="other"), "test").honest
    assert judge(dataset(crack), dataset(scored, name="other"), "test").honest


def test_conditions_of_which_nothing_more_is_known_are_labels():
    """A good part and a broken one look alike, and are two pictures."""
    good, crack = (replace(TRAINED, objects=None, condition=name) for name in ("good", "crack"))
    scored = as_test(good, phash=near(good, 2))
    assert not judge(dataset(good), dataset(scored, name="other"), "test").honest
    assert judge(dataset(crack), dataset(scored, name="other"), "test").honest


def test_a_render_that_looks_like_a_photo_is_another_picture():
    """The outlines coincide; only a photo can be a photo's copy."""
    look = as_test(TRAINED, phash=RUN.frames("train")[0].phash)
    assert other(look) == HONEST
    stand_in = replace(RUN.frames("train")[0], simulated=True)
    assert not judge(dataset(stand_in), dataset(look, name="other"), "test").honest


def test_plain_pictures_have_hashes_that_tell_nothing():
    plain = replace(TRAINED, phash="0" * 15 + "1")
    assert judge(dataset(plain), dataset(as_test(plain), name="other"), "test") == HONEST


def test_the_nearest_copy_is_named_and_only_three():
    far = replace(TRAINED, image="images/far.jpg", sha256="c" * 64, phash=near(TRAINED, 3))
    copies = [
        replace(as_test(TRAINED, sha256=f"{k:064x}"), image=f"images/test/c{k}.jpg")
        for k in range(1, 5)
    ]
    verdict = judge(dataset(far, TRAINED), dataset(*copies, name="other"), "test")
    assert verdict.reasons == (
        "4 pictures are (nearly) the same as ones that trained: c1.jpg = train0.jpg, "
        "c2.jpg = train0.jpg, c3.jpg = train0.jpg, …",
    )


def test_a_leak_inside_the_runs_own_set_is_found():
    copy = as_test(TRAINED, sha256=TRAINED.sha256)
    run = run_set(copy)
    assert judge(run, run, "test").mark == "not an honest score: same pictures"
    choosing = run_set(replace(copy, split="val"))
    assert judge(choosing, choosing, "val").mark == "not an honest score: val split, same pictures"


# The gate ---------------------------------------------------------------------------------


def test_a_split_without_frames_is_the_users_mistake():
    with pytest.raises(InputError) as caught:
        judge(RUN, dataset(*some("train", 3), photo("x"), name="shots"), "test")
    message = str(caught.value)
    assert message.startswith("shots: the set holds no frame of split test: it has 3 of train;")
    assert "vqc mix" in message
    with pytest.raises(InputError, match="it has no frame of any split"):
        judge(RUN, dataset(photo("x")), "test")
    with pytest.raises(InputError, match="no frame of split tset"):
        judge(RUN, RUN, "tset")


def test_the_gate_lists_every_reason_and_says_what_to_do():
    verdict = judge(RUN, RUN, "train")
    with pytest.raises(HonestyError) as caught:
        require_honest(verdict, insist=False)
    message = str(caught.value)
    assert all(f"\n  {reason}\n" in message for reason in verdict.reasons)
    assert "--anyway" in message and "a shoot that neither trained nor chose" in message
    assert isinstance(caught.value, VqcError) and caught.value.exit_code == 1


def test_the_gate_is_open_for_honest_scores_and_for_those_who_insist():
    require_honest(HONEST, insist=False)
    require_honest(judge(RUN, RUN, "train"), insist=True)


def test_a_runs_copy_of_the_manifest_is_enough(tmp_path):
    """The set is known again by its hash, though its folder is gone."""
    frames = RUN.manifest.frames
    folder = write(tmp_path / "both", *frames, kind="mix")
    scored = open_dataset(folder)
    trained = dataset_from((folder / "manifest.jsonl").read_bytes(), tmp_path / "runs/x")
    assert judge(trained, scored, "test") == HONEST
    assert judge(trained, scored, "val").reasons == ("this split chose the epoch",)


# What the start weights have seen ---------------------------------------------------------

BEFORE = dataset(
    *some("train", 2, "january", name="j"), *some("val", 1, "march", name="m"),
    *some("test", 2, "april", name="p"), name="before",
)  # fmt: skip
"""What trained the weights that a run on RUN started from; april only scored them."""


def after(*frames: Frame) -> Verdict:
    return judge(RUN, dataset(*frames, name="other"), "test", [BEFORE])


@pytest.mark.parametrize(
    ("session", "did"), [("january", "trained"), ("march", "chose")]
)  # fmt: skip
def test_a_shoot_that_the_start_weights_have_seen_is_not_new(session, did):
    assert after(*some("test", 3, session, name="x")) == Verdict(
        (f"all 3 frames are of shoot {session}, which {did} the weights it started from",),
        "not an honest score: same shoot",
    )
    assert other(*some("test", 3, session, name="x")) == HONEST


def test_a_picture_that_the_start_weights_have_seen_is_not_new():
    copy = replace(BEFORE.frames("train")[0], session="june", split="test")
    (reason,) = after(copy).reasons
    assert reason.startswith("1 picture is the same as one that trained the weights it started")


def test_a_shoot_that_the_run_calls_otherwise_is_not_new():
    """The same pictures train again, under another name of their shoot."""
    again = [replace(f, session="winter") for f in BEFORE.frames("train")]
    new = dataset(*some("test", 1, "january", name="x"), name="other")
    (reason,) = judge(run_set(*again), new, "test", [BEFORE]).reasons
    assert reason == "the only frame is of shoot january, which trained the weights it started from"


def test_what_only_scored_the_start_weights_is_new():
    assert after(*BEFORE.frames("test")) == HONEST
    assert judge(RUN, RUN, "test", [BEFORE]) == HONEST


def test_start_weights_of_the_same_set_say_nothing_more():
    for split in ("train", "val", "test"):
        assert judge(RUN, RUN, split, [replace(RUN, folder=Path("x"))]) == judge(RUN, RUN, split)
    grown = dataset(*RUN.manifest.frames, *some("train", 2, "january", name="j"), name="grown")
    told = judge(grown, dataset(*some("test", 1, "train-shoot", name="x"), name="o"), "test", [RUN])
    assert told.reasons == ("the only frame is of shoot train-shoot, which trained",)


# Random sets ------------------------------------------------------------------------------

LOOKS = ("00ff00ff00ff00ff", "0123456789abcdef", "fedc000000001234", "0000000000000007")
PLACES = (0.0, 8.0, 60.0)
PARTS = (0.8, 0.15, 0.05)
"""Photos, renders and simulated photos."""
SEEDS = 300


def random_frame(rng: np.random.Generator, number: int, split: str | None) -> Frame:
    """One of few looks, a few bits off; one of few shoots, labels and digests."""
    source, simulated = (("real", False), ("cad", False), ("cad", True))[rng.choice(3, p=PARTS)]
    look = int(LOOKS[rng.integers(len(LOOKS))], 16)
    for bit in rng.choice(64, rng.choice([0, 1, 3, 4, 20]), replace=False).tolist():
        look ^= 1 << bit
    objects = None
    if rng.random() < 0.9:
        objects = tuple(
            Annotation("ab"[rng.integers(2)], box_xyxy=(x, 10.0, x + 100.0, 90.0))
            for x in rng.choice(PLACES, rng.integers(3)).tolist()
        )
    sha256 = f"{int(rng.integers(40)):064x}" if rng.random() < 0.1 else rng.bytes(32).hex()
    return Frame(
        image=f"images/{number:04d}.jpg", sha256=sha256, phash=f"{look:016x}",
        width=640, height=480, source=source, simulated=simulated,
        session=f"s{rng.integers(30)}", split=split, objects=objects,
        same_shoot=bool(rng.random() < 0.05), label="c" if rng.random() < 0.1 else None,
    )  # fmt: skip


def random_set(rng: np.random.Generator, name: str) -> Dataset:
    """Splits of a few frames each, so that no picture has more look-alikes than are told."""
    splits = ["train"] * rng.integers(15) + ["val"] * rng.integers(8) + ["test"] * 6 + [None] * 3
    return dataset(*(random_frame(rng, k, s) for k, s in enumerate(splits)), name=name)


def random_sets(seed: int) -> tuple[Dataset, Dataset]:
    rng = np.random.default_rng([seed, 11])
    return random_set(rng, "run"), random_set(rng, "other")


def is_photo(frame: Frame) -> bool:
    return frame.source == "real" or frame.simulated


def same_label(a: Frame, b: Frame) -> bool:
    """Labels agree: every box of the first has its like in the second."""
    labels = []
    for frame in (a, b):
        mine = [(note.class_name, note.box_xyxy) for note in frame.objects or ()]
        mine += [(frame.label, (0.0, 0.0, 640.0, 480.0))] if frame.label else []
        labels.append(mine)
    if sorted(name for name, _ in labels[0]) != sorted(name for name, _ in labels[1]):
        return False
    return all(
        any(name == other and iou(box, there) >= 0.8 for other, there in labels[1])
        for name, box in labels[0]
    )


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Counted in whole pixels."""
    canvas = np.zeros((2, 480, 640), bool)
    for layer, (x0, y0, x1, y1) in zip(canvas, (a, b), strict=True):
        layer[int(y0) : int(y1), int(x0) : int(x1)] = True
    return float((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum())


def same_picture(a: Frame, b: Frame) -> bool:
    """Whether a scored frame is one that the run has seen."""
    if a.sha256 == b.sha256:
        return True
    ones = [f"{int(frame.phash, 16):b}".count("1") for frame in (a, b)]
    if not (is_photo(a) and is_photo(b)) or min(ones) < 8:
        return False
    bits = f"{int(a.phash, 16) ^ int(b.phash, 16):b}".count("1")
    return bits == 0 or (bits <= 6 and same_label(b, a))


def plain_counts(trained: Dataset, scored: Dataset, split: str) -> dict[str, int]:
    """How many frames each rule touches, frame by frame."""
    own = trained.sha256 == scored.sha256
    train, val = (
        [] if own and split in ("train", name) else trained.frames(name)
        for name in ("train", "val")
    )
    counts = dict.fromkeys(
        ("split", "renders", "simulated", "trained shoot", "chose shoot", "marked",
         "trained picture", "chose picture"), 0
    )  # fmt: skip
    counts["split"] = int(split != "test")
    for frame in scored.frames(split):
        counts["renders"] += not is_photo(frame)
        counts["simulated"] += frame.simulated
        if any(frame.session == seen.session for seen in train):
            counts["trained shoot"] += 1
        elif any(frame.session == seen.session for seen in val):
            counts["chose shoot"] += 1
        else:
            counts["marked"] += frame.same_shoot
        counts["trained picture"] += any(same_picture(frame, seen) for seen in train)
        counts["chose picture"] += any(same_picture(frame, seen) for seen in val)
    return {name: count for name, count in counts.items() if count}


PATTERNS = {
    "split": r"this split |split \w+ is meant",
    "renders": r".* (a render|renders)$",
    "simulated": r".* simulated photos?$",
    "trained shoot": r".*(shoot|session)s? .*, which trained$",
    "chose shoot": r".*(shoot|session)s? .*, which chose the epoch$",
    "marked": r".* marked same shoot$",
    "trained picture": r".* picture.* that trained: ",
    "chose picture": r".* picture.* that chose the epoch: ",
}


def told_counts(verdict: Verdict) -> dict[str, int]:
    """The numbers in the sentences."""
    told = {}
    for reason in verdict.reasons:
        (name,) = [name for name, pattern in PATTERNS.items() if re.match(pattern, reason)]
        number = re.match(r"(?:all )?(\d+) ", reason)
        told[name] = int(number[1]) if number else 1
    return told


@pytest.mark.parametrize("start", range(0, SEEDS, 30))
def test_random_sets_are_judged_as_by_a_plain_checker(start):
    for seed in range(start, start + 30):
        trained, another = random_sets(seed)
        for scored in (trained, another):
            for split in ("train", "val", "test"):
                if scored.frames(split):
                    verdict = judge(trained, scored, split)
                    expected = plain_counts(trained, scored, split)
                    assert told_counts(verdict) == expected, f"seed {seed}, split {split}"
                    assert verdict.honest == (not verdict.reasons) == (not verdict.mark)


def test_the_random_sets_meet_every_rule():
    """What the test above compares does occur, the honest score too."""
    met, honest = set(), 0
    for seed in range(SEEDS):
        counts = plain_counts(*random_sets(seed), "test")
        met |= counts.keys()
        honest += not counts
    assert met | {"split"} == PATTERNS.keys() and honest > 5
