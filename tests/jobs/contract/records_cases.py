"""How a csv text is cut into records: (text, separator, records). The Python side and the Java side are both
held to it."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"
SECTION = "§".encode()  # a separator of two bytes

CASES: list[tuple[bytes, bytes, list[bytes]]] = [
    # lines
    (b"", b";", []),
    (b"a;b", b";", [b"a;b"]),
    (b"a;b\nc;d\n", b";", [b"a;b", b"c;d"]),
    (b"a;b\r\nc;d\r\n", b";", [b"a;b", b"c;d"]),
    (b"a;b\r\nc;d\r", b";", [b"a;b", b"c;d"]),
    (b"a\rb;c\n", b";", [b"a\rb;c"]),
    (b"a;b\r\r\n", b";", [b"a;b\r"]),
    (b"\n \r\n\t\x0b\x0c\na\n\n", b";", [b"a"]),
    (b";\n;;\n", b";", [b";", b";;"]),
    (b"\xff\x00;b\n", b";", [b"\xff\x00;b"]),
    # byte order marks
    (BOM, b";", []),
    (BOM + b"\n" + BOM + b" \r\n", b";", []),
    (BOM + b"a\n" + BOM + b"b\n", b";", [BOM + b"a", BOM + b"b"]),
    (BOM + b'"a\nb";c\n', b";", [BOM + b'"a\nb";c']),
    (BOM + BOM + b'"a\nb"\n', b";", [BOM + BOM + b'"a\nb"']),
    (b"a;" + BOM + b'"b\nc"\n', b";", [b"a;" + BOM + b'"b', b'c"']),
    # quoted fields
    (b'"a";"b"\n"c";"d"', b";", [b'"a";"b"', b'"c";"d"']),
    (b'"a\nb";c\nd;e\n', b";", [b'"a\nb";c', b"d;e"]),
    (b'"a\r\n\r\nb"\r\nc\r\n', b";", [b'"a\r\n\r\nb"', b"c"]),
    (b'a;"b\nc"\r', b";", [b'a;"b\nc"']),
    (b'a;"b\nc"', b";", [b'a;"b\nc"']),
    (b'"a\n1;2\nb";"c\n3;4\nd"\ne\n', b";", [b'"a\n1;2\nb";"c\n3;4\nd"', b"e"]),
    (b'"a\n""b"";\n""";c\nd\n', b";", [b'"a\n""b"";\n""";c', b"d"]),
    (b'"";"";""\n""\n', b";", [b'"";"";""', b'""']),
    (b'""""\n"""a"""\n', b";", [b'""""', b'"""a"""']),
    (b'"\n"\n', b";", [b'"\n"']),
    (b'"a;\nb";"c,\nd"\n', b";", [b'"a;\nb";"c,\nd"']),
    (b'"a\nb",c\nd\n', b",", [b'"a\nb",c', b"d"]),
    (b'a\t"b\nc"\td\n', b"\t", [b'a\t"b\nc"\td']),
    (
        b"a" + SECTION + b'"b\nc"' + SECTION + b'"d\ne"\nf\n',
        SECTION,
        [b"a" + SECTION + b'"b\nc"' + SECTION + b'"d\ne"', b"f"],
    ),
    # a quote that does not begin its field is a character
    (b'a;5" x;c\nd\n', b";", [b'a;5" x;c', b"d"]),
    (b'a; "b\nc";d\n', b";", [b'a; "b', b'c";d']),
    (b'5";"b\nc"\nd\n', b";", [b'5";"b\nc"', b"d"]),
    (b'a,"b\nc",d\n', b";", [b'a,"b', b'c",d']),
    # a field that does not close: its record ends with the line in which it opens
    (b'a;"b\nc;d\ne;f\n', b";", [b'a;"b', b"c;d", b"e;f"]),
    (b'"', b";", [b'"']),
    (b'"\n', b";", [b'"']),
    (b'"""\na\n', b";", [b'"""', b"a"]),
    (b'"a\n"b\n"c\n"d\n', b";", [b'"a', b'"b', b'"c', b'"d']),
    (b'"a"x;b\nc\n', b";", [b'"a"x;b', b"c"]),
    (b'"a" ;b\nc\n', b";", [b'"a" ;b', b"c"]),
    (b'"a"\r;b\nc\n', b";", [b'"a"\r;b', b"c"]),
    (b'"a"\r\r\nc\n', b";", [b'"a"\r', b"c"]),
    (b'"a"x;"b\nc"\nd\n', b";", [b'"a"x;"b', b'c"', b"d"]),
    (b'a;"b\nc;d\ne;"f"\ng\n', b";", [b'a;"b', b"c;d", b'e;"f"', b"g"]),
    (b'a;"b\nc;""\ne;"f\ng"\n', b";", [b'a;"b', b'c;""', b'e;"f\ng"']),
    (b'"a\n1;2\nb";"c"x;d\ne\n', b";", [b'"a\n1;2\nb";"c"x;d', b"e"]),
    (b'"a\nb";"c\nd\n', b";", [b'"a\nb";"c', b"d"]),
    # two that cannot be told from a field that spans lines: what is meant shows in the number of fields
    (b'a;"b\nc;5";d\ne\n', b";", [b'a;"b\nc;5";d', b"e"]),
    (b'a;"b\nc;";d"\ne\n', b";", [b'a;"b\nc;";d"', b"e"]),
]
