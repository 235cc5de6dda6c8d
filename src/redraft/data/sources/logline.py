"""Lines of an access log, taken apart byte by byte in compiled loops; `pencilcode` states the rules.

In: a block's bytes, and where its lines are cut. Out, line by line, in arrays the caller gives: flags, the places of
the fields, the time, and the program, unescaped.
"""

from __future__ import annotations

from string import hexdigits

import numpy as np

from redraft.compiling import compiled

MALFORMED, NOT_LOG, OTHER_ACTION, NO_CODE, BAD_ESCAPE, BEYOND_ASCII = 1, 2, 4, 8, 16, 32
OWNER, UID, STAMP, PATH, LANG, MODE = range(6)
FIELDS = 6
_CODE, _ACTION = FIELDS, FIELDS + 1
BAD_TIME = np.iinfo(np.int64).min

Int = int | np.signedinteger
Bool = bool | np.bool

_LF, _CR, _BLANK, _QUOTE, _PERCENT, _AND, _PLUS, _DASH = 10, 13, 32, 34, 37, 38, 43, 45
_BACKSLASH, _X = 92, 120
_SLASH, _COLON, _EQUALS, _QUESTION, _OPEN, _CLOSE, _BAR = 47, 58, 61, 63, 91, 93, 124
_ONE, _TWO = np.uint64(1), np.uint64(2)
_GET, _LOG, _HTTP = (np.frombuffer(word, np.uint8) for word in (b"GET ", b"/log/", b" HTTP/"))
_CODE_IS, _LANG_IS, _MODE_IS = (np.frombuffer(word, np.uint8) for word in (b"code=", b"lang=", b"mode="))


def _signs(signs: bytes) -> np.ndarray:
    """Which bytes are `signs`; (2, 256): in a request without and with quotes around it."""
    found = np.zeros((2, 256), bool)
    found[:, list(signs)] = True
    found[1, _QUOTE] = True
    return found


_URL_ENDS, _PATH_ENDS, _WORD_ENDS = _signs(b" "), _signs(b" ?"), _signs(b" &")
_STAMP_WIDTH = len("04/Feb/2022:06:25:26 +0000")
_MONTHS = np.array([int.from_bytes(name, "big") for name in b"jan feb mar apr may jun jul aug sep oct nov dec".split()])
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_000_000  # the years 1 to 9999
_WRITTEN = np.arange(256, dtype=np.uint8)
"""What the editor writes a byte for: a bar for a line end, a plus for a blank."""
_WRITTEN[_BAR], _WRITTEN[_PLUS] = _LF, _BLANK
_NO_DIGIT = 255
_HEX = np.full(256, _NO_DIGIT, np.uint8)
for _digit in hexdigits:
    _HEX[ord(_digit)] = int(_digit, 16)


@compiled
def take_apart(
    data: np.ndarray,
    cuts: np.ndarray,
    readable: np.ndarray,
    actions: np.ndarray,
    flags: np.ndarray,
    fields: np.ndarray,
    moments: np.ndarray,
    plain: np.ndarray,
    program_cuts: np.ndarray,
    units: np.ndarray,
) -> None:
    """Take N lines apart.

    Args:
        data: Their bytes, uint8, line ends included.
        cuts: Where they are cut, (N + 1,).
        readable: Lines to look at, (N,); of the others only `fields` and `program_cuts` are set.
        actions: The wanted actions, uint8, with a blank before and behind each.
        flags: Out: uint8 (N,), the sum of what holds of a line.
        fields: Out: int32 (FIELDS, 2, N), where each field starts and ends; nowhere, if a line has none.
        moments: Out: int64 (N,), microseconds since 1970 in UTC; `BAD_TIME` for a stamp not in the usual form.
        plain: Out: uint8, as many bytes as `data`: the programs, `|` and `+` and %XX decoded, one after the other.
        program_cuts: Out: int32 (N + 1,), where in `plain` they are cut.
        units: Out: int64 (N,), their lengths in UTF-16 units.
    """
    to: Int = 0
    spans = np.zeros((FIELDS + 2, 2), np.int64)
    for line in range(len(flags)):
        start, end = np.int64(cuts[line]), np.int64(cuts[line + 1])
        spans[:] = start
        moments[line] = BAD_TIME
        if readable[line]:
            flags[line] = _cut(data, start, end, spans)
            if not flags[line]:
                if not _is_wanted(data, spans[_ACTION], actions):
                    flags[line] |= OTHER_ACTION
                elif spans[_CODE, 0] == start:
                    flags[line] |= NO_CODE
                else:
                    to = _unescape(data, spans[_CODE], plain, to, flags, units, line)
            if spans[STAMP, 1] - spans[STAMP, 0] == _STAMP_WIDTH:
                moments[line] = _moment(data, spans[STAMP, 0])
        program_cuts[line + 1] = to
        for field in range(FIELDS):
            fields[field, 0, line], fields[field, 1, line] = spans[field]


@compiled
def _cut(data: np.ndarray, start: Int, end: Int, spans: np.ndarray) -> Int:
    """Find a line's fields; the flags `MALFORMED`, else `NOT_LOG` or nothing."""
    quote = _find(data, start, end, _QUOTE)
    quoted = quote < end and quote >= start + 2 and data[quote - 2] == _CLOSE and data[quote - 1] == _BLANK
    front_end = quote if quoted else end
    opens, closes = _find(data, start, front_end, _OPEN), _find(data, start, front_end, _CLOSE)
    if opens == front_end or closes == front_end or closes < opens or (quoted and closes != quote - 2):
        return MALFORMED

    owner = start
    if quoted:
        owner = _find(data, start, opens, _BLANK) + 1
        if owner == start + 1:
            return MALFORMED
    owner_end = _find(data, owner, opens, _BLANK)
    uid_end = _find(data, owner_end + 1, opens, _BLANK)
    if owner_end <= owner or uid_end <= owner_end + 1 or uid_end + 1 != opens:
        return MALFORMED

    method = quote + 1 if quoted else closes + 1
    limit = end  # of the request
    if not quoted:
        limit -= limit > method and data[limit - 1] == _LF
        limit -= limit > method and data[limit - 1] == _CR
    url = _find(data, method, limit, _BLANK) + 1
    if url == method + 1:
        return MALFORMED
    for at in range(method, url - 1):
        if not 65 <= data[at] <= 90:  # A to Z
            return MALFORMED

    spans[OWNER, 0], spans[OWNER, 1] = owner, owner_end
    spans[UID, 0], spans[UID, 1] = owner_end + 1, uid_end
    spans[STAMP, 0], spans[STAMP, 1] = opens + 1, closes
    url_end = _cut_url(data, url, limit, quoted, start, spans)
    if url_end <= url:
        return MALFORMED
    if quoted or url_end < limit:
        if not _reads(data, url_end, limit, _HTTP):
            return MALFORMED
        if quoted:
            request_end = _find_any(data, url_end + 1, end, _URL_ENDS[1])
            if request_end == end or data[request_end] == _BLANK or not _has_status(data, request_end + 1, end):
                return MALFORMED
    is_get = _reads(data, method, url, _GET)
    return 0 if is_get and _reads(data, url, spans[PATH, 1], _LOG) else NOT_LOG


@compiled
def _cut_url(data: np.ndarray, url: Int, limit: Int, quoted: Bool, nowhere: Int, spans: np.ndarray) -> Int:
    """Find a URL's path and parameters; returns where it ends.

    Of a parameter given twice the first counts; the action is the first word without `=`.
    """
    spans[PATH, 0] = url
    url_end = spans[PATH, 1] = _find_any(data, url, limit, _PATH_ENDS[np.int64(quoted)])
    acted = False
    while url_end < limit and (data[url_end] == _QUESTION or data[url_end] == _AND):
        word = url_end + 1
        url_end = _find_any(data, word, limit, _WORD_ENDS[np.int64(quoted)])
        if not acted and _find(data, word, url_end, _EQUALS) == url_end:
            spans[_ACTION, 0], spans[_ACTION, 1] = word, url_end
            acted = True
        for field, name in ((_CODE, _CODE_IS), (LANG, _LANG_IS), (MODE, _MODE_IS)):
            if spans[field, 0] == nowhere and _reads(data, word, url_end, name):
                spans[field, 0], spans[field, 1] = word + len(name), url_end
    return url_end


@compiled
def _is_wanted(data: np.ndarray, span: np.ndarray, actions: np.ndarray) -> Bool:
    length = span[1] - span[0]
    if length == 0:
        return False
    for at in range(len(actions) - length - 1):
        if actions[at] == _BLANK and actions[at + length + 1] == _BLANK:
            same = 0
            while same < length and data[span[0] + same] == actions[at + 1 + same]:
                same += 1
            if same == length:
                return True
    return False


@compiled
def _has_status(data: np.ndarray, at: Int, end: Int) -> Bool:
    """Whether ` 200 0` or the like stands here, and then a blank or nothing: three digits, a number or a dash."""
    if at + 6 > end or data[at] != _BLANK or data[at + 4] != _BLANK:
        return False
    for i in range(at + 1, at + 4):
        if not 48 <= data[i] <= 57:
            return False
    size = at + 5
    at = size + 1 if data[size] == _DASH else size
    while at < end and data[size] != _DASH and 48 <= data[at] <= 57:
        at += 1
    return at > size and (at == end or data[at] == _BLANK or (9 <= data[at] <= 13 and data[at] != 11))


@compiled
def _find(data: np.ndarray, at: Int, end: Int, byte: int) -> Int:
    """The place of the next `byte`; `end` if there is none, or if `at` is behind it."""
    place, last = np.uint64(at), np.uint64(end)  # unsigned: numba need not look for negative places
    while place < last and data[place] != byte:
        place += _ONE
    return min(np.int64(place), end)


@compiled
def _find_any(data: np.ndarray, at: Int, end: Int, signs: np.ndarray) -> Int:
    """The place of the next sign; `end` if there is none."""
    place, last = np.uint64(at), np.uint64(end)
    while place < last and not signs[data[place]]:
        place += _ONE
    return np.int64(place)


@compiled
def _reads(data: np.ndarray, at: Int, end: Int, word: np.ndarray) -> Bool:
    """Whether `word` stands here."""
    if at + len(word) > end:
        return False
    for i in range(len(word)):  # noqa: SIM110  (numba knows no generators)
        if data[at + i] != word[i]:
            return False
    return True


@compiled
def _two(data: np.ndarray, at: Int) -> Int:
    """The number that two digits make; far below 0 if they are none."""
    high, low = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -100_000


@compiled
def _moment(data: np.ndarray, at: Int) -> Int:
    """The moment of a stamp of the usual width; `BAD_TIME` for any doubt."""
    day, hour, minute, second = _two(data, at), _two(data, at + 12), _two(data, at + 15), _two(data, at + 18)
    year = _two(data, at + 7) * 100 + _two(data, at + 9)
    east, past = _two(data, at + 22), _two(data, at + 24)
    if min(day, year) < 1 or min(hour, minute, second, east, past) < 0:
        return BAD_TIME
    if hour > 23 or minute > 59 or second > 59 or east > 23 or past > 59:
        return BAD_TIME
    if data[at + 2] != _SLASH or data[at + 6] != _SLASH or data[at + 20] != _BLANK:
        return BAD_TIME
    if data[at + 11] != _COLON or data[at + 14] != _COLON or data[at + 17] != _COLON:
        return BAD_TIME
    sign = data[at + 21]
    if sign != _PLUS and sign != _DASH:
        return BAD_TIME
    name = (np.int64(data[at + 3] | 32) << 16) | (np.int64(data[at + 4] | 32) << 8) | np.int64(data[at + 5] | 32)
    month = 0
    while month < 12 and _MONTHS[month] != name:
        month += 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 30 if month in (3, 5, 8, 10) else 28 + leap if month == 1 else 31
    if month == 12 or day > longest:
        return BAD_TIME
    years = year - 1 if month < 2 else year  # of years that start in March, a leap day is the last
    days = 365 * years + years // 4 - years // 100 + years // 400 + (153 * ((month + 10) % 12) + 2) // 5 + day - 719_469
    ahead = (east * 60 + past) * (-60 if sign == _DASH else 60)
    found = (days * 86400 + hour * 3600 + minute * 60 + second - ahead) * 1_000_000
    return found if _EARLIEST <= found <= _LATEST else BAD_TIME


@compiled
def _unescape(
    data: np.ndarray, span: np.ndarray, plain: np.ndarray, to: Int, flags: np.ndarray, units: np.ndarray, line: Int
) -> Int:
    r"""A program into `plain`, from `to`; returns where it ends. A bad escape is flagged and stays as it stands.

    Servers write bytes beyond ASCII, quotes and backslashes as `\xHH`: that is undone too.

    A program's length in UTF-16 units is its bytes, less those that go on a character, and one more for a character
    of four bytes (a surrogate pair).
    """
    at, end, place = np.uint64(span[0]), np.uint64(span[1]), np.uint64(to)
    seen = np.uint8(0)
    while at < end:
        byte = data[at]
        at += _ONE
        if byte == _PERCENT:
            high = _HEX[data[at]] if at < end else _NO_DIGIT
            low = _HEX[data[at + _ONE]] if at + _ONE < end else _NO_DIGIT
            if high == _NO_DIGIT or low == _NO_DIGIT:
                flags[line] |= BAD_ESCAPE
            else:
                byte = np.uint8(high << 4 | low)
                at += _TWO
        elif byte == _BACKSLASH and at + _TWO < end and data[at] == _X:
            high, low = _HEX[data[at + _ONE]], _HEX[data[at + _TWO]]
            if high != _NO_DIGIT and low != _NO_DIGIT:
                byte = np.uint8(high << 4 | low)
                at += _TWO + _ONE
        else:
            byte = _WRITTEN[byte]
        seen |= byte
        plain[place] = byte
        place += _ONE
    found = np.int64(place)
    units[line] = found - to
    if seen > 127:
        flags[line] |= BEYOND_ASCII
        for i in range(to, found):
            units[line] += np.int64(plain[i] >= 0xF0) - np.int64(0x80 <= plain[i] < 0xC0)
    return found
