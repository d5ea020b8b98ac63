"""JSON schemas of the records that files hold, as text."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from mmrare_judge.backends.base import JudgeSpec
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import Rubric

_RECORDS: dict[str, type[BaseModel]] = {
    "grade": Grade,
    "item": Item,
    "prediction": Prediction,
    "rubric": Rubric,
    "judge": JudgeSpec,
}


def json_schema(what: str) -> str:
    """The JSON schema of a record, as text.

    >>> json.loads(json_schema("grade"))["title"]
    'Grade'
    """
    mode: Any = "serialization" if what == "grade" else "validation"
    return json.dumps(_RECORDS[what].model_json_schema(mode=mode), indent=2, ensure_ascii=False)
