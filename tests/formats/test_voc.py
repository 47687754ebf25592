"""VOC's XML: its habit of counting from 1, and its flags."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from vqc.errors import ManifestError
from vqc.formats.voc import to_voc_xml
from vqc.types import Annotation, Frame


def frame(*objects: Annotation) -> Frame:
    return Frame("images/qf/000/a.jpg", "", "", 100, 80, "cad", "s", objects=objects)


def test_the_whole_file() -> None:
    note = Annotation("q<f", box_xyxy=(0.0, 10.0, 100.0, 11.0), visibility=1.0, truncated=False)
    assert to_voc_xml(frame(note), "magnets") == (
        "<annotation>\n"
        "  <folder>images/qf/000</folder>\n"
        "  <filename>a.jpg</filename>\n"
        "  <source>\n    <database>magnets</database>\n  </source>\n"
        "  <size>\n    <width>100</width>\n    <height>80</height>\n    <depth>3</depth>\n"
        "  </size>\n"
        "  <segmented>0</segmented>\n"
        "  <object>\n"
        "    <name>q&lt;f</name>\n"
        "    <pose>Unspecified</pose>\n"
        "    <truncated>0</truncated>\n"
        "    <difficult>0</difficult>\n"
        "    <occluded>0</occluded>\n"
        "    <bndbox>\n      <xmin>1</xmin>\n      <ymin>11</ymin>\n"
        "      <xmax>100</xmax>\n      <ymax>11</ymax>\n    </bndbox>\n"
        "  </object>\n"
        "</annotation>\n"
    )


@pytest.mark.parametrize(
    ("visibility", "truncated", "flags"),
    [
        (1.0, False, ("0", "0")),
        (0.5, False, ("0", "1")),
        (0.5, True, ("1", "0")),
        (None, None, ("0", "0")),
    ],
)
def test_truncated_and_occluded(
    visibility: float | None, truncated: bool | None, flags: tuple[str, str]
) -> None:
    box = (0.0, 0.0, 9.0, 9.0)
    note = Annotation("qf", box_xyxy=box, visibility=visibility, truncated=truncated)
    root = ET.fromstring(to_voc_xml(frame(note), "magnets"))
    assert (root.findtext("object/truncated"), root.findtext("object/occluded")) == flags


@pytest.mark.parametrize(
    ("extra", "visibility", "flags"),
    [
        ({"difficult": True}, 1.0, ("1", "0")),
        ({"occluded": True}, None, ("0", "1")),
        ({"occluded": False, "difficult": False}, 0.5, ("0", "0")),
    ],
)
def test_what_a_source_said_goes_out_again(
    extra: dict[str, bool], visibility: float | None, flags: tuple[str, str]
) -> None:
    box = (0.0, 0.0, 9.0, 9.0)
    note = Annotation("qf", box_xyxy=box, visibility=visibility, extra=extra)
    root = ET.fromstring(to_voc_xml(frame(note), "magnets"))
    assert (root.findtext("object/difficult"), root.findtext("object/occluded")) == flags


def test_amodal_boxes_grow_to_whole_pixels_inside_the_frame() -> None:
    note = Annotation("qf", amodal_box_xyxy=(-3.2, 4.6, 20.1, 90.0))
    root = ET.fromstring(to_voc_xml(frame(note), "magnets", "amodal"))
    corners = [root.findtext(f"object/bndbox/{t}") for t in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == ["1", "5", "21", "80"]


def test_what_does_not_show_and_what_nobody_labelled() -> None:
    root = ET.fromstring(to_voc_xml(frame(Annotation("qf")), "magnets"))
    assert root.find("object") is None
    with pytest.raises(ManifestError, match="nobody labelled"):
        to_voc_xml(Frame("images/a.jpg", "", "", 8, 8, "real", "s"), "magnets")
