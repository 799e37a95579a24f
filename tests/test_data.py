"""Data: the digits in the package, CIFAR-10 from files and from a server, folders, and what is refused."""

import hashlib
import io
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from netc.diagnostics import Refused
from netc.passes.recipe import Invocation, Setting, read_recipe
from netc.train.cifar10 import FOLDER, NAMES, RECORD, Origin, load_cifar10, load_test_cifar10
from netc.train.data import load_data
from netc.train.dataset import Dataset, Split, check_fit
from netc.train.download import Download, fetch
from netc.train.embedded import held_out, load_digits
from netc.train.picture import open_picture
from netc.train.preprocess import Preprocess, from_json, measured


def refusal(call, *arguments, **keywords):
    with pytest.raises(Refused) as refused:
        call(*arguments, **keywords)
    (diagnostic,) = refused.value.diagnostics
    return diagnostic


# The digits


def test_the_digits_are_all_there_and_split_within_each_class():
    digits = load_digits()
    assert digits.shape == (1, 8, 8) and len(digits.train) + len(digits.test) == 1797
    all_, test = (np.bincount(np.concatenate(labels), minlength=10) for labels in (
        (digits.train.labels, digits.test.labels), (digits.test.labels,),
    ))  # fmt: skip
    assert all_.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert test.tolist() == [n // 5 for n in all_]
    assert digits.train.images.max() == 255 and digits.train.images.dtype == np.uint8


def test_the_split_is_a_fixed_rule():
    labels = np.array([0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert np.flatnonzero(held_out(labels)).tolist() == [5, 9]


def test_digits_look_like_digits():
    """The nearest training image names 98 in 100 test images; with shuffled labels it cannot."""
    digits = load_digits()
    train, test = (s.images.reshape(len(s), -1).astype(np.float64) for s in (digits.train, digits.test))
    distance = (test**2).sum(1)[:, None] - 2 * test @ train.T + (train**2).sum(1)
    nearest = distance.argmin(1)
    assert (digits.train.labels[nearest] == digits.test.labels).mean() > 0.98
    shuffled = np.random.default_rng(0).permutation(digits.train.labels)
    assert (shuffled[nearest] == digits.test.labels).mean() < 0.2


# CIFAR-10


def records(count, seed=0):
    rows = np.random.default_rng(seed).integers(0, 256, (count, RECORD), dtype=np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows


def write_batches(folder, count=4):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(NAMES):
        (folder / name).write_bytes(records(count, seed).tobytes())
    return folder


def archive_of(folder, names=NAMES):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        evil = tarfile.TarInfo("../evil.bin")
        evil.size = 3
        tar.addfile(evil, io.BytesIO(b"bad"))
        for name in names:
            tar.add(folder / name, f"{FOLDER}/{name}")
    return packed.getvalue()


def origin_of(body, url="http://127.0.0.1:9/none", images=4):
    return Origin(Download(url, hashlib.sha256(body).hexdigest(), len(body)), images)


@pytest.mark.parametrize("inner", ["", FOLDER])
def test_cifar10_is_found_in_the_folder_or_below(tmp_path, inner):
    write_batches(tmp_path / inner)
    data = load_cifar10(tmp_path, origin_of(b""))
    assert (len(data.train), len(data.test), data.shape) == (20, 4, (3, 32, 32))
    row = records(4, seed=2)[3]
    assert data.train.labels[2 * 4 + 3] == row[0]
    image = data.train.images[2 * 4 + 3]
    assert image[5, 7, 1] == row[1 + 1024 + 5 * 32 + 7]  # row 5, column 7 of the green plane


def test_the_test_images_of_cifar10_need_no_training_files(tmp_path):
    write_batches(tmp_path)
    whole = load_cifar10(tmp_path, origin_of(b""))
    for name in NAMES[:-1]:
        (tmp_path / name).unlink()
    test = load_test_cifar10(tmp_path, origin_of(b""))
    assert (test.split.images == whole.test.images).all() and (test.split.labels == whole.test.labels).all()
    assert test.classes == whole.classes and test.shape == (3, 32, 32)


def test_a_file_of_another_size_is_refused(tmp_path):
    write_batches(tmp_path)
    (tmp_path / NAMES[3]).write_bytes(b"x" * 100)
    assert refusal(load_cifar10, tmp_path, origin_of(b"")).code == "E0823"


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    write_batches(tmp_path)
    rows = records(4)
    rows[2, 0] = 10
    (tmp_path / NAMES[3]).write_bytes(rows.tobytes())
    found = refusal(load_cifar10, tmp_path, origin_of(b""))
    assert found.code == "E0823" and "image 2 has the label 10" in found.message


def test_without_files_or_network_the_message_names_what_was_looked_for(tmp_path):
    found = refusal(load_cifar10, tmp_path / "here", origin_of(b""), tmp_path / "cache")
    text = " ".join(note.text for note in found.notes)
    assert found.code == "E0822"
    assert (
        str(tmp_path / "here" / FOLDER) in text
        and "data_batch_1.bin" in text
        and str(tmp_path / "cache") in text
    )


# A server that behaves as it is told


@contextmanager
def serving(body, ranges=True, cut=None, status=None):
    """Serves `body`; `cut` is after how many bytes a whole answer breaks off."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            asked.append(wanted)
            start = int(wanted[6:-1]) if wanted and ranges else 0
            if status or start >= len(body):
                self.send_error(status or 416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            self.wfile.write(body[start : start + cut if cut else None])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


BODY = bytes(np.random.default_rng(3).integers(0, 256, 5000, dtype=np.uint8))


def wanted(url, body=BODY):
    return Download(url, hashlib.sha256(body).hexdigest(), len(body))


def test_a_file_is_fetched_once_and_proved(tmp_path):
    heard = []
    with serving(BODY) as (url, asked):
        target = fetch(wanted(url), tmp_path / "deep" / "file", lambda *at: heard.append(at))
        assert fetch(wanted(url), target).read_bytes() == BODY
    assert (
        asked == [None]
        and heard[-1] == (5000, 5000)
        and [p.name for p in target.parent.iterdir()] == ["file"]
    )


def test_a_kept_file_that_was_changed_is_not_used(tmp_path):
    (tmp_path / "file").write_bytes(BODY[:-1] + b"!")
    found = refusal(fetch, wanted("http://127.0.0.1:9/"), tmp_path / "file")
    assert found.code == "E0823" and not (tmp_path / "file").exists()


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path):
    with serving(BODY[:-1] + b"!") as (url, _):
        found = refusal(fetch, wanted(url), tmp_path / "file")
    assert found.code == "E0823" and "SHA-256" in found.message and not list(tmp_path.iterdir())


@pytest.mark.parametrize("ranges", [True, False])
def test_a_started_download_goes_on_or_begins_again(tmp_path, ranges):
    (tmp_path / "file.part").write_bytes(BODY[:1234])
    with serving(BODY, ranges) as (url, asked):
        assert fetch(wanted(url), tmp_path / "file").read_bytes() == BODY
    assert asked == ["bytes=1234-"]


def test_a_connection_that_breaks_is_resumed_by_itself(tmp_path):
    with serving(BODY, cut=2000) as (url, asked):
        assert fetch(wanted(url), tmp_path / "file").read_bytes() == BODY
    assert asked == [None, "bytes=2000-", "bytes=4000-"]


def test_a_truncated_body_is_refused_and_kept_for_the_next_time(tmp_path):
    with serving(BODY, cut=1000) as (url, _):
        found = refusal(fetch, wanted(url), tmp_path / "file")
    assert found.code == "E0822" and "3000 of 5000" in found.message
    assert (tmp_path / "file.part").read_bytes() == BODY[:3000] and not (tmp_path / "file").exists()
    with serving(BODY) as (url, _):
        assert fetch(wanted(url), tmp_path / "file").read_bytes() == BODY


def test_a_longer_body_is_refused(tmp_path):
    with serving(BODY + b"more") as (url, _):
        assert refusal(fetch, wanted(url), tmp_path / "file").code == "E0823"
    assert not list(tmp_path.iterdir())


def test_a_wrong_start_is_thrown_away_in_the_end(tmp_path):
    (tmp_path / "file.part").write_bytes(b"?" * 10)
    with serving(BODY) as (url, _):
        assert refusal(fetch, wanted(url), tmp_path / "file").code == "E0823"
        assert fetch(wanted(url), tmp_path / "file").read_bytes() == BODY


def test_the_archive_is_read_without_being_unpacked(tmp_path):
    batches = write_batches(tmp_path / "batches")
    body = archive_of(batches)
    with serving(body) as (url, _):
        data = load_cifar10(None, origin_of(body, url), tmp_path / "cache")
    assert (data.train.images == load_cifar10(batches, origin_of(b"")).train.images).all()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["cifar-10-binary.tar.gz"]
    assert not (tmp_path / "evil.bin").exists()


def test_an_archive_that_lacks_a_member_and_a_server_error_are_refused(tmp_path):
    body = archive_of(write_batches(tmp_path / "batches"), NAMES[:-1])
    with serving(body) as (url, _):
        found = refusal(load_cifar10, None, origin_of(body, url), tmp_path / "cache")
    assert found.code == "E0823" and "test_batch.bin" in found.message
    with serving(body, status=503) as (url, _):
        found = refusal(load_cifar10, None, origin_of(body, url), tmp_path / "other")
    assert found.code == "E0822" and "Service Unavailable" in found.message


# A folder of images


def paint(root, sizes=((6, 5), (6, 5)), classes=("cat", "dog")):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in classes:
            (root / part / name).mkdir(parents=True)
            for index, (height, width) in enumerate(sizes):
                pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{index}.png")
    return root


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    data = load_data(f"folder:{paint(tmp_path)}", 3)
    assert (data.classes, data.shape, data.train.labels.tolist()) == (("cat", "dog"), (3, 6, 5), [0, 0, 1, 1])
    third = np.asarray(Image.open(tmp_path / "train" / "dog" / "0.png"))
    assert (data.train.images[2] == third).all()
    assert load_data(f"folder:{tmp_path}", 1).shape == (1, 6, 5)


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    assert refusal(load_data, f"folder:{tmp_path / 'none'}", 3).code == "E0824"
    root = paint(tmp_path / "a")
    (root / "test" / "cat").rename(root / "test" / "cow")
    found = refusal(load_data, f"folder:{root}", 3)
    assert found.code == "E0824" and "test/cat, train/cow" in found.message
    root = paint(tmp_path / "b")
    Image.new("RGB", (6, 5)).save(root / "test" / "dog" / "1.png")
    unequal = refusal(load_data, f"folder:{root}", 3)
    assert unequal.code == "E0825" and "is 5 x 6 (H x W), and the first image is 6 x 5" in unequal.message
    root = paint(tmp_path / "c")
    (root / "train" / "dog" / "1.png").write_text("not a picture")
    assert refusal(load_data, f"folder:{root}", 3).code == "E0825"


def test_all_that_is_wrong_with_a_folder_is_said_in_one_run(tmp_path):
    root = paint(tmp_path, ((6, 5), (6, 5), (5, 6)), ("cat", "cow", "dog"))
    for part in ("train", "test"):
        (root / part / "ant").mkdir()
    (root / "train" / "cat" / "0.png").write_text("not a picture")
    (root / "train" / "cow" / "notes.txt").write_text("stray")
    with pytest.raises(Refused) as refused:
        load_data(f"folder:{root}", 3)
    found = [(d.code, d.message.split(" ")[0].removeprefix(f"{root}/")) for d in refused.value.diagnostics]
    odd = [("E0825", f"{part}/{name}/2.png") for part in ("train", "test") for name in ("cat", "cow", "dog")]
    assert sorted(found) == sorted([("E0824", "train/ant"), ("E0824", "test/ant"), ("E0825", "train/cat/0.png"),
                                    ("E0825", "train/cow/notes.txt"), *odd])  # fmt: skip
    helps = {d.message: d.help or "" for d in refused.value.diagnostics}
    assert all("remove the folder" in help_ for text, help_ in helps.items() if "ant has no images" in text)
    assert all("remove the file" in help_ for text, help_ in helps.items() if "cannot be read" in text)


def test_a_folder_of_nothing_that_can_be_read_gives_twenty_findings(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part / "cat").mkdir(parents=True)
        for index in range(30):
            (tmp_path / part / "cat" / f"{index}.png").write_text("no")
    with pytest.raises(Refused) as refused:
        load_data(f"folder:{tmp_path}", 3)
    assert [d.code for d in refused.value.diagnostics] == ["E0825"] * 20


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    assert open_picture(tmp_path / "bomb.png", 1, most=10_000).size == (100, 100)
    assert refusal(open_picture, tmp_path / "bomb.png", 1, most=9_999).code == "E0825"
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "bomb.png").read_bytes()[:60])
    assert refusal(open_picture, cut, 1).code == "E0825"


def test_unknown_data_is_answered_with_the_nearest():
    assert refusal(load_data, "digit", 1).help == "did you mean `digits`?"
    assert refusal(load_data, "folder:", 1).code == "E0821"


# Does it fit?


def small(count=10, size=(4, 6), channels=3, classes=2):
    images = np.random.default_rng(0).integers(0, 256, (count, *size, channels), dtype=np.uint8)
    split = Split(images, np.arange(count) % classes)
    return Dataset("small", split, split, tuple("ab"[:classes]))


def test_data_that_do_not_fit_are_refused_before_training():
    check_fit(small(), (3, 4, 6), 2, read_recipe((), ("train.batch=10",)))
    assert refusal(check_fit, small(), (3, 6, 4), 2).code == "E0826"
    assert refusal(check_fit, small(), (1, 4, 6), 2).code == "E0826"
    assert refusal(check_fit, small(), (24,), 2).code == "E0826"
    assert refusal(check_fit, small(), (3, "H", 6), 2).help == "say the size: --set H=4"
    assert refusal(check_fit, small(), (3, "H", "W"), 2).help == "say the size: --set H=4 --set W=6"
    assert refusal(check_fit, small(), (3, "2*H", 6), 2).help is None
    assert refusal(check_fit, small(), (3, 4, 6), 10).code == "E0827"
    alone = refusal(check_fit, small(classes=1), (3, 4, 6), 10)
    assert (
        alone.message == "small has 1 class, and the net has 10 outputs" and "--set classes=1" in alone.help
    )
    large = refusal(check_fit, small(), (3, 4, 6), 2, read_recipe((), ("train.batch=11",)))
    assert large.code == "E0828" and "--set train.batch=8" in large.help
    crop = read_recipe((Setting("augment", (Invocation("random_crop", (4,)),)), Setting("batch", (2,))))
    assert refusal(check_fit, small(), (3, 4, 6), 2, crop).code == "E0828"
    check_fit(small(size=(4, 4)), (3, 4, 4), 2, crop)


def test_the_measured_mean_and_deviation_normalise_the_training_images():
    data = small(50)
    normal = measured(data.train).apply(data.train.images)
    assert normal.shape == (50, 3, 4, 6) and normal.dtype == np.float32
    assert np.abs(normal.mean((0, 2, 3))).max() < 1e-4 and np.abs(normal.std((0, 2, 3)) - 1).max() < 1e-4
    wrong = Preprocess((4, 6), 3, (0.1, 0.2, 0.3), measured(data.train).std)
    assert np.abs(wrong.apply(data.train.images).mean((0, 2, 3))).max() > 0.1


def test_preprocessing_survives_json_and_nonsense_is_refused():
    good = measured(small().train)
    assert from_json(good.as_json()) == good
    for key, bad in (
        ("size", [4]),
        ("size", [0, 6]),
        ("channels", 2),
        ("mean", [0.1]),
        ("std", [0, 1, 1]),
        ("mean", "abc"),
    ):
        with pytest.raises(ValueError):
            from_json({**good.as_json(), key: bad})


def test_sixteen_bits_become_eight(tmp_path) -> None:
    from netc.train.picture import open_picture, pixels

    deep = np.array([[0, 255, 256], [40000, 65535, 32768]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert pixels(open_picture(tmp_path / "deep.png", 1))[..., 0].tolist() == [[0, 0, 1], [156, 255, 128]]
