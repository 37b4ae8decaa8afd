"""Annotation files: what they ask, and what is wrong with them."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from worker.evaluation.dataset import read_dataset
from worker.evaluation.errors import DatasetInvalid

Annotate = Callable[..., Path]


def polygon(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    """A rectangle as COCO writes outlines."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def annotation(number: int, category: int, left: int, side: int, **more: Any) -> dict[str, Any]:
    """A square on picture 1, 10 pixels from the top."""
    return {
        "id": number,
        "image_id": 1,
        "category_id": category,
        "bbox": [left, 10, side, side],
        "area": side * side,
        "segmentation": polygon(left, 10, left + side, 10 + side),
        "iscrowd": 0,
        **more,
    }


@pytest.fixture
def write(tmp_path: Path) -> Annotate:
    """Writes an annotation file with a picture of 100 x 60 pixels, and another with nothing on it."""
    (tmp_path / "images").mkdir()
    for name in ("one.png", "two.png"):
        Image.new("RGB", (100, 60), "gray").save(tmp_path / "images" / name)

    def write(*annotations: dict[str, Any], **more: Any) -> Path:
        document = {
            "images": [{"id": 1, "file_name": "one.png"}, {"id": 2, "file_name": "two.png"}],
            "annotations": list(annotations),
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "sofa"}],
            **more,
        }
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_the_largest_object_is_the_main_one(write: Annotate) -> None:
    """Where none is said to be; the candidates are all that is there, once each, in an order that tells nothing."""
    dataset = read_dataset(write(annotation(1, 2, 0, 20), annotation(2, 1, 40, 30), annotation(3, 1, 75, 10)))
    (sample,) = dataset.samples
    assert (sample.main.label, sample.main.box) == ("cat", (40, 10, 70, 40))
    assert sample.labels == ("cat", "sofa")
    assert {truth.box for truth in sample.truths} == {(40, 10, 70, 40), (75, 10, 85, 20)}
    assert dataset.skipped == 1


def test_what_is_said_to_be_the_main_object_is(write: Annotate) -> None:
    """However small."""
    (sample,) = read_dataset(write(annotation(1, 2, 0, 10, main_object=True), annotation(2, 1, 40, 30))).samples
    assert sample.main.label == "sofa"


def test_what_is_said_not_to_be_the_main_object_is_not(write: Annotate) -> None:
    """As if nothing were said."""
    (sample,) = read_dataset(write(annotation(1, 2, 0, 10, main_object=False), annotation(2, 1, 40, 30))).samples
    assert sample.main.label == "cat"


def test_a_description_stands_for_the_candidates(write: Annotate) -> None:
    """Of the picture that has one."""
    images = [{"id": 1, "file_name": "one.png", "description": "a cat on its sofa"}]
    (sample,) = read_dataset(write(annotation(1, 2, 0, 20), images=images)).samples
    assert (sample.labels, sample.description) == ((), "a cat on its sofa")


@pytest.mark.parametrize("beside", [True, False], ids=["in a file of their own", "in the same file"])
def test_each_sentence_is_a_question(write: Annotate, beside: bool, tmp_path: Path) -> None:
    """RefCOCO: the object that the sentence refers to is the main one."""
    sentences = [{"sent": "the small cat"}, {"sent": "cat at the right"}]
    refs = [{"ref_id": 1, "image_id": 1, "ann_id": 3, "sentences": sentences}]
    annotations = (annotation(2, 1, 40, 30), annotation(3, 1, 75, 10))
    if beside:
        (tmp_path / "refs.json").write_text(json.dumps(refs))
        found = read_dataset(write(*annotations), references=tmp_path / "refs.json").samples
    else:
        found = read_dataset(write(*annotations, refs=refs)).samples
    assert [sample.description for sample in found] == ["the small cat", "cat at the right"]
    assert {sample.main.box for sample in found} == {(75, 10, 85, 20)}


def test_sentences_about_what_is_not_annotated_are_counted(write: Annotate, tmp_path: Path) -> None:
    """As where only a part of RefCOCO's pictures was taken; and where none is left, that is said of their file."""
    refs = tmp_path / "refs.json"
    references = [{"image_id": 1, "ann_id": own, "sentences": [{"sent": "cat"}] * own} for own in (1, 3)]
    refs.write_text(json.dumps(references))
    dataset = read_dataset(write(annotation(1, 1, 0, 10)), references=refs)
    assert (len(dataset.samples), dataset.unannotated) == (1, 3)
    with pytest.raises(DatasetInvalid, match=r"refs\.json can't be used: no sentence is about an object"):
        read_dataset(write(annotation(2, 1, 0, 10)), references=refs)


@pytest.mark.parametrize("sentence", [None, 7], ids=repr)
def test_a_sentence_that_is_no_text_is_refused(write: Annotate, sentence: object) -> None:
    """Without its words the question would be another one."""
    refs = [{"image_id": 1, "ann_id": 1, "sentences": [{"sent": "the cat"}, {"sent": sentence}]}]
    with pytest.raises(DatasetInvalid, match="a sentence about object 1 is no text"):
        read_dataset(write(annotation(1, 1, 0, 10), refs=refs))


@pytest.mark.parametrize("name", [None, 7, " "], ids=repr)
def test_a_category_without_a_name_is_refused(write: Annotate, name: object) -> None:
    """Models can't be asked for what it isn't called."""
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": name}]
    with pytest.raises(DatasetInvalid, match="category 2 has no name, or one that is no text"):
        read_dataset(write(annotation(1, 1, 0, 10), categories=categories))


def test_a_mark_of_the_encoding_is_no_content(write: Annotate, tmp_path: Path) -> None:
    """Some editors begin a file with one."""
    path = write(annotation(1, 1, 0, 10))
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    refs = tmp_path / "refs.json"
    content = json.dumps([{"image_id": 1, "ann_id": 1, "sentences": [{"sent": "кошка"}]}], ensure_ascii=False)
    refs.write_text(content, encoding="utf-8-sig")
    (sample,) = read_dataset(path, references=refs).samples
    assert sample.description == "кошка"


@pytest.mark.parametrize(
    "content", [b"\x80\x02]q\x00.", b"", b"7", b"[7]"], ids=["pickle", "empty", "number", "numbers"]
)
def test_what_is_wrong_with_the_sentences_is_said_of_their_file(
    write: Annotate, tmp_path: Path, content: bytes
) -> None:
    """The annotations are as they should be."""
    (tmp_path / "refs.p").write_bytes(content)
    with pytest.raises(DatasetInvalid, match=r"refs\.p can't be used"):
        read_dataset(write(annotation(1, 1, 0, 10)), references=tmp_path / "refs.p")


def test_a_name_that_no_file_can_have_is_no_picture(write: Annotate) -> None:
    """The other pictures are there; it is its own question's trouble."""
    images = [{"id": 1, "file_name": "x" * 5000}, {"id": 2, "file_name": "two.png"}]
    annotations = [annotation(1, 1, 0, 10), annotation(2, 1, 0, 10, image_id=2)]
    assert len(read_dataset(write(*annotations, images=images)).samples) == 2


def test_masks_are_polygons_or_codes(write: Annotate) -> None:
    """COCO's three forms give the same pixels."""
    pixels = np.zeros((60, 100), np.uint8, order="F")
    pixels[10:30, 20:40] = 1
    code = coco_mask.encode(pixels)
    plain = {"size": [60, 100], "counts": [20 * 60 + 10, *[20, 40] * 19, 20, 60 * 60 + 30]}
    for segmentation in (polygon(20, 10, 40, 30), {**code, "counts": code["counts"].decode()}, plain):
        (sample,) = read_dataset(write(annotation(1, 1, 20, 20, segmentation=segmentation))).samples
        assert (sample.main.mask(60, 100) == pixels.astype(np.bool_)).all()


def test_crowds_are_no_objects(write: Annotate) -> None:
    """But where they are is known, of the main object's kind."""
    crowds = [annotation(number, category, 20, 30, iscrowd=1) for number, category in ((2, 2), (3, 1))]
    (sample,) = read_dataset(write(annotation(1, 1, 0, 10), *crowds)).samples
    assert (sample.labels, sample.truths) == (("cat",), (sample.main,))
    assert sample.crowds == ((20, 10, 50, 40),)


@pytest.mark.parametrize("change", [{"segmentation": []}, {"segmentation": None}, {"bbox": [5, 5, 0, 9]}], ids=str)
def test_what_encloses_nothing_is_no_object(write: Annotate, change: dict[str, Any]) -> None:
    """COCO's own files hold some such annotations."""
    (sample,) = read_dataset(write(annotation(1, 1, 0, 10), annotation(2, 2, 20, 30, **change))).samples
    assert sample.labels == ("cat",)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown picture": ({"image_id": 9}, "annotation 2 of 2: there is no image 9"),
    "unknown category": ({"category_id": 9}, "annotation 2 of 2: there is no category 9"),
    "another's id": ({"id": 1}, "annotation 2 of 2: an earlier one has the id 1, too"),
    "short box": ({"bbox": [1, 2]}, "annotation 2 of 2"),
    "negative box": ({"bbox": [1, 2, -3, 4]}, "annotation 2 of 2: .*is none"),
    "endless box": ({"bbox": [0, 0, 1e308, 1e308]}, "annotation 2 of 2: .*leads far out of the picture"),
    "box of nothing": ({"bbox": [float("nan")] * 4}, "annotation 2 of 2: .*is none"),
    "endless area": ({"area": float("inf")}, "annotation 2 of 2: .*is none"),
    "area in words": ({"area": "large"}, "annotation 2 of 2"),
    "a list for an id": ({"id": [1]}, "annotation 2 of 2"),
    "a word for yes": ({"main_object": "false"}, 'annotation 2 of 2: its main_object is "false", neither true nor'),
    "a number for yes": ({"main_object": 1}, "annotation 2 of 2: its main_object is 1, neither true nor false"),
    "nothing for yes": ({"main_object": None}, "annotation 2 of 2: its main_object is null, neither true nor false"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_annotation_is_named(write: Annotate, change: dict[str, Any], said: str) -> None:
    """By its place in the file."""
    with pytest.raises(DatasetInvalid, match=said):
        read_dataset(write(annotation(1, 1, 0, 10), annotation(2, 2, 20, 30) | change))


@pytest.mark.parametrize(
    "more",
    [
        {"images": [{"id": 1, "file_name": "one.png", "description": 7}]},
        {"images": [{"id": 1, "file_name": "one.png", "width": "wide", "height": 60}]},
        {"images": [{"id": 1, "file_name": "one.png", "width": float("inf"), "height": 60}]},
        {"images": [{"id": 1}]},
        {"images": [{"id": 1, "file_name": "one.png"}, {"id": 1, "file_name": "two.png"}]},
        {"categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "sofa"}]},
        {"images": [{"id": 1, "file_name": "one.png", "description": "half \ud83d"}]},
        {"categories": [{"id": 1, "name": " "}]},
        {"categories": [{"id": 1, "name": "half \ud83d"}]},
        {"refs": [{"image_id": 1, "ann_id": 1, "sentences": [{"sent": 7}]}]},
        {"refs": [{"image_id": 1, "ann_id": 1}]},
        {"refs": {"image_id": 1}},
        {"refs": [{"image_id": 2, "ann_id": 1, "sentences": [{"sent": "the cat"}]}]},
    ],
    ids=ascii,
)
def test_the_rest_of_the_file_is_checked_too(write: Annotate, more: dict[str, Any]) -> None:
    """Before the first question is asked."""
    with pytest.raises(DatasetInvalid):
        read_dataset(write(annotation(1, 1, 0, 10), **more))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, '{"images": 7}', '{"images": [{}], "annotations": [], "categories": []}', "\x80"],
    ids=lambda text: repr(text)[:20],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """With its name."""
    (tmp_path / "annotations.json").write_text(text, encoding="latin-1")
    with pytest.raises(DatasetInvalid, match=r"annotations\.json"):
        read_dataset(tmp_path / "annotations.json")


def test_a_dataset_without_objects_or_pictures_is_refused(write: Annotate, tmp_path: Path) -> None:
    """And says what is missing."""
    with pytest.raises(DatasetInvalid, match="no object"):
        read_dataset(write())
    with pytest.raises(DatasetInvalid, match=r"no picture .*elsewhere"):
        read_dataset(write(annotation(1, 1, 0, 10)), images=tmp_path / "elsewhere")
    with pytest.raises(DatasetInvalid, match="No such file"):
        read_dataset(tmp_path / "nothing.json")
