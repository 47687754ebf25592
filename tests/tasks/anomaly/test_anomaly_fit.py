"""Both models learn from good frames, find planted blobs, and survive interruptions."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image
from surfaces import SMALL, blob_mask, dataset, frame, texture, usual

from vqc.dataset import open_dataset
from vqc.errors import InputError
from vqc.runs import LAST, WEIGHTS, Run
from vqc.tasks.anomaly import Anomaly
from vqc.tasks.contract import Picture

TASK = Anomaly()
AE = {"model": "conv-ae", "epochs": 2, "batch": 4, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Listener:
    """stop_in: the epoch in which training is broken off."""

    stop_in: int = 0
    epochs: dict = field(default_factory=dict)
    resumed_after: list = field(default_factory=list)
    seen: list = field(default_factory=list)

    def progress(self, done, total):
        self.seen.append((done, total))

    def epoch(self, number, metrics):
        assert number not in self.epochs
        self.epochs[number] = dict(metrics)
        if number == self.stop_in:
            raise KeyboardInterrupt

    def resumed(self, epochs_done):
        self.resumed_after.append(epochs_done)


def fit(made, folder, heard=None, **settings):
    folder.mkdir(exist_ok=True, parents=True)
    heard = heard or Listener()
    return TASK.fit(made, TASK.configure({**SMALL, **settings}), folder, heard)


def run_of(folder):
    return Run(
        folder=folder, run_id="0" * 12, task="anomaly", name="tiny", config={}, seed=0,
        classes=("blob",), dataset_name="tiny", manifest_sha256="", metrics={}, epochs=2,
        best_epoch=2, chosen_on=None, seconds=1.0, weights=folder / WEIGHTS,
    )  # fmt: skip


def spreads_in(folder):
    from vqc.tasks.learning import files

    return files.load(folder / WEIGHTS, "anomaly")[0]["seer"]["spreads"]


def answers(folder, pictures, **settings):
    return [a for _, a in TASK.predict(run_of(folder), iter(pictures), settings)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return usual(tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="module")
def patchcore(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patchcore") / "run"
    heard = Listener()
    fitted = fit(made, folder, heard)
    return folder, fitted, heard


def test_patchcore_finds_every_planted_blob(made, patchcore):
    folder, fitted, _ = patchcore
    found = TASK.evaluate(run_of(folder), made, "test", "cpu")
    assert found.metrics["AUROC"] == found.metrics["recall"] == found.metrics["F1"] == 1
    assert found.metrics["pixel AUROC"] > 0.9 and found.metrics["PRO"] > 0.6
    assert found.confusion.names == ("good", "defect")
    assert found.confusion.counts.tolist() == [[4, 0], [0, 4]]
    assert found.threshold == 0.5 and found.mistakes == () and found.per_class == {}
    assert {curve.name for curve in found.curves} == {"ROC", "precision-recall", "scores"}
    assert found.groups["condition"]["blob"] == {"frames": 4, "recall": 1}
    assert found.drawn and fitted.metrics["AUROC"] == 1


def test_heat_is_highest_on_the_blob(made, patchcore):
    pixels = texture(77)
    mask = blob_mask(77)
    pixels[mask] = 250
    (found,) = answers(patchcore[0], [Picture("it", pixels)])
    at = np.unravel_index(found.heat.argmax(), found.heat.shape)
    step = 64 / found.heat.shape[0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert rows[0] - step <= (at[0] + 0.5) * step <= rows[-1] + step
    assert columns[0] - step <= (at[1] + 0.5) * step <= columns[-1] + step
    assert found.is_anomaly and found.record()["class"] == "defect"


def test_frames_that_are_wrong_all_over_are_defects(patchcore):
    pictures = [
        Picture("black", np.zeros((64, 64, 3), np.uint8)),
        Picture("white", np.full((64, 64, 3), 255, np.uint8)),
        Picture("one pixel", np.zeros((1, 1, 3), np.uint8)),
    ]
    found = {a.image: a for a in answers(patchcore[0], pictures)}
    assert {name: a.verdict for name, a in found.items()} == dict.fromkeys(found, "defect")
    assert min(a.score for a in found.values()) > 0.6
    (good,) = answers(patchcore[0], [Picture("good", texture(99))])
    assert good.verdict == "good"


def test_a_white_frame_among_the_good_ones_of_val_does_not_let_white_ones_pass(tmp_path):
    usual(tmp_path)
    frames = list(open_dataset(tmp_path).manifest.frames)
    frames.append(frame(tmp_path, 60, "val"))
    white = np.full((64, 64, 3), 255, np.uint8)
    Image.fromarray(white).save(tmp_path / frames[-1].image)
    fit(dataset(tmp_path, frames), tmp_path / "run")
    (found,) = answers(tmp_path / "run", [Picture("white", white)])
    assert found.verdict == "defect"


def test_a_surface_that_differs_a_little_all_over_passes(patchcore):
    lighter = [Picture(str(n), texture(n, 130)) for n in range(60, 64)]
    assert {a.verdict for a in answers(patchcore[0], lighter)} == {"good"}


def test_weights_without_a_limit_are_refused_where_it_counts(patchcore, tmp_path):
    from vqc.tasks.learning import files

    about, tensors = files.load(patchcore[0] / WEIGHTS, "anomaly")
    about["scales"] = [{k: v for k, v in row.items() if k != "limit"} for row in about["scales"]]
    files.save(tmp_path / WEIGHTS, about, tensors)
    with pytest.raises(InputError, match=r"best\.pt: .*limit.*earlier version"):
        answers(tmp_path, [])
    files.save(tmp_path / WEIGHTS, {**about, "relative": False}, tensors)
    assert answers(tmp_path, [Picture("it", texture(3))])[0].scale.limit == 0


def test_weights_without_spreads_are_refused_where_they_count(patchcore, tmp_path):
    from vqc.tasks.learning import files

    about, tensors = files.load(patchcore[0] / WEIGHTS, "anomaly")
    spreads = about["seer"].pop("spreads")
    files.save(tmp_path / WEIGHTS, about, tensors)
    with pytest.raises(InputError, match=r"best\.pt: .*spreads.*earlier version"):
        answers(tmp_path, [])
    for wrong in (spreads[:1], [1.0, 0.0], [1.0, float("nan")]):
        about["seer"]["spreads"] = wrong
        files.save(tmp_path / WEIGHTS, about, tensors)
        with pytest.raises(InputError, match=r"best\.pt: not the weights of anomaly"):
            answers(tmp_path, [])


def test_grouped_autoencoders_need_no_spreads(patchcore, tmp_path):
    from vqc.tasks.anomaly import trained
    from vqc.tasks.anomaly.autoencoder import Autoencoders
    from vqc.tasks.learning import files

    banks, file = trained.load(patchcore[0] / WEIGHTS, "cpu"), tmp_path / WEIGHTS
    grouping = trained.Grouping(np.zeros((2, 1)), np.zeros(1), np.ones(1))
    detector = trained.Detector(banks.detector.seer, grouping, Autoencoders(2, 0))
    trained.save(file, trained.Trained(detector, banks.scales * 2, frozenset()), {}, {})
    about, tensors = files.load(file, "anomaly")
    del about["seer"]["spreads"], about["seer"]["patch"]  # as earlier versions wrote it
    files.save(file, about, tensors)
    assert isinstance(trained.load(file, "cpu").detector.model, Autoencoders)


def test_a_loud_scale_does_not_drown_the_other(made, patchcore, tmp_path, monkeypatch):
    from vqc.tasks.anomaly import job, patches
    from vqc.tasks.learning import files

    def loud(weights, seed):
        backbone = patches.start_backbone(weights, seed)
        maps, at = backbone.maps, patches.STRIDES.index(8)

        def louder(*args):
            return [128 * m if place == at else m for place, m in enumerate(maps(*args))]

        backbone.maps = louder
        return backbone

    monkeypatch.setattr(job, "start_backbone", loud)
    assert fit(made, tmp_path) == patchcore[1]
    one, other = (files.load(f / WEIGHTS, "anomaly")[0] for f in (patchcore[0], tmp_path))
    ratios = np.divide(other["seer"]["spreads"], one["seer"]["spreads"])
    assert ratios == pytest.approx([1, 128]) and len(other["scales"]) == 1
    assert other["scales"][0] == pytest.approx(one["scales"][0], rel=1e-4)


def test_frames_without_a_word_are_not_scored_as_good(made, patchcore):
    silent = [replace(f, condition=None, objects=None) for f in made.manifest.frames]
    unsaid = replace(made, manifest=replace(made.manifest, frames=tuple(silent)))
    with pytest.raises(InputError, match="8 frames to be scored say neither good nor defect"):
        TASK.evaluate(run_of(patchcore[0]), unsaid, "train", "cpu")


@pytest.mark.parametrize("patch", [8, 16, 24, 64])
@pytest.mark.parametrize("side", [64, 70, 90])
def test_patches_reach_as_far_as_they_say(patchcore, side, patch):
    from vqc.tasks.anomaly.trained import load

    seer = replace(load(patchcore[0] / WEIGHTS, "cpu").detector.seer, imgsz=side, patch=patch)
    picture = np.zeros((64, 32, 3), np.uint8)
    down, across = seer.covers(picture)
    high, wide = seer.patches(picture).shape[:2]
    assert (down * side, across * side / 2) == pytest.approx((high * patch, wide * patch))


def test_one_kind_alone_is_scored_without_an_auroc(made, patchcore):
    good = [f for f in made.manifest.frames if f.condition == "good"]
    alone = replace(made, manifest=replace(made.manifest, frames=tuple(good)))
    found = TASK.evaluate(run_of(patchcore[0]), alone, "test", "cpu")
    assert np.isnan(found.metrics["AUROC"]) and found.confusion.counts.sum() == 4
    assert [curve.name for curve in found.curves] == ["scores"]
    assert "PRO" not in found.metrics


def test_metrics_are_of_val_so_trainings_can_be_compared(patchcore):
    assert patchcore[1].chosen_on == "val"
    assert patchcore[1].metrics == {"AUROC": 1, "F1": 1}


@pytest.mark.parametrize(
    ("kind", "chosen_on"),
    [("good", "val"), ("blob", None)],  # defects alone choose no threshold
)
def test_one_kind_in_val_gives_nothing_to_compare_by(made, tmp_path, kind, chosen_on):
    frames = [f for f in made.manifest.frames if f.split != "val" or f.condition == kind]
    alone = replace(made, manifest=replace(made.manifest, frames=tuple(frames)))
    heard = Listener()
    fitted = fit(alone, tmp_path, heard)
    assert (fitted.metrics, fitted.chosen_on) == ({}, chosen_on)
    assert not any(name.startswith("val/") for name in heard.epochs[2])


def test_a_bank_that_is_done_is_not_made_again(made, patchcore, tmp_path, monkeypatch):
    from vqc.tasks.anomaly import stages

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        fit(made, folder, Listener(stop_in=2))
    assert not (folder / WEIGHTS).exists() and (folder / LAST).exists()
    monkeypatch.setattr(stages, "_first", None)  # whoever called it would fail
    heard = Listener()
    fitted = fit(made, folder, heard)
    assert heard.resumed_after == [1] and list(heard.epochs) == [2]
    assert spreads_in(folder) == spreads_in(patchcore[0])
    assert heard.seen[0] == (9, 28), "eight training frames were seen before"
    assert fitted == patchcore[1] and not (folder / LAST).exists()
    whole, again = (answers(f, [Picture("a", texture(5))])[0] for f in (patchcore[0], folder))
    assert whole.distance == again.distance and whole.scale == again.scale


def test_what_happens_before_the_first_stage_is_done_costs_that_stage_only(made, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(made, tmp_path / "run", Listener(stop_in=1))
    assert not any((tmp_path / "run").iterdir())


def test_contamination_leaves_out_what_lies_farthest(tmp_path):
    frames = [frame(tmp_path, n, "train", None, labelled=False) for n in range(9)]
    spoilt = frame(tmp_path, 9, "train", "blob")
    frames.append(replace(spoilt, condition=None, objects=None))
    frames += [frame(tmp_path, 20 + n, "test") for n in range(3)]
    frames += [frame(tmp_path, 30 + n, "test", "blob") for n in range(3)]
    made, heard = dataset(tmp_path, frames), Listener()
    fitted = fit(made, tmp_path / "run", heard, contamination=0.1)
    assert fitted.epochs == 3 and [e["train/frames"] for e in heard.epochs.values()] == [10, 9, 9]
    assert heard.seen[-1] == (heard.seen[0][1],) * 2
    found = TASK.evaluate(run_of(tmp_path / "run"), made, "test", "cpu")
    assert found.metrics["AUROC"] == 1
    for stage in (2, 3):
        folder = tmp_path / f"cut{stage}"
        with pytest.raises(KeyboardInterrupt):
            fit(made, folder, Listener(stop_in=stage), contamination=0.1)
        assert fit(made, folder, contamination=0.1) == fitted
        assert spreads_in(folder) == spreads_in(tmp_path / "run")
        one, other = (
            answers(f, [Picture("it", texture(5))])[0] for f in (folder, tmp_path / "run")
        )
        assert one.distance == other.distance and one.scale == other.scale


def test_a_frame_that_is_odd_all_over_is_left_out_too(tmp_path):
    frames = [frame(tmp_path, n, "train", None, labelled=False) for n in range(10)]
    black = np.zeros((64, 64, 3), np.uint8)
    Image.fromarray(black).save(tmp_path / frames[9].image)
    fit(dataset(tmp_path, frames), tmp_path / "run", contamination=0.1)
    (found,) = answers(tmp_path / "run", [Picture("black", black)])
    assert found.verdict == "defect"


@pytest.mark.parametrize(("count", "different"), [(2, 2), (6, 1)])
def test_more_groups_than_frames_are_refused_before_training(tmp_path, count, different):
    frames = [frame(tmp_path, n, "train") for n in range(count)]
    for one in frames[different:]:
        (tmp_path / one.image).write_bytes((tmp_path / frames[0].image).read_bytes())
    made = dataset(tmp_path, frames)
    with pytest.raises(InputError, match=f"groups: expected {different} at most.*got 5"):
        fit(made, tmp_path / "run", groups=5)
    assert not any((tmp_path / "run").iterdir())


def test_groups_have_a_bank_and_a_threshold_each(tmp_path):
    frames = [frame(tmp_path, n, "train", level=60 if n < 6 else 190) for n in range(12)]
    frames += [frame(tmp_path, 20 + n, "val", level=60 if n < 2 else 190) for n in range(4)]
    made = dataset(tmp_path, frames)
    for number, groups in enumerate(("auto", 2)):
        heard = Listener()
        fit(made, tmp_path / f"run{number}", heard, groups=groups)
        assert heard.epochs[1]["train/groups"] == 2
        dark, light = answers(
            tmp_path / f"run{number}",
            [Picture("d", texture(90, 60)), Picture("l", texture(91, 190))],
        )
        assert dark.group != light.group and dark.scale != light.scale
        assert dark.record()["group"] == dark.group


def test_conv_ae_goes_on_to_the_same_weights_and_draws_its_bottleneck(tmp_path):
    frames = [frame(tmp_path, n, "train") for n in range(4)]
    made = dataset(tmp_path, [*frames, frame(tmp_path, 9, "val")])
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    fitted = fit(made, whole, **AE)
    with pytest.raises(KeyboardInterrupt):
        fit(made, cut, Listener(stop_in=2), **AE)
    heard = Listener()
    assert fit(made, cut, heard, **AE) == fitted and heard.resumed_after == [1]
    picture = Picture("it", texture(3))
    one, other = (answers(f, [picture], bottleneck=True)[0] for f in (whole, cut))
    assert one.distance == other.distance and one.heat.shape == (256, 256)
    assert one.bottleneck.shape == (16, 32, 32)
    plain = answers(whole, [picture])[0]
    assert plain.bottleneck is None
    drawn = [TASK.draw(picture, answer) for answer in (one, plain)]
    assert drawn[0].shape != drawn[1].shape, "maps have no scale beside them"


def test_conv_ae_leaves_out_what_it_repeats_worst_of_each_group(tmp_path, monkeypatch):
    from vqc.tasks.learning import epochs, files

    # So soon all comes out mid-grey: what is farthest from it is repeated worst.
    levels = (40, 40, 40, 20, 170, 170, 170, 185)
    frames = [frame(tmp_path, n, "train", level=level) for n, level in enumerate(levels)]
    frames += [frame(tmp_path, 20 + n, "val", level=level) for n, level in enumerate((40, 170))]
    for n, level in enumerate((20, 185)):
        frames.append(replace(frame(tmp_path, 30 + n, "val", level=level), condition="odd"))
    made, heard = dataset(tmp_path, frames), Listener()
    monkeypatch.setattr(epochs, "forget", lambda folder: None)
    fitted = fit(made, tmp_path / "run", heard, **AE, groups=2, contamination=0.2)
    kept = files.load(tmp_path / "run" / LAST, "anomaly")[1]["best"]["kept"].numpy()
    assert np.flatnonzero(~kept).tolist() == [3, 7]
    assert "val/AUROC" not in heard.epochs[1], "it has learnt from all, so it is not to be chosen"
    assert (fitted.best_epoch, fitted.chosen_on) == (2, "val")
    # Good dark frames are repeated worse than odd bright ones: thresholds make groups comparable.
    assert heard.epochs[2]["val/AUROC"] == 0.75 and fitted.metrics["AUROC"] == 1
    found = TASK.evaluate(run_of(tmp_path / "run"), made, "val", "cpu").metrics
    assert {name: found[name] for name in ("AUROC", "F1")} == fitted.metrics


def test_patchcore_has_no_bottleneck(patchcore):
    with pytest.raises(InputError, match="only conv-ae"):
        answers(patchcore[0], [], bottleneck=True)


def test_settings_that_val_cannot_serve_are_told_before_training(tmp_path):
    made = dataset(tmp_path, [frame(tmp_path, n, "train") for n in range(3)])
    with pytest.raises(InputError, match="f1 needs good frames and frames with a defect"):
        fit(made, tmp_path / "run", threshold="f1")
    fitted = fit(made, tmp_path / "run")
    assert fitted.metrics == {} and fitted.chosen_on is None


class Evil:
    def __reduce__(self):
        return (print, ("pwned",))


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"vqc": Evil()}, protocol=2)])
def test_hostile_and_spoilt_weights_are_refused(tmp_path, capsys, content):
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=r"best\.pt"):
        answers(tmp_path, [])
    assert "pwned" not in capsys.readouterr().out


def test_weights_with_foreign_layers_are_refused(patchcore, tmp_path):
    from vqc.tasks.learning import files

    about, tensors = files.load(patchcore[0] / WEIGHTS, "anomaly")
    about["seer"]["plan"]["head"][0][2] = "torch.hub.load"
    files.save(tmp_path / WEIGHTS, about, tensors)
    with pytest.raises(InputError, match="layers that no detector"):
        answers(tmp_path, [])
    about, tensors = files.load(patchcore[0] / WEIGHTS, "anomaly")
    files.save(tmp_path / WEIGHTS, {**about, "scales": []}, tensors)
    with pytest.raises(InputError, match="do not fit"):
        answers(tmp_path, [])
