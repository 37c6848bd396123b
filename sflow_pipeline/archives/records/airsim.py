"""AirSim's ``airsim_rec.txt``: the vehicle's pose at every moment, one line each."""

from sflow_pipeline.archives.archive import Archive
from sflow_pipeline.archives.records.record_table import Read, build_records, parse_field, read_rows

#: The column that lists the pictures, which every frame already has.
_PICTURES = "ImageFile"


def split_airsim_record(name: str, read: Read) -> Archive:
    """``<line, counted from 0>.json``: the line's columns, without its pictures."""
    values = {}
    for number, (names, fields) in enumerate(read_rows(read(name), "\t")):
        columns = zip(names, fields, strict=False)
        values[f"{number:06}.json"] = {column: parse_field(text) for column, text in columns if column != _PICTURES}
    return build_records(values)
