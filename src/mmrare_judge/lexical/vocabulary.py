"""Words by which the form rules of the embedded judge know what they look for."""

from __future__ import annotations

import re

from mmrare_judge.lexical.stems import stem


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


FOLLOW_UP = _stems("monitor monitoring surveillance recheck repeat reassess reassessment review")
"""Words of follow-up; "follow-up" itself is a term of the table."""

MONITORED = _stems(
    """
    acuity albumin antibody bilirubin biopsy calcium cholesterol cortisol count creatinine culture
    echocardiogram electrocardiogram electrolyte endoscopy enzyme ferritin glucose growth hearing
    hematocrit hemoglobin hepatic hormone imaging inr kidney lactate leukocyte level lipid liver
    lymphocyte magnesium marker neurological neutrophil oxygen panel phosphate platelet potassium
    pressure profile protein proteinuria radiograph renal saturation scan sodium spirometry sugar
    temperature thyroid titer transaminase troponin trough urinalysis urine viral visual weight
    x-ray
    """
)
"""Things that are measured in follow-up, beside the tests of the table."""

PARAMETERS = _stems(
    """
    24 3d 4d abdomen abdominal angiography ankle anteroposterior antibody antigen aorta aortic ap
    arm arterial axial axilla axillary bilateral bone brain breast capillary cardiac carotid
    cerebral cervical chest congo contrast core coronal coronary cranial csf culture dental
    diffusion direct dna doppler dotatate duplex dwi dynamic elbow enhanced excisional facial
    fasting fdg femoral femur fine flair foot free frozen gadolinium gram guided hand head hepatic
    hip humerus iga igg igm incisional indirect jaw kidney knee lateral leg liver lower lumbar
    lumbosacral lung lymph mandible maxillary mediastinal morning multiphase mutation neck needle
    nerve node noncontrast oblique orbit orbital ovarian pancreas pancreatic panel pelvic pelvis
    phase pituitary plasma portal prostate psma pulmonary punch random rectal renal resolution rna
    sacral sagittal scrotal sensitivity serum shoulder sinus skin skull spectral spinal spine
    spleen sputum stain staining standing stir stool supine t1 t2 temporal testicular thigh
    thoracic thorax thyroid tibia total transabdominal transesophageal transthoracic transvaginal
    triphasic unenhanced upper urinary urine uterine uterus vaginal venous vertebra view weighted
    wrist
    """
)
"""Body regions, contrast, sequences, views, specimens and techniques that make a test specific."""

BRANCH = re.compile(
    r"\b(?:if|unless|otherwise|depending\s+on|in\s+(?:the\s+)?(?:case|event)\s+of|should\s+\w+\s+"
    r"(?:be|show|reveal|remain|prove)|(?:when|once)\s+(?:\w+\s+){0,4}(?:positive|negative|abnormal|"
    r"normal|inconclusive|elevated|confirmed|excluded)|based\s+on\s+(?:the\s+)?(?:results?|findings))\b",
    re.IGNORECASE,
)
"""Words that make one step depend on what another one shows."""

ORDER = re.compile(
    r"\b(?:first|second|third)[\s-]line\b|\b(?:first(?:ly)?|second(?:ly)?|initially|initial\s+"
    r"(?:tests?|work-?up|evaluation|step|imaging)|then|next|followed\s+by|subsequent(?:ly)?|finally|"
    r"thereafter|confirmatory|step\s+\d+|prior\s+to|before\s+proceeding)\b",
    re.IGNORECASE,
)
"""Words that put steps in an order."""

THRESHOLD = re.compile(
    r"(?:[<>≤≥]|\b(?:above|below|over|under|exceed(?:s|ing)?|greater\s+than|less\s+than|more\s+than|"
    r"lower\s+than|higher\s+than|at\s+least|cut-?offs?(?:\s+of)?|thresholds?(?:\s+of)?|scores?(?:\s+of)?))"
    r"\s*=?\s*\d",
    re.IGNORECASE,
)
"""A comparison with a number."""
