"""Pencil Code logs: contents of traces and reasons of rejected lines, against a plain reading."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import make_key
from ingest_oracle import plain_reading
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.store import Dataset, open_dataset
from redraft.errors import InputError, UsageError

KEY = b"a key of more than sixteen bytes"


def read(folder: Path, files: list[tuple[str, bytes]], out: str = "d", **options: Any) -> Dataset:
    folder.mkdir(exist_ok=True)
    make_key(folder / "key", KEY)
    paths = []
    for name, data in files:
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    source = PencilCode(paths=paths, **options)
    return ingest(source, folder / out, IngestOptions(key=folder / "key", origin="simulated", memory="256MB"))


def contents(dataset: Dataset) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    return {
        (trace.student, trace.title): [(s.at, s.code, s.language, s.mode, s.truncated) for s in trace.states]
        for trace in dataset.traces()
    }


def listed(dataset: Dataset) -> list[tuple[int, int, str]]:
    table = pq.read_table(dataset.path / "rejected.parquet")
    return sorted(zip(*(table[name].to_pylist() for name in ("file", "line", "reason")), strict=True))


def line(
    code: str | None = "fd+100", *, owner: str = "ann", uid: str = "uid=1", at: str = "04/Feb/2022:06:25:26 +0000",
    title: str = "square", query: str | None = None, url: str | None = None,
) -> str:  # fmt: skip
    query = query if query is not None else f"run&mode=t&lang=cs&code={code}"
    return f'10.0.0.1 {owner} {uid} [{at}] "GET {url or f"/log/{title}?{query}"} HTTP/1.1" 200 0 "https://x/" "A (B)"'


def text(*lines: str) -> bytes:
    return "".join(item + "\n" for item in lines).encode()


def check(tmp_path: Path, files: list[tuple[str, bytes]], **options: Any) -> Dataset:
    plain = plain_reading(files, KEY, **options)
    dataset = read(tmp_path, files, **options)
    assert contents(dataset) == plain.traces
    assert listed(dataset) == plain.rejected
    assert dataset.manifest.rejected == Counter(reason for _, _, reason in plain.rejected)
    assert dataset.manifest.states == sum(map(len, plain.traces.values()))
    return dataset


def test_code_is_decoded_bars_first_then_plus_then_escapes(tmp_path: Path) -> None:
    dataset = check(tmp_path, [("a.log", text(line("++fd+1%2B2|%7C%0Art,90%20++|")))])
    (trace,) = dataset.traces()
    assert trace.states[0].code == "  fd 1+2\n|\nrt,90"
    assert trace.states[0].language == "coffeescript"
    assert trace.states[0].mode == "t"
    assert trace.source == "pencilcode"


def test_consecutive_duplicates_keep_the_last_and_empty_edges_go(tmp_path: Path) -> None:
    codes = ["", "+", "a", "a", "a|", "", "", "b", "a", ""]
    lines = [line(code, at=f"04/Feb/2022:06:25:{i:02} +0000") for i, code in enumerate(codes)]
    dataset = check(tmp_path, [("a.log", text(*lines, line("", owner="empty")))])
    (trace,) = dataset.traces()
    assert [state.code for state in trace.states] == ["a", "", "b", "a"]
    assert [state.at.second for state in trace.states if state.at] == [4, 6, 7, 8]
    assert dataset.manifest.rejected == {"duplicate": 4, "empty_edge": 3}


def test_equal_times_follow_path_order_then_line_order(tmp_path: Path) -> None:
    files = [
        ("b.log", text(line("1"), line("2"))),
        ("a.log", text(line("3"), line("0", at="04/Feb/2022:07:25:26 +0100"))),
    ]
    (trace,) = check(tmp_path, files).traces()
    assert [state.code for state in trace.states] == ["1", "2", "3", "0"]


def test_truncation_counts_utf16_units_before_white_space_is_dropped(tmp_path: Path) -> None:
    lines = [
        line("x" * 1024, title="a"), line("x" * 1023, title="b"), line("x" * 1020 + "++++", title="c"),
        line(quote("\N{TURTLE}") * 512, title="d"), line(quote("\N{TURTLE}") * 511 + "x", title="e"), line(quote("ž") * 1023, title="f"),
    ]  # fmt: skip
    dataset = check(tmp_path, [("a.log", text(*lines))])
    assert {t.title: t.final.truncated for t in dataset.traces()} == dict(
        zip("abcdef", [True, False, True, True, False, False], strict=True)
    )


REJECTS = {
    "too_long": [line("x" * 2_000_000)],
    "malformed": [
        "", " ", "\x16\x03\x01 - - garbage", line()[:90], line().replace("[", ""), line().replace("10.0.0.1 ", ""),
        line().replace(" 200 0", ""), line(url="/log/a b?run&code=x"), line().replace("HTTP/1.1", ""), "a b [x]",
        line().replace("ann", "ann two"), line().replace("GET", "get"), '1 2 3 [04/Feb/2022:06:25:26 +0000] "-" 408 0 "-" "-"',
    ],
    "bad_time": [
        line(at=at) for at in ("31/Feb/2022:06:25:26 +0000", "04/Feb/2022:06:25:60 +0000", "04/Feb/2022:24:25:26 +0000", "x", "",
            "04/Foo/2022:06:25:26 +0000", "04/Feb/2022:06:25:26", "04/Feb/2022:06:25:26 +2500", "04/Feb/0000:06:25:26 +0000")
    ],
    "not_log": [line(url="/load/square"), line(url="/log?run&code=x"), line().replace("GET", "POST"), line(url="/LOG/a?run&code=x")],
    "no_student": [line(owner="-"), line(owner=md5(b"-").hexdigest())],
    "no_title": [line(title=""), line(title="a/"), line(title="a%2F")],
    "bad_title": [line(title="a" * 101), line(title="%zz"), line(title="%ff"), line(title="a%2")],
    "other_action": [line(query=q) for q in ("save&code=x", "", "code=x", "RUN&code=x", "run=&code=x", "save&run&code=x")],
    "no_code": [line(query="run"), line(query="run&mode=b"), line(query="run&code")],
    "bad_escape": [line(code) for code in ("%", "%4", "%ZZ", "a%FFb", "%C3", "%ED%A0%80", "%C0%80", "%%41", "%+1", "%4|")],
}  # fmt: skip


@pytest.mark.parametrize("reason", REJECTS)
def test_each_reason(tmp_path: Path, reason: str) -> None:
    dataset = check(tmp_path, [("a.log", text(line(), *REJECTS[reason]))])
    assert dataset.manifest.rejected == {reason: len(REJECTS[reason])}
    assert listed(dataset) == [(1, row, reason) for row in range(2, len(REJECTS[reason]) + 2)]


def test_what_is_allowed(tmp_path: Path) -> None:
    lines = [
        line(title="A%2fB/%C3%84%20x"), line(title="a" * 100), line(title=quote("ö") * 100), line(title="%3F?"[:3]),
        line(query="mode=b&run&code=x&lang=JS&code=y&mode=t"), line(query="code=q&run"), line(query="run&code=a?b"),
        line(at="1/Mar/2022:00:00:00 -0930"), line("x\0y"), line("\N{TURTLE} raw"[:1]), line(query="run&lang=n&mode=x&code=z"),
        line().replace("200 0", "304 -"), line().split(' "https')[0], line() + "\r", line(owner="-x"), line("[\"]"[:1] + "]"),
    ]  # fmt: skip
    dataset = check(tmp_path, [("a.log", text(*lines))])
    assert set(dataset.manifest.rejected) <= {"duplicate"}


def test_unreadable_bytes_are_counted_by_line(tmp_path: Path) -> None:
    data = (
        text(line("1"))
        + b"\xff\xfe\n"
        + bytes(range(128, 256))
        + b"\n"
        + b"\0\0\0\n"
        + text(line("2"))
        + b"no line end"
    )
    dataset = check(tmp_path, [("a.log", data)])
    assert dataset.manifest.rejected == {"not_utf8": 2, "malformed": 2}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("identity", ["owner", "uid", "both"])
def test_the_anonymous_form_and_identities(tmp_path: Path, identity: str, ending: str) -> None:
    lines = [
        f"{md5(owner.encode()).hexdigest()} {md5(uid.encode()).hexdigest()} [04/Feb/2022:06:25:{i:02} +0000]GET /log/a?run&code=x{i}"
        for i, (owner, uid) in enumerate(
            [("ann", "1"), ("ann", "2"), ("bob", "1"), ("-", "1"), ("ann", "-"), ("-", "-")]
        )
    ]
    lines += [line(owner=owner, uid=uid) for owner, uid in (("-", "1"), ("ann", "-"), ("ann", "1"))]
    lines += [lines[0] + " HTTP/1.1", lines[0] + " more"]
    dataset = check(tmp_path, [("a.log", "".join(item + ending for item in lines).encode())], identity=identity)
    assert dataset.manifest.students == {"owner": 3, "uid": 3, "both": 4}[identity]


def test_other_actions_on_request(tmp_path: Path) -> None:
    lines = [line(query=f"{action}&code={action}") for action in ("run", "save", "load", "new", "toggle", "refresh")]
    dataset = check(tmp_path, [("a.log", text(*lines))], actions=("run", "save", "toggle"))
    assert [state.code for state in next(dataset.traces()).states] == ["run", "save", "toggle"]
    with pytest.raises(UsageError, match="Did you mean 'save'"):
        PencilCode(paths=[], actions=("saves",))
    with pytest.raises(UsageError, match="owner"):
        PencilCode(paths=[], identity="name")  # type: ignore[arg-type]


def test_packing_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    datas = [text(line(str(i), at=f"04/Feb/2022:06:25:{i:02} +0000")) for i in range(4)]
    packed = [
        datas[0],
        gzip.compress(datas[1]) + gzip.compress(datas[2]),
        pa.compress(datas[3], codec="zstd", asbytes=True),
    ]
    dataset = read(tmp_path, [("a.gz", packed[0]), ("b.log", packed[1]), ("c.txt", packed[2])])
    assert [state.code for state in next(dataset.traces()).states] == ["0", "1", "2", "3"]


WORDS = st.sampled_from(
    ["run", "save", "mode=b", "mode=t", "mode=", "lang=cs", "lang=js", "lang=n", "lang=Py", "code=", "code=a", "code=a+", "code=+a",
     "code=%C3%A9|", "code=%zz", "code=%E9", "code=x%00", "code=%F0%9F%90%A2", "code=a%26b", "x", "a=b=c", "", "code=a|+|", "code=%09%C2%A0"]
)  # fmt: skip
URLS = st.builds(lambda title, words: f"/log/{title}?{'&'.join(words)}", st.sampled_from(
    ["a", "A", "b/a", "b%2Fa", "", "a/", "%zz", "%c3%89", "%C4%B0", "%CE%A3", "a" * 101, "a?b", "."]), st.lists(WORDS, max_size=5))  # fmt: skip
TIMES = st.sampled_from(
    ["04/Feb/2022:06:25:26 +0000", "04/Feb/2022:06:25:27 +0000", "04/Feb/2022:07:25:26 +0100", "29/Feb/2021:00:00:00 +0000",
     "04/feb/2022:6:5:6 -0000", "04/Feb/2022:06:25:26 -1130", "", "4/Feb/2022", "31/Dec/9999:23:59:59 -0100"]
)  # fmt: skip
PEOPLE = st.sampled_from(["ann", "bob", "-", "", "a b", md5(b"-").hexdigest(), "é"])
FORMS = st.sampled_from(
    ['1.1.1.1 {o} {u} [{t}] "GET {p} HTTP/1.1" 200 0 "-" "x"', "{o} {u} [{t}]GET {p}", '1 {o} {u} [{t}] "POST {p} HTTP/1.1" 200 0',
     '1 {o} {u} [{t}] "GET {p}', "{o} {u} [{t}]GET {p} HTTP/1.1", '{o} {u} [{t}] "GET {p} HTTP/1.0" 200 -', "{p}", "{o} [{t}]{p}"]
)  # fmt: skip
LINES = st.builds(lambda form, o, u, t, p: form.format(o=o, u=u, t=t, p=p).encode(), FORMS, PEOPLE, PEOPLE, TIMES, URLS)
DIRT = st.builds(lambda raw, i, junk: raw[:i] + junk + raw[i:], LINES, st.integers(0, 90), st.sampled_from(
    [b"\0", b"\xff", b'"', b" ", b"]", b"[", b"%", b"&", b"?", b"\r", b"\xc3\xa9", b"+", b"|", b" HTTP/", b""]))  # fmt: skip


SIGNS = [
    b"\0",
    b"\xff",
    b'"',
    b" ",
    b"]",
    b"[",
    b"%",
    b"&",
    b"?",
    b"\r",
    "\u3000".encode(),
    b"+",
    b"|",
    b" HTTP/",
    b"=",
    b"-",
    b"2",
]


def usual_line(rng: random.Random) -> bytes:
    """The editor's usual line, perhaps with one sign too many, too few or another."""
    owner, uid = (rng.choice(["ann", "ann", "bob", "-"]) for _ in range(2))
    at = rng.choice(["04/Feb/2022:06:25:26 +0000", "28/Feb/2021:23:59:59 -1130", "30/Feb/2022:06:25:26 +0000"])
    code = rng.choice(["fd+100", "", "%E9", "a|%C3%A9%", "a?b", "x%F0%9F%90%A2+", "%2B%7c"])
    title = rng.choice(["a", "A/b", "", "%zz"])
    query = f"run&mode={rng.choice('bttx')}&lang={rng.choice(['cs', 'cs', 'js', ''])}&code={code}"
    raw = line(owner=owner, uid=uid, at=at, title=title, query=query).encode()
    for _ in range(rng.choice([0, 1, 1, 2])):
        place = rng.randrange(len(raw))
        raw = raw[:place] + rng.choice([b"", *SIGNS]) + raw[place + rng.randrange(2) :]
    return raw


@pytest.mark.parametrize("identity", ["owner", "uid", "both"])
def test_lines_one_sign_off_the_usual_read_as_a_plain_reading_does(tmp_path: Path, identity: str) -> None:
    rng = random.Random(identity)
    check(tmp_path, [("a.log", b"\n".join(usual_line(rng) for _ in range(4000)))], identity=identity)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(st.one_of(LINES, DIRT, st.binary(max_size=40)), min_size=1, max_size=60),
    st.sampled_from(["owner", "uid", "both"]),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_any_dirty_log_reads_as_a_plain_reading_does(
    tmp_path: Path, lines: list[bytes], identity: str, ending: bytes
) -> None:
    good = line("first", owner="zoe", uid="uid=z").encode()  # so that there is a dataset
    body = ending.join([good, *lines])
    with TemporaryDirectory(dir=tmp_path) as folder:
        check(Path(folder), [("a.log", body)], identity=identity)


@pytest.mark.supplied
def test_supplied_logs_read_exactly(shared: Path, tmp_path: Path) -> None:
    files = sorted((shared / "logs").glob("*.gz"))
    plain = plain_reading([(file.name, gzip.decompress(file.read_bytes())) for file in files], KEY)
    make_key(tmp_path / "key", KEY)
    options = IngestOptions(origin="model", key=tmp_path / "key")
    dataset = ingest(PencilCode(paths=[shared / "logs"]), tmp_path / "d", options)
    assert contents(dataset) == plain.traces
    assert listed(dataset) == plain.rejected
    assert (dataset.manifest.traces, dataset.manifest.states) == (7750, 36761)
    counts = {"bad_escape": 151, "malformed": 577, "no_title": 168, "not_log": 724, "other_action": 378}
    assert {reason: dataset.manifest.rejected[reason] for reason in counts} == counts
    assert set(dataset.manifest.rejected) == {*counts, "duplicate", "empty_edge"}
    assert [t.student for t in dataset.traces()] == sorted(t.student for t in dataset.traces())


def test_a_file_of_another_format_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"b\.csv: it is not of the format"):
        read(tmp_path, [("a.log", text(line())), ("b.csv", b"a,b\n1,2\n")])
    dataset = open_dataset(tmp_path / "d")
    assert len(dataset) == 1
    assert dataset.manifest.rejected == {"malformed": 2}
    with pytest.raises(InputError, match="nothing usable"):
        read(tmp_path, [("b.csv", b"a,b\n1,2\n")], out="e")
    assert not (tmp_path / "e").exists()
    assert not (tmp_path / "e.partial").exists()
