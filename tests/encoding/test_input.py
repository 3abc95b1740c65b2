from eosfm.encoding.input import InputFormat, InputSpec

SPEC = InputSpec("a", (4, 6), 2, "rgb", ("B04", "mean"), (3, None), "note")


def test_input_spec_as_plain_values():
    assert InputSpec.from_dict(SPEC.as_dict()) == SPEC


def test_input_format_as_plain_values():
    given = InputFormat(2, ("vv", "vh"), "dataset", (1.0, 2.0), (3.0, 4.0), ("db", "db"))
    assert InputFormat.from_dict(given.as_dict()) == given
    assert given.as_dict()["bands"] == ["vv", "vh"]
