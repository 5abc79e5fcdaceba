from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from las.evaluation.vlmeval.metrics import MME_PARTS, sum_of_ratios, values_of
from tests.evaluation.vlmeval.seeing import choices, hallusion_bench, mme, pope


def judge(items: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Answers of a model that is right more often than not, but for a few that say nothing."""
    generator = np.random.default_rng(seed)
    right = generator.random(len(items)) < 0.7
    opposite = items["answer"].map({"Yes": "No", "No": "Yes"})
    opposite[generator.random(len(items)) < 0.2] = "Unknown"
    return items.assign(right=right, extracted=items["answer"].where(right, opposite))


def by_name(name: str, judged: pd.DataFrame) -> dict[str, tuple[float, float | None]]:
    return {value.name: (value.value, value.stderr) for value in values_of(name, judged)}


def spread_of_resampled_groups(name: str, judged: pd.DataFrame, groups: pd.Series) -> float:
    """Standard deviation of the first metric when whole groups are drawn with replacement."""
    generator = np.random.default_rng(1)
    members = [judged[groups == group] for group in groups.unique()]
    values = []
    for _ in range(300):
        drawn = [members[i] for i in generator.integers(len(members), size=len(members))]
        values.append(values_of(name, pd.concat(drawn, ignore_index=True))[0].value)
    return float(np.std(values))


def test_the_accuracy_has_the_usual_standard_error_of_a_mean():
    judged = judge(choices(50))
    right = judged["right"].to_numpy(float)
    value, stderr = by_name("MMStar", judged)["acc"]
    assert value == pytest.approx(right.mean())
    assert stderr == pytest.approx(right.std(ddof=1) / np.sqrt(50))


def test_one_item_has_no_standard_error():
    assert by_name("MMStar", judge(choices(1)))["acc"][1] is None


def test_pope_is_f1_of_yes_and_counts_an_item_in_every_category_it_is_in():
    judged = judge(pope(60))
    times = [2 if "," in category else 1 for category in judged["category"]]
    repeated = judged.loc[judged.index.repeat(times)]
    values = by_name("POPE", judged)
    expected = f1_score(repeated["answer"] == "Yes", repeated["extracted"] == "Yes")
    assert values["f1"][0] == pytest.approx(expected)
    assert values["acc"][0] == pytest.approx(repeated["right"].mean())
    each = pd.Series(judged.index, index=judged.index)
    assert values["f1"][1] == pytest.approx(
        spread_of_resampled_groups("POPE", judged, each), rel=0.2
    )


def test_f1_without_a_yes_is_0():
    judged = pope(4).assign(answer="No", extracted="No", right=True)
    assert by_name("POPE", judged) == {"f1": (0.0, None), "acc": (1.0, pytest.approx(0))}


def test_hallusion_bench_asks_for_whole_figures_and_for_questions_over_all_figures():
    judged = judge(hallusion_bench())
    place = ["l2-category", "set_id"]
    accuracies = {
        "aAcc": judged["right"].mean(),
        "fAcc": judged.groupby([*place, "figure_id"])["right"].all().mean(),
        "qAcc": judged.groupby([*place, "question_id"])["right"].all().mean(),
    }
    values = by_name("HallusionBench", judged)
    assert {name: values[name][0] for name in accuracies} == pytest.approx(accuracies)
    assert next(iter(values)) == "aAcc+fAcc+qAcc"
    assert values["aAcc+fAcc+qAcc"][0] == pytest.approx(100 * sum(accuracies.values()))


@pytest.mark.slow
def test_hallusion_benchs_standard_error_is_that_of_drawing_whole_sets():
    figures = [hallusion_bench().assign(number=number) for number in range(8)]
    items = pd.concat(figures, ignore_index=True)
    items["l2-category"] += items["number"].astype(str)
    judged = judge(items)
    groups = judged["l2-category"] + judged["set_id"].astype(str)
    # drawn twice, a set has to stay two sets
    stderr = by_name("HallusionBench", judged)["aAcc+fAcc+qAcc"][1]
    generator, values = np.random.default_rng(1), []
    members = [judged[groups == group] for group in groups.unique()]
    for _ in range(300):
        drawn = [
            members[i].assign(**{"l2-category": f"draw{k}"})
            for k, i in enumerate(generator.integers(len(members), size=len(members)))
        ]
        values.append(values_of("HallusionBench", pd.concat(drawn, ignore_index=True))[0].value)
    assert stderr == pytest.approx(np.std(values), rel=0.2)


def test_mme_gives_100_points_for_each_question_share_and_100_for_whole_images():
    judged = judge(mme(5))
    images = judged.groupby(["category", "image_path"])["right"]
    points = 100 * (images.mean() + images.all())
    per_category = points.groupby("category").mean()
    values = by_name("MME", judged)
    assert values["mme"][0] == pytest.approx(per_category.sum())
    for part, categories in MME_PARTS.items():
        assert values[part][0] == pytest.approx(per_category[list(categories)].sum())
    variances = points.groupby("category").var(ddof=1) / 5
    assert values["mme"][1] == pytest.approx(np.sqrt(variances.sum()))


def test_a_perfect_model_has_2800_points_and_300_percent():
    assert by_name("MME", mme(2).assign(right=True))["mme"][0] == pytest.approx(2800)
    assert values_of("HallusionBench", hallusion_bench().assign(right=True))[0].value == 300


def test_mme_without_a_category_or_with_half_an_image_is_refused():
    judged = mme(2).assign(right=True)
    with pytest.raises(ValueError, match=r"14 categories; without an image: posters\. Take more"):
        values_of("MME", judged[judged["category"] != "posters"])
    with pytest.raises(ValueError, match="pairs of questions"):
        values_of("MME", judged.iloc[1:])


def test_a_sum_of_ratios_of_the_same_groups_adds_their_errors_before_squaring():
    generator = np.random.default_rng(0)
    numerators = generator.random((1, 9))
    ones = np.ones_like(numerators)
    once = sum_of_ratios("x", numerators, ones)
    twice = sum_of_ratios("x", numerators.repeat(2, axis=0), ones.repeat(2, axis=0))
    assert once.stderr is not None
    assert twice.stderr == pytest.approx(2 * once.stderr)
