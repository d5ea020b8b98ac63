"""Certificates: for which grades they hold, what the gate demands of them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mmrare_judge.calibration.gate import Thresholds, failures
from mmrare_judge.certificate import (
    Calibration,
    Certificate,
    CertifiedCriterion,
    Measured,
    Rules,
    calibration_of,
    read_certificate,
)
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.records import Signature
from support.study_makers import signature

TODAY = date(2026, 1, 31)
KAPPA = Measured(value=0.7, low=0.61, high=0.78, n=120)
HARM = Measured(value=0.1, low=0.02, high=0.26, n=30)


def certificate(**changes: Any) -> Certificate:
    fields: dict[str, Any] = {
        "signature": signature(), "rules": Rules(), "dated": TODAY, "package": "0.1.0",
        "gold": "gold", "gold_hash": "sha256-c1:01", "statistic": "cohen_kappa", "margin": 0.1,
        "tone": "open", "verdict": ("Not decided.",), "coverage": 0.98,
        "study_hash": "sha256-c1:02",
        "criteria": {
            "quality": CertifiedCriterion(
                kind="quality", agreement=KAPPA, kappa=KAPPA, non_inferiority="non-inferior"
            ),
            "safe": CertifiedCriterion(
                kind="safety", agreement=Measured(value=0.5, low=0.3, high=0.7, n=120),
                non_inferiority="inconclusive", missed_harm=HARM,
            ),
        },
    }  # fmt: skip
    return Certificate(**fields | changes)


def test_it_holds_for_the_way_of_judging_that_was_studied() -> None:
    found = certificate().check(signature(), TODAY)
    assert found == Calibration(status="calibrated", certificate=certificate().hash, verdict="open")


@pytest.mark.parametrize("name", Signature.model_fields)
def test_any_other_field_of_the_signature_makes_it_stale_and_is_named(name: str) -> None:
    other: Any = {"changed": 1} if name in ("sampling", "policy") else "changed"
    found = certificate().check(signature(**{name: other}), TODAY)
    assert found.status == "stale"
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(f"{name} was ")
    assert "changed" in found.reasons[0]


def test_it_holds_to_the_end_of_its_last_day() -> None:
    ending = certificate(rules=Rules(expires=TODAY))
    assert ending.check(signature(), TODAY).status == "calibrated"
    after = ending.check(signature(), date(2026, 2, 1))
    assert after.reasons == ("it expired on 2026-01-31",)


def test_many_grades_are_calibrated_only_if_all_are() -> None:
    both = [signature(), signature(reported_model="judge-2")]
    assert calibration_of(certificate(), both[:1], TODAY).status == "calibrated"
    assert calibration_of(certificate(), both, TODAY).status == "stale"
    assert calibration_of(None, both, TODAY).status == "uncalibrated"
    assert calibration_of(certificate(), [], TODAY).status == "stale"


def test_it_reads_back_from_its_file_and_from_the_studys_folder(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(certificate().model_dump_json())
    for source in (path, str(path), tmp_path):
        assert read_certificate(source).hash == certificate().hash


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read: No such file"),
        ("{", "Invalid JSON"),
        ("{}", "signature: Field required"),
    ],
    ids=["absent", "no JSON", "empty"],
)
def test_what_is_no_certificate_says_where_one_comes_from(
    tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "calibration.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        read_certificate(path)
    assert "mmrare-judge calibrate" in str(caught.value)


# The gate


@pytest.mark.parametrize(
    ("demand", "failing"),
    [
        ({"min_kappa": 0.3}, []),
        ({"min_kappa": 0.31}, ["kappa on safe is 0.500 (0.300 to 0.700, n 120)"]),
        ({"min_kappa": 0.5, "by": "estimate"}, []),
        ({"min_kappa": 0.61, "criteria": ("quality",)}, []),
        ({"max_missed_harm": 0.26}, []),
        ({"max_missed_harm": 0.25}, ["missed harm on safe is 0.100"]),
        ({"max_missed_harm": 0.1, "by": "estimate"}, []),
        ({"min_coverage": 0.98}, []),
        ({"min_coverage": 0.99}, ["coverage of the study is 0.980, below 0.99"]),
        (
            {"non_inferior": True},
            ["the verdict is not proven", "non-inferiority on safe is not shown: inconclusive"],
        ),
        ({"non_inferior": True, "criteria": ("quality",)}, ["the verdict is not proven"]),
        ({"min_kappa": 0.1, "criteria": ("dose",)}, ["dose was not studied"]),
    ],
)
def test_the_gate_names_what_fails(demand: dict[str, Any], failing: list[str]) -> None:
    found = failures(certificate(), Thresholds(**demand))
    assert len(found) == len(failing)
    for message, start in zip(found, failing, strict=True):
        assert message.startswith(start)


def test_what_is_not_known_does_not_pass() -> None:
    unknown = Measured(value=None, reason="every label is 'YES': nothing varies")
    criteria = {"safe": CertifiedCriterion(kind="safety", agreement=unknown, kappa=unknown)}
    bare = certificate(criteria=criteria, margin=None)
    assert failures(bare, Thresholds(min_kappa=0.0)) == (
        "kappa on safe is not known: every label is 'YES': nothing varies",
    )
    assert failures(bare, Thresholds(max_missed_harm=1.0)) == (
        "missed harm on safe is not known: it was not measured",
    )
    assert failures(bare, Thresholds(non_inferior=True))[1:] == (
        "non-inferiority on safe is not shown: not tested: no margin was given",
    )
    with_margin = failures(certificate(criteria=criteria), Thresholds(non_inferior=True))
    assert "labels do not allow it" in with_margin[1]
    no_safety = {"quality": certificate().criteria["quality"]}
    assert "no safety criterion" in " ".join(
        failures(certificate(criteria=no_safety), Thresholds(max_missed_harm=1.0))
    )


def test_kappa_is_that_of_the_verdict_and_no_other_statistic_stands_in_for_it() -> None:
    other = certificate(statistic="gwet_ac1")
    assert failures(other, Thresholds(min_kappa=0.1, criteria=("quality",))) == (
        "kappa on quality is not known: the study's statistic is gwet_ac1",
    )


def test_a_value_without_an_interval_passes_only_as_an_estimate() -> None:
    few = Measured(value=0.9, n=4, reason="fewer than two clusters: no interval")
    criteria = {"q": CertifiedCriterion(kind="quality", agreement=few, kappa=few)}
    bare = certificate(criteria=criteria)
    assert failures(bare, Thresholds(min_kappa=0.5)) != ()
    assert failures(bare, Thresholds(min_kappa=0.5, by="estimate")) == ()


def test_of_sampling_and_policy_only_what_differs_is_named() -> None:
    studied = certificate(signature=signature(policy={"backend": "litellm", "reask": 2}))
    other = signature(policy={"backend": "direct", "reask": 2})
    assert studied.check(other, TODAY).reasons == (
        'policy was {"backend":"litellm"} in the study and is {"backend":"direct"}',
    )


def test_a_stale_certificate_and_a_run_judged_in_part_do_not_pass() -> None:
    stale = Calibration(status="stale", reasons=("judge was a in the study and is b",))
    found = failures(
        certificate(), Thresholds(min_coverage=0.9), calibration=stale,
        coverages=[("m on treatment", 0.5), ("n on treatment", 0.95)],
    )  # fmt: skip
    assert found == (
        "the certificate is stale: judge was a in the study and is b",
        "coverage of m on treatment is 0.500, below 0.9",
    )


def test_coverage_is_demanded_of_every_criterion_not_of_their_mean() -> None:
    quality, safe = certificate().criteria.values()
    criteria = {
        "quality": quality.model_copy(update={"coverage": 1.0}),
        "safe": safe.model_copy(update={"coverage": 0.4}),
    }
    found = failures(certificate(criteria=criteria), Thresholds(min_coverage=0.9))
    assert found == ("coverage of safe in the study is 0.400, below 0.9",)
    assert failures(certificate(criteria=criteria), Thresholds(
        min_coverage=0.9, criteria=("quality",)
    )) == ()  # fmt: skip


def test_a_criterion_that_nobody_labelled_does_not_pass_unless_others_are_named() -> None:
    part = certificate(unstudied=("dose",))
    assert failures(part, Thresholds(min_kappa=0.3)) == (
        "dose was not studied: nobody labelled it",
    )
    assert failures(part, Thresholds(min_kappa=0.3, criteria=("quality", "safe"))) == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="min_kappa is"):
        Thresholds(min_kappa=value)


def test_a_value_that_is_no_number_is_no_certificate() -> None:
    text = certificate().model_dump_json().replace("0.61", "NaN")
    with pytest.raises(ValidationError, match="finite number"):
        Certificate.model_validate_json(text)
