"""Draws are nested and balanced, splits keep sessions whole, and what is missing is told."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pools import frame, names, pool, render, write

from vqc.cli.mix import _rows
from vqc.errors import InputError, LeakError, ManifestError
from vqc.manifest import read_manifest, write_manifest
from vqc.mix import Plan, Request, SplitRules, find_sets, plan, read_pool

TRAIN, VAL, TEST = range(3)
LOOSE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def parts(classes=3, each=30, files=2):
    """Renders: `each` of every class, from several STEP files."""
    return [
        render(f"{c}_{k}", f"c{c}", f"c{c}f{k % files}")
        for c in range(classes)
        for k in range(each)
    ]


def photos(classes=3, each=30, empty=30, sessions=3):
    made = [
        frame(f"p{c}_{k}", (f"c{c}",), session=f"s{k % sessions}")
        for c in range(classes)
        for k in range(each)
    ]
    return made + [frame(f"e{k}", (), session=f"s{k % sessions}") for k in range(empty)]


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return pool(tmp_path_factory.mktemp("usual"), *parts(), *photos())


def train(made: Plan) -> set[str]:
    return names(made.pool, made.rows_in(TRAIN))


def test_the_original_study_s_words(usual):
    """--cad 30 --real 5: 30 renders in all, 5 photos of each class and 5 backgrounds."""
    made = plan(usual, Request(cad=30, real=5))
    assert made.table() == [
        ("c0", 10, 5, 0, 0), ("c1", 10, 5, 0, 0), ("c2", 10, 5, 0, 0),
        ("(background)", 0, 5, 0, 0), ("all frames", 30, 20, 0, 0),
    ]  # fmt: skip
    assert plan(usual, Request(real=5, background=2)).table()[-2:] == [
        ("(background)", 0, 2, 0, 0), ("all frames", 0, 17, 0, 0)
    ]  # fmt: skip
    assert plan(usual, Request(real=5, ratio=1.5)).table()[-1] == ("all frames", 30, 20, 0, 0)


@given(
    sizes=st.lists(st.integers(20, 40), min_size=1, max_size=6),
    files=st.integers(1, 5),
    cad=st.integers(1, 100),
    seed=st.integers(0, 2**40),
)
@LOOSE
def test_renders_are_balanced_over_classes_then_over_step_files(
    tmp_path_factory, sizes, files, cad, seed
):
    cad = min(cad, 20 * len(sizes))
    made_up = [
        render(f"{c}_{k}", f"c{c}", f"c{c}f{k % files}")
        for c, size in enumerate(sizes)
        for k in range(size)
    ]
    drawn_from = pool(tmp_path_factory.mktemp("p"), *made_up)
    made = plan(drawn_from, Request(cad=cad, seed=seed))
    rows = made.rows_in(TRAIN, cad=True)
    counts = [int((drawn_from.primary[rows] == c).sum()) for c in range(len(sizes))]
    assert sum(counts) == cad and max(counts) - min(counts) <= 1
    for c in range(len(sizes)):
        mine = rows[drawn_from.primary[rows] == c].tolist()
        there = {drawn_from.sessions[s] for s in drawn_from.session.tolist()}
        by_file = [
            sum(drawn_from.sessions[drawn_from.session[r]] == name for r in mine)
            for name in there
            if name.startswith(f"c{c}f")
        ]
        # Frames of the files were dealt out in turn, so none runs out before the draw is done.
        assert max(by_file) - min(by_file) <= 1


@given(
    shown=st.lists(st.sets(st.integers(0, 3), max_size=3), min_size=1, max_size=60).filter(any),
    less=st.integers(0, 8),
    more=st.integers(0, 8),
    seed=st.integers(0, 99),
)
@LOOSE
def test_a_larger_draw_of_photos_holds_the_smaller(tmp_path_factory, shown, less, more, seed):
    """Photos show up to three classes; every class gets its number or all there are."""
    made_up = [
        frame(f"p{k}", tuple(f"c{c}" for c in sorted(classes))) for k, classes in enumerate(shown)
    ]
    drawn_from = pool(tmp_path_factory.mktemp("p"), *made_up)
    small, large = (
        plan(drawn_from, Request(real=n, seed=seed, allow_short=True, background=n or 1))
        for n in (less, less + more)
    )
    assert train(small) <= train(large)
    for name, _, count, _, _ in large.table()[:-2]:
        there = sum(int(name[1:]) in classes for classes in shown)
        assert count >= min(less + more, there)
    needed = 4 * (less + more)
    assert len(large.rows) - sum(not c for c in shown) <= needed


def test_growing_renders_keep_what_was_there(usual):
    drawn = [train(plan(usual, Request(cad=n))) for n in (1, 7, 20, 61, 90)]
    assert all(a < b for a, b in itertools.pairwise(drawn))
    both = train(plan(usual, Request(cad=20, real=5)))
    assert drawn[2] < both < train(plan(usual, Request(cad=20, real=9)))


def test_the_seed_decides_and_the_order_of_listing_does_not(tmp_path):
    made_up = [*parts(), *photos()]
    first = pool(tmp_path / "a", *made_up)
    random.Random(1).shuffle(made_up)
    halves = [f for f in made_up if f.source == "cad"], [f for f in made_up if f.source == "real"]
    write(tmp_path / "b" / "parts", *halves[0], kind="render")
    write(tmp_path / "b" / "photos", *halves[1])
    write(tmp_path / "b" / "unrelated", frame("x", None))
    second = read_pool([tmp_path / "b" / n for n in ("unrelated", "photos", "parts")])
    request = Request(cad=20, real=5)
    assert train(plan(first, request)) == train(plan(second, request))
    assert train(plan(first, request)) != train(plan(first, Request(cad=20, real=5, seed=1)))


@pytest.mark.parametrize("cad", [1, 2, 4])
def test_the_name_of_a_set_decides_nothing(tmp_path, cad):
    """Classes are numbered as they come, but take turns by their own names."""
    drawn = []
    for names_ in (("a", "b"), ("z", "b")):
        folders = [
            write(tmp_path / str(cad) / n / n, *mine, kind="render")
            for n, mine in zip(
                names_,
                (
                    [render(f"x{k}", "x") for k in range(9)],
                    [render(f"y{k}", "y") for k in range(9)],
                ),
                strict=True,
            )
        ]
        made = plan(read_pool(folders), Request(cad=cad))
        drawn.append({name.partition("/")[2] for name in train(made)})
        for folder in folders:
            shutil.rmtree(folder)
    assert drawn[0] == drawn[1]


def test_copies_do_not_hide_a_shortage(tmp_path):
    twins = [frame(f"t{k}", ("c0",), sha256="ab" * 32) for k in range(3)]
    with pytest.raises(InputError, match="wanted 3 photos that train, there are 1"):
        plan(pool(tmp_path, *twins), Request(real=3, background=0))


def test_sets_may_be_given_in_any_order(tmp_path):
    """Also where photos show several classes, where copies are about, and for class numbers."""
    shown = [("c2", "c0"), ("c1",), ("c0", "c1"), ("c1", "c2")]
    copies = [frame(f"b{k}", shown[k % 4], sha256=f"{k:064x}") for k in range(8)]
    sets = (
        write(tmp_path / "x", *(frame(f"a{k}", shown[k % 4]) for k in range(40)), name="one"),
        write(tmp_path / "y", *copies, name="two"),
        write(tmp_path / "z", *(replace(f, session="hall") for f in copies), name="three"),
        write(tmp_path / "w", *parts(), name="parts", kind="render"),
    )
    made = [
        plan(read_pool(order), Request(cad=10, real=4, allow_short=True))
        for order in itertools.permutations(sets)
    ]
    assert {one.classes for one in made} == {("c0", "c1", "c2")}
    assert len({frozenset(names(one.pool, one.rows)) for one in made}) == 1


def test_new_photos_do_not_change_the_order_of_the_others(tmp_path):
    old = photos(classes=1, each=20, empty=0)
    new = [frame(f"new{k}", ("c0",)) for k in range(20)]
    few = train(plan(pool(tmp_path / "a", *old), Request(real=10)))
    more = train(plan(pool(tmp_path / "b", *old, *new), Request(real=10)))
    fresh = {name for name in more if "/new" in name}
    assert fresh and more - fresh < few


def test_a_photo_with_several_classes_counts_for_each(tmp_path):
    both = [frame(f"b{k}", ("c0", "c1")) for k in range(10)]
    made = plan(pool(tmp_path, *both, frame("only", ("c1",))), Request(real=6, background=0))
    assert made.table()[-1][2] in (6, 7) and all(row[2] >= 6 for row in made.table()[:2])


def test_sessions_go_to_one_split_whole(usual):
    rules = SplitRules(val=("s1",), test=("s2",))
    made = plan(usual, Request(cad=9, real=5, splits=rules))
    sessions = {
        split: {usual.sessions[s] for s in usual.session[made.rows_in(split, cad=False)]}
        for split in (TRAIN, VAL, TEST)
    }
    assert sessions == {TRAIN: {"s0"}, VAL: {"s1"}, TEST: {"s2"}}
    assert not made.same_shoot.any()
    assert made.table()[0] == ("c0", 3, 5, 10, 10)
    limited = plan(
        usual, Request(cad=9, real=5, splits=rules, per_class_val=4, per_class_test=None)
    )
    assert limited.table()[0] == ("c0", 3, 5, 4, 10)
    assert limited.table()[-2] == ("(background)", 0, 5, 4, 10)


def test_splits_given_at_intake_are_kept(tmp_path):
    made_up = [
        frame(f"{split}{k}", ("c0",), session=f"shop-{split}", split=split)
        for split in ("train", "val", "test")
        for k in range(5)
    ]
    made = plan(pool(tmp_path, *made_up), Request(real=3, background=0))
    assert made.table()[-1] == ("all frames", 0, 3, 5, 5)
    named = plan(pool(tmp_path / "b", *made_up),
                 Request(real=3, background=0, splits=SplitRules(test=("shop-train",)),
                         allow_short=True))  # fmt: skip
    assert named.table()[-1] == ("all frames", 0, 0, 5, 10)


def test_a_test_session_is_in_no_other_split(tmp_path):
    made_up = [frame(f"p{k}", ("c0",), split="test" if k < 5 else "train") for k in range(10)]
    made = plan(pool(tmp_path, *made_up), Request(real=3, background=0))
    assert made.table()[-1] == ("all frames", 0, 3, 0, 0)
    assert any("5 photos marked test stay out" in note for note in made.notes)


def test_a_session_that_a_fraction_takes_for_test_is_in_no_other_split(tmp_path):
    """Its photos that were given as val, or as test, go along."""
    given_splits = ("train", "val", "test")
    made_up = [
        frame(f"{s}{k}", ("c0",), session=s, split=given_splits[k % 3])
        for s in ("one", "two", "three")
        for k in range(9)
    ]
    drawn_from = pool(tmp_path, *made_up)
    rules = SplitRules(test_fraction=0.2)
    made = plan(drawn_from, Request(real=2, background=0, splits=rules))
    tested, other = (
        {drawn_from.sessions[s] for s in drawn_from.session[rows]}
        for rows in (made.rows_in(TEST), made.rows[made.split != TEST])
    )
    assert len(tested) == 1 and len(made.rows_in(TEST)) == 9 and not tested & other
    assert any("6 photos marked test stay out" in note for note in made.notes)


def test_a_test_session_that_renders_have_too_is_refused(tmp_path):
    made_up = [
        *(render(f"r{k}", "c0", "hall") for k in range(3)),
        *(frame(f"p{k}", ("c0",), session=("hall", "shop")[k % 2]) for k in range(8)),
    ]
    drawn_from, rules = pool(tmp_path, *made_up), SplitRules(test=("hall",))
    with pytest.raises(InputError, match="session hall is a shoot that tests and a batch of"):
        plan(drawn_from, Request(cad=3, real=2, background=0, splits=rules))


def test_only_val_of_a_session_that_trains_here_is_marked(tmp_path):
    """As docs/format.md has it: a session of which nothing was drawn does not count."""
    drawn_from = pool(tmp_path, *photos(classes=1, each=40, empty=0, sessions=4), *parts(1))
    rules = SplitRules(val_fraction=0.4)
    for real in (0, 1, 12):
        made = plan(drawn_from, Request(cad=4, real=real, background=0, splits=rules))
        trained = set(drawn_from.session[made.rows_in(TRAIN)].tolist())
        val = made.split == VAL
        expected = [s in trained for s in drawn_from.session[made.rows[val]].tolist()]
        assert made.same_shoot[val].tolist() == expected and not made.same_shoot[~val].any()
        assert any("same shoot" in note for note in made.notes) == (real > 0)


def test_renders_in_val_of_a_batch_that_trains_are_marked(usual):
    made = plan(usual, Request(cad=30, val_cad=9))
    assert made.same_shoot.sum() == 9


def test_the_cut_for_val_never_parts_exact_copies(tmp_path):
    one = [frame(f"a{k}", ("c0",), sha256=f"{k:064x}") for k in range(9)]
    two = [frame(f"b{k}", ("c0",), session="hall", sha256=f"{k:064x}") for k in range(9)]
    for seed in range(5):
        rules = SplitRules(val_fraction=0.5)
        drawn_from = pool(tmp_path / f"{seed}", *one, *two)
        made = plan(drawn_from, Request(real=5, background=0, splits=rules, seed=seed))
        assert len(made.rows) == 9


def test_val_cut_from_the_training_shoots_is_marked(usual):
    rules = SplitRules(test=("s2",), val_fraction=0.2)
    made = plan(usual, Request(real=5, splits=rules))
    assert made.table()[0] == ("c0", 0, 5, 4, 10)
    assert made.table()[-2] == ("(background)", 0, 5, 4, 10)
    assert made.same_shoot.sum() == 16 == len(made.rows_in(VAL))
    assert any("same shoot" in note for note in made.notes)
    wider = plan(usual, Request(real=8, splits=rules))
    assert names(usual, wider.rows_in(VAL)) == names(usual, made.rows_in(VAL))


def test_test_fraction_of_very_many_sessions(tmp_path):
    each = [frame(f"p{k}", ("c0",), session=f"p{k}") for k in range(3000)]
    rules = SplitRules(test_fraction=0.3)
    made = plan(pool(tmp_path, *each), Request(real=5, per_class_test=None, splits=rules))
    assert made.table()[-1] == ("all frames", 0, 5, 0, 900)


def test_test_fraction_takes_whole_sessions_and_leaves_one(usual):
    made = plan(usual, Request(real=5, splits=SplitRules(test_fraction=0.3)))
    tested = {usual.sessions[s] for s in usual.session[made.rows_in(TEST)]}
    trained = {usual.sessions[s] for s in usual.session[made.rows_in(TRAIN)]}
    assert len(tested) == 1 and not tested & trained
    most = plan(usual, Request(real=5, splits=SplitRules(test_fraction=0.99)))
    assert len({usual.sessions[s] for s in usual.session[most.rows_in(TRAIN)]}) == 1


def test_one_shoot_alone_works_and_says_so(tmp_path):
    made = plan(pool(tmp_path / "a", *photos(sessions=1)), Request(real=5))
    assert made.table()[-1] == ("all frames", 0, 20, 0, 0)
    assert any("(all photos are of one shoot)" in note for note in made.notes)
    one = plan(pool(tmp_path / "b", *photos(classes=1, empty=0)), Request(real=1, background=0))
    assert not any("of one shoot" in note for note in one.notes)


def test_no_background_anywhere_is_no_error(tmp_path):
    drawn_from = pool(tmp_path, *photos(empty=0))
    made = plan(drawn_from, Request(real=5))
    assert made.table()[-2] == ("(background)", 0, 0, 0, 0)
    assert any("no background photos anywhere" in note for note in made.notes)
    assert _rows(made)[-2] == ("(background: these sets have none)", 0, 0, 0, 0)
    with pytest.raises(InputError, match="backgrounds: wanted 3, there are 0"):
        plan(drawn_from, Request(real=5, background=3))


def test_too_few_frames_are_told_with_what_there_is(usual):
    with pytest.raises(InputError) as caught:
        plan(usual, Request(cad=100, real=31))
    text = str(caught.value)
    assert text.count(": wanted 34 renders, there are 30") == 1
    assert text.count(": wanted 33 renders, there are 30") == 2
    assert "class c2: wanted 31 photos that train, there are 30" in text
    assert "backgrounds: wanted 31, there are 30" in text
    assert "c0            photos  s1       real    -      10" in text
    assert "(background)  photos  s0       real    -      10" in text
    made = plan(usual, Request(cad=100, real=31, allow_short=True))
    assert made.table()[-1] == ("all frames", 90, 120, 0, 0)
    assert sum(note.startswith("fewer than asked for") for note in made.notes) == 7


def test_nothing_to_learn_from_is_an_error(tmp_path):
    only_photos = pool(tmp_path / "a", *photos())
    with pytest.raises(InputError, match="wanted 10 renders, there are none"):
        plan(only_photos, Request(cad=10, real=2))
    made = plan(only_photos, Request(cad=10, real=2, allow_short=True))
    assert made.table()[-1] == ("all frames", 0, 8, 0, 0)
    for number, objects in enumerate((None, ())):
        unknown = pool(tmp_path / str(number), *(frame(f"u{k}", objects) for k in range(5)))
        with pytest.raises(InputError, match="no frame shows any class"):
            plan(unknown, Request(real=2, allow_short=True))


def test_names_that_do_not_match_are_told(tmp_path):
    drawn_from = pool(tmp_path, render("r", "qd"), frame("p", ("QD",)))
    with pytest.raises(InputError) as caught:
        plan(drawn_from, Request(cad=1, real=1, background=0))
    assert "class QD: wanted renders, there are none" in str(caught.value)
    assert "class qd: wanted 1 photos that train, there are 0" in str(caught.value)
    assert "--class old=new" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing asked for"),
        ({"cad": -1}, "--cad: expected a whole number from 0 to 1,000,000,000, got -1"),
        ({"cad": 10**30}, "--cad: expected a whole number from 0 to"),
        ({"real": 1, "seed": -1}, "--seed: expected a whole number from 0, got -1"),
        ({"cad": 5, "ratio": 2.0}, "give one of them"),
        ({"real": 1, "ratio": -2.0}, "--ratio"),
        ({"real": 1, "ratio": float("nan")}, "--ratio"),
        ({"real": 1, "ratio": float("inf")}, "--ratio"),
        ({"real": 1, "min_visibility": 2.0}, "--min-visibility"),
        ({"real": 1, "box": "whole"}, "--box"),
        ({"real": 1, "select": "best"}, "--select"),
        ({"real": 1, "weights": Path("x.pt")}, "--weights"),
        ({"cad": "all", "ratio": 2.0}, "give one of them"),
        ({"real": 1, "unlabelled": -1}, "--unlabelled: expected a whole number from 0"),
        ({"real": "all", "select": "diverse"}, "--select diverse chooses among photos"),
    ],
)
def test_requests_that_make_no_sense(fields, message):
    with pytest.raises(InputError, match=message):
        Request(**fields)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (SplitRules(test=("s11",)), "--test s11: no photo has this session; did you mean"),
        (SplitRules(val=("s1",), test=("s1",)), "session s1 is in --val and in --test"),
        (SplitRules(val_fraction=1.0), "--val-fraction"),
        (SplitRules(test_fraction=-0.1), "--test-fraction"),
        (SplitRules(val_sessions=1.0), "--val-sessions"),
        (SplitRules(val_sessions=0.2, val_fraction=0.2), "both say what val is"),
    ],
)
def test_splits_that_make_no_sense(usual, rules, message):
    with pytest.raises(InputError, match=message):
        plan(usual, Request(real=5, splits=rules))


def test_frames_that_nobody_labelled_are_never_taken(tmp_path):
    made_up = [*photos(classes=1, each=3, empty=0), *(frame(f"u{k}", None) for k in range(9))]
    made = plan(pool(tmp_path, *made_up), Request(real=9, allow_short=True))
    assert made.table()[-1] == ("all frames", 0, 3, 0, 0)


@pytest.mark.parametrize("real", ["all", 0])
def test_unlabelled_photos_train_where_they_are_asked_for(tmp_path, real):
    made_up = [*photos(classes=1, each=4, empty=0), *(frame(f"u{k}", None) for k in range(9))]
    drawn_from = pool(tmp_path, *made_up)
    made = plan(drawn_from, Request(real=real, background=0, unlabelled="all"))
    drawn = 4 if real else 0
    assert made.table() == [
        ("c0", 0, drawn, 0, 0), ("(nobody labelled it)", 0, 9, 0, 0), ("(background)", 0, 0, 0, 0),
        ("all frames", 0, drawn + 9, 0, 0),
    ]  # fmt: skip
    few, more = (train(plan(drawn_from, Request(unlabelled=n))) for n in (3, 6))
    assert len(few) == 3 and few < more and len(more) == 6
    with pytest.raises(InputError, match="nobody labelled: wanted 10, there are 9"):
        plan(drawn_from, Request(unlabelled=10))
    assert len(plan(drawn_from, Request(unlabelled=10, allow_short=True)).rows) == 9


def test_unlabelled_photos_never_come_from_shoots_that_test_or_choose(tmp_path):
    made_up = photos(classes=1, each=30, empty=0)  # sessions s0, s1, s2
    made_up += [frame(f"u{k}", None, session=f"s{k % 4}") for k in range(20)]
    made_up += [frame(f"v{k}", None, session="s0", split="val") for k in range(3)]
    made_up += [frame("copy", None, session="s0", sha256=made_up[0].sha256)]
    drawn_from = pool(tmp_path, *made_up)
    rules = SplitRules(val=("s1",), test=("s2",))
    made = plan(drawn_from, Request(real="all", unlabelled="all", splits=rules))
    assert ("(nobody labelled it)", 0, 10, 0, 0) in made.table() and not made.same_shoot.any()
    shoots = {drawn_from.sessions[s] for s in drawn_from.session[made.rows_in(TRAIN)]}
    assert shoots == {"s0", "s3"}
    cut = plan(
        drawn_from, Request(real="all", unlabelled="all", splits=SplitRules(val_fraction=0.2))
    )
    assert ("(nobody labelled it)", 0, 20, 0, 0) in cut.table()


def test_an_unlabelled_copy_of_a_test_picture_is_no_leak_and_does_not_train(tmp_path):
    made_up = photos(classes=1, each=12, empty=0)
    made_up += [frame("copy", None, session="hall", sha256=made_up[2].sha256)]  # of session s2
    drawn_from = pool(tmp_path, *made_up)
    rules = SplitRules(test=("s2",))
    made = plan(drawn_from, Request(real="all", unlabelled="all", splits=rules))
    assert made.table()[-1] == ("all frames", 0, 8, 0, 4)


def test_all_takes_what_may_train_and_nothing_falls_short(tmp_path):
    uneven = [render(f"r{k}", f"c{int(k > 4)}") for k in range(12)]
    drawn_from = pool(tmp_path, *uneven, *photos(classes=1, each=7, empty=5, sessions=2))
    made = plan(drawn_from, Request(cad="all", real="all"))
    assert made.table() == [
        ("c0", 5, 7, 0, 0), ("c1", 7, 0, 0, 0), ("(background)", 0, 5, 0, 0),
        ("all frames", 12, 12, 0, 0),
    ]  # fmt: skip
    assert not any("fewer" in note for note in made.notes)
    made = plan(drawn_from, Request(cad="all", val_cad=4, background="all"))
    assert made.table()[-1] == ("all frames", 8, 5, 4, 0)
    rules = SplitRules(test=("s1",))
    made = plan(drawn_from, Request(real="all", background=1, splits=rules))
    assert made.table()[-1] == ("all frames", 0, 5, 0, 5)


def test_names_of_mixes_of_all():
    assert Request(real="all").default_name == "cad0-realall"
    assert Request(cad="all", real=3, seed=2).default_name == "cadall-real3-seed2"
    assert Request(real=1, unlabelled="all").default_name == "cad0-real1-unlabelledall"


def test_all_of_nothing_is_an_error(tmp_path):
    drawn_from = pool(tmp_path, frame("u", None))
    with pytest.raises(InputError, match="nothing of what was asked for"):
        plan(drawn_from, Request(cad="all", real="all"))


def test_renders_alone_may_choose(tmp_path):
    """So that renders of a spoiled part can be scored, marked as what they are."""
    drawn_from = pool(tmp_path, *parts(classes=1, each=6))
    assert plan(drawn_from, Request(val_cad=4)).table()[-1] == ("all frames", 0, 0, 4, 0)


# Conditions -------------------------------------------------------------------------------


def sorted_photos(good=30, scratch=10, items=10):
    """Folders good/ and scratch/, nothing marked."""
    made = [frame(f"g{k}", None, session=f"i{k % items}", condition="good") for k in range(good)]
    return made + [
        frame(f"d{k}", None, session=f"i{k % items}", condition="scratch") for k in range(scratch)
    ]


def test_good_and_defect_frames_without_masks_go_where_others_do(tmp_path):
    rules = SplitRules(test_fraction=0.3, val_sessions=0.3)
    request = Request(real="all", per_class_val=None, per_class_test=None, splits=rules)
    made = plan(pool(tmp_path, *sorted_photos()), request)
    assert made.classes == ()
    assert made.table() == [
        ("scratch (condition)", 0, 4, 3, 3), ("(background)", 0, 12, 9, 9),
        ("all frames", 0, 16, 12, 12),
    ]  # fmt: skip
    with pytest.raises(InputError, match="condition scratch: wanted 11 photos that train"):
        plan(pool(tmp_path / "b", *sorted_photos()), Request(real=11))


def test_good_frames_alone_make_a_set(tmp_path):
    made = plan(pool(tmp_path, *sorted_photos(scratch=0)), Request(background="all"))
    assert made.table() == [("(background)", 0, 30, 0, 0), ("all frames", 0, 30, 0, 0)]
    marked = [frame(f"m{k}", (), condition="good") for k in range(4)]
    made = plan(pool(tmp_path / "b", *marked), Request(real="all"))
    assert made.table()[-1] == ("all frames", 0, 4, 0, 0)


def test_a_condition_that_is_a_class_elsewhere_counts_as_it(tmp_path):
    made_up = [frame("m", ("scratch",), condition="scratch"), *sorted_photos(scratch=3)]
    made = plan(pool(tmp_path, *made_up), Request(real="all", background=0))
    assert made.classes == ("scratch",) and made.table()[0] == ("scratch", 0, 4, 0, 0)
    assert any("3 frames are labelled as a whole" in note for note in made.notes)


# Val by whole sessions --------------------------------------------------------------------


def test_val_by_whole_sessions_shares_none_with_train_and_test(tmp_path):
    """Ten items of four photos, a defect in every other one: each split has its share."""
    made_up = [
        frame(f"p{i}_{k}", ("crack",) if k == 0 and i % 2 else (), session=f"item{i}")
        for i in range(10)
        for k in range(4)
    ]
    drawn_from = pool(tmp_path, *made_up)
    tested = set()
    for seed in range(4):
        rules = SplitRules(test_fraction=0.2, val_sessions=0.25)
        made = plan(drawn_from, Request(real="all", per_class_val=None, per_class_test=None,
                                        splits=rules, seed=seed))  # fmt: skip
        items = [frozenset(drawn_from.session[made.rows_in(s)].tolist()) for s in range(3)]
        assert [len(i) for i in items] == [6, 2, 2] and len(frozenset().union(*items)) == 10
        assert made.table()[0] == ("crack", 0, 3, 1, 1)
        assert not made.same_shoot.any() and len(made.rows) == 40
        tested.add(items[TEST])
    assert len(tested) > 1


def test_val_by_whole_sessions_leaves_one_to_train(tmp_path):
    made = plan(pool(tmp_path / "a", *photos(sessions=2)),
                Request(real="all", splits=SplitRules(val_sessions=0.9)))  # fmt: skip
    assert len({made.pool.sessions[s] for s in made.pool.session[made.rows_in(TRAIN)]}) == 1
    made = plan(pool(tmp_path / "b", *photos(sessions=1)),
                Request(real="all", splits=SplitRules(val_sessions=0.2)))  # fmt: skip
    assert not len(made.rows_in(VAL))
    assert any("--val-sessions needs two training sessions" in note for note in made.notes)


def test_a_rare_class_is_on_both_sides_where_sessions_allow_it(tmp_path):
    made_up = [frame(f"p{k}", ("c0",), session=f"s{k}") for k in range(60)]
    made_up += [frame(f"r{k}", ("rare",), session=f"r{k}") for k in range(3)]
    drawn_from = pool(tmp_path, *made_up)
    for seed in range(5):
        rules = SplitRules(test_fraction=0.3)
        made = plan(drawn_from, Request(real="all", seed=seed, splits=rules))
        assert dict((row[0], row[4]) for row in made.table())["rare"] == 1


def test_labels_of_whole_pictures_count_as_classes(tmp_path):
    made_up = [frame(f"l{k}", None, label=f"c{k % 2}") for k in range(6)]
    made = plan(pool(tmp_path, *made_up), Request(real=2, background=0))
    assert made.table() == [
        ("c0", 0, 2, 0, 0), ("c1", 0, 2, 0, 0), ("(background)", 0, 0, 0, 0),
        ("all frames", 0, 4, 0, 0),
    ]  # fmt: skip


def test_labels_of_whole_pictures_beside_boxes_are_told(tmp_path):
    """Plain Ultralytics takes a picture without a label file for an empty one."""
    whole = [frame(f"l{k}", None, label="c0") for k in range(4)]
    boxed = [frame(f"b{k}", ("c1",)) for k in range(4)]
    made = plan(pool(tmp_path / "a", *whole, *boxed), Request(real=3, background=0))
    assert any("3 frames are labelled as a whole" in note for note in made.notes)
    made = plan(pool(tmp_path / "b", *whole), Request(real=3, background=0))
    assert not any("labelled as a whole" in note for note in made.notes)


def test_hardly_visible_objects_do_not_count(tmp_path):

    made_up = []
    for k, visibility in enumerate((0.05, 0.3, 1.0)):
        made = render(f"r{k}", "c0")
        made_up.append(replace(made, objects=(replace(made.objects[0], visibility=visibility),)))
    drawn_from = pool(tmp_path, *made_up, min_visibility=0.1)
    assert len(plan(drawn_from, Request(cad=2, min_visibility=0.1)).rows) == 2
    with pytest.raises(InputError, match="wanted 3 renders, there are 2"):
        plan(drawn_from, Request(cad=3, min_visibility=0.1))


def test_simulated_photos_are_photos(tmp_path):
    made_up = [
        frame(f"s{k}", ("c0",), source="cad", simulated=True, session="sim") for k in range(4)
    ]
    drawn_from = read_pool([write(tmp_path / "sim", *made_up)])
    assert plan(drawn_from, Request(real=3, background=0)).table()[-1][2] == 3


def test_renders_in_val_are_asked_for_and_told(usual):
    made = plan(usual, Request(cad=30, val_cad=9))
    assert made.table()[-1] == ("all frames", 30, 0, 9, 0)
    assert any("val holds renders" in note for note in made.notes)


# Leaks ------------------------------------------------------------------------------------


def test_exact_copies_in_one_split_are_taken_once(tmp_path):
    twins = [frame(f"t{k}", ("c0",), sha256="ab" * 32) for k in range(3)]
    made = plan(pool(tmp_path, *twins), Request(real=9, background=0, allow_short=True))
    assert len(made.rows) == 1


@pytest.mark.parametrize("what", ["bytes", "look"])
def test_the_same_picture_on_both_sides_is_refused(tmp_path, what):
    made_up = photos(classes=1, each=12, empty=0, sessions=2)
    fields = {"sha256": made_up[0].sha256} if what == "bytes" else {}
    copy = frame("copy", ("c0",), session="s1", **fields)
    if what == "look":
        near = f"{int(made_up[0].phash, 16) ^ 0b101:016x}"
        copy = replace(copy, phash=near)
    drawn_from = pool(tmp_path, *made_up, copy)
    request = dict(real=6, background=0, splits=SplitRules(test=("s1",)))
    with pytest.raises(LeakError) as caught:
        plan(drawn_from, Request(**request))
    assert "1 of 7 test pictures" in str(caught.value)
    assert "photos/images/copy.jpg (test) is photos/images/p0_0.jpg (train)" in str(caught.value)
    allowed = plan(drawn_from, Request(**request, allow_leaks=True))
    assert any("LEAKS" in note for note in allowed.notes)


def test_good_and_broken_parts_that_look_alike_are_two_pictures(tmp_path):
    bare = dict(objects=None, condition="good")
    made_up = [replace(frame(f"g{k}", (), session=f"s{k % 2}"), **bare) for k in range(12)]
    near = f"{int(made_up[0].phash, 16) ^ 0b101:016x}"
    other = replace(made_up[0], image="images/x.jpg", sha256="ab" * 32, phash=near, session="s1")
    request = Request(real="all", background="all", splits=SplitRules(test=("s1",)))
    with pytest.raises(LeakError, match=r"x\.jpg"):
        plan(pool(tmp_path / "same", *made_up, other), request)
    plan(pool(tmp_path / "crack", *made_up, replace(other, condition="crack")), request)


@pytest.mark.parametrize(("bits", "leaks"), [(0, True), (2, False)])
def test_near_hashes_need_labels_that_agree_equal_ones_do_not(tmp_path, bits, leaks):
    """Two people may draw one crack differently; two boards on one table are no leak."""
    made_up = photos(classes=1, each=12, empty=0, sessions=2)
    near = f"{int(made_up[0].phash, 16) ^ ((1 << bits) - 1):016x}"
    other = replace(frame("other", ("c0", "c0"), session="s1"), phash=near)
    request = Request(real=6, background=0, splits=SplitRules(test=("s1",)))
    drawn_from = pool(tmp_path, *made_up, other)
    if leaks:
        with pytest.raises(LeakError, match=r"other\.jpg"):
            plan(drawn_from, request)
    else:
        assert len(plan(drawn_from, request).rows_in(TEST)) == 7


def test_look_alikes_of_one_shoot_are_told_not_refused(tmp_path):

    twins = [replace(frame(f"t{k}", ("c0",)), phash="0123456789abcdef") for k in range(10)]
    made = plan(
        pool(tmp_path, *twins),
        Request(real=2, background=0, splits=SplitRules(val_fraction=0.5)),
    )
    assert any("5 val pictures look like training pictures" in note for note in made.notes)


# Which sets -------------------------------------------------------------------------------


def test_sets_are_found_and_mixes_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("renders/parts"), render("r", "c0"), kind="render")
    write(Path("datasets/photos"), frame("p", ("c0",)))
    write(Path("datasets/old-mix"), frame("m", ("c0",)), kind="mix")
    (tmp_path / "renders/half/.partial").mkdir(parents=True)
    folders, notes = find_sets()
    assert folders == [Path("renders/parts"), Path("datasets/photos")]
    assert len(notes) == 1 and "half: unfinished" in notes[0]
    with pytest.raises(InputError, match="renders/half: unfinished"):
        find_sets([Path("renders/half"), Path("datasets/photos")])
    assert find_sets([Path("datasets/photos")])[0] == [Path("datasets/photos")]
    with pytest.raises(InputError, match="is a mix"):
        find_sets([Path("datasets/old-mix")])
    with pytest.raises(InputError, match="no such folder"):
        find_sets([Path("nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no finished set in empty"):
        find_sets([Path("empty")])


def test_pre_labels_are_never_drawn_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("datasets/photos"), frame("p", ("c0",)))
    guessed = write(Path("datasets/guessed"), frame("g", ("c0",)))
    write_manifest(guessed, replace(read_manifest(guessed), extra={"prelabels": True}))
    folders, notes = find_sets()
    assert folders == [Path("datasets/photos")]
    assert len(notes) == 1 and "datasets/guessed: not taken: holds pre-labels" in notes[0]
    assert "vqc export datasets/guessed --format cvat" in notes[0] and "vqc intake" in notes[0]
    with pytest.raises(InputError, match="--from datasets/guessed: holds pre-labels"):
        find_sets([guessed])
    shutil.rmtree("datasets/photos")
    with pytest.raises(InputError, match=r"no finished set in datasets.*\n.*holds pre-labels"):
        find_sets()


@pytest.mark.parametrize("rules", [
    SplitRules(val_fraction=0.2, test_fraction=0.3), SplitRules(val=("s1",), test=("s2",)),
])  # fmt: skip
def test_a_seed_of_their_own_keeps_the_cuts_while_draws_vary(usual, rules):
    """Val and test are the same pictures for every seed, and none of them ever trains."""
    fixed = replace(rules, cut_seed=7)
    made = [
        plan(usual, Request(cad=9, real=3, per_class_val=4, per_class_test=5, seed=n, splits=fixed))
        for n in range(5)
    ]
    for split in (VAL, TEST):
        assert len(made[0].rows_in(split))
        assert len({tuple(sorted(each.rows_in(split))) for each in made}) == 1
    assert len({frozenset(train(each)) for each in made}) == 5
    kept = {*made[0].rows_in(VAL).tolist(), *made[0].rows_in(TEST).tolist()}
    assert not any(kept & {*each.rows_in(TRAIN).tolist()} for each in made)


def test_without_a_seed_of_their_own_the_cuts_follow_the_draw(usual):
    rules = SplitRules(val_fraction=0.2, test_fraction=0.3)
    loose, same, other = (
        plan(usual, Request(cad=9, real=3, seed=3, splits=replace(rules, cut_seed=seed)))
        for seed in (None, 3, 4)
    )
    assert loose.rows.tolist() == same.rows.tolist()
    assert loose.rows_in(VAL).tolist() != other.rows_in(VAL).tolist()
    with pytest.raises(InputError, match="cut_seed: expected a whole number from 0"):
        plan(usual, Request(cad=9, splits=replace(rules, cut_seed=-1)))


def test_renders_and_photos_may_share_a_name(tmp_path):
    folders = [
        write(tmp_path / "r" / "boards", render("p", "c0"), kind="render"),
        write(tmp_path / "p" / "boards", frame("p", ("c0",))),
    ]
    made = plan(read_pool(folders), Request(cad=1, real=1, background=0))
    assert train(made) == {"render-boards/images/p.jpg", "intake-boards/images/p.jpg"}


def test_backgrounds_that_only_test_are_told(tmp_path):
    made_up = [*photos(classes=1, empty=0), frame("e", (), session="hall", split="test")]
    made = plan(pool(tmp_path, *made_up), Request(real=3))
    assert any("no background photo trains" in note for note in made.notes)
    assert not any("anywhere" in note for note in made.notes)


def test_two_sets_of_one_name(tmp_path):
    one = write(tmp_path / "a", frame("p", ("c0",)), name="same")
    two = write(tmp_path / "b", frame("q", ("c0",)), name="same")
    with pytest.raises(InputError, match="sets of one kind have one name"):
        read_pool([one, two])


def test_a_changed_manifest_is_refused(tmp_path):
    folder = write(tmp_path / "a", frame("p", ("c0",)))
    path = folder / "manifest.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"session": "shop"', b'"session": "shed"'))
    with pytest.raises(ManifestError, match="changed after it was written"):
        read_pool([folder])
    path.write_bytes(path.read_bytes().replace(b'"width": 640', b'"width": "x"'))
    with pytest.raises(ManifestError, match="width: expected"):
        read_pool([folder])


def test_manifests_of_others_need_no_digest(tmp_path):

    folder = write(tmp_path / "a", frame("p", ("c0",)))
    path = folder / "manifest.jsonl"
    head, line, _ = path.read_text().split("\n")
    record = json.loads(head)
    del record["digest"]
    path.write_text(f"{json.dumps(record)}\n{line}\n")
    assert len(read_pool([folder])) == 1
    path.write_text(f"{json.dumps(record)}\n{line.replace('640', '-1')}\n")
    with pytest.raises(ManifestError, match="width"):
        read_pool([folder])
