from __future__ import annotations

import base64
from pathlib import Path

import pytest
import torch
from PIL import Image

from las.evaluation.vlmeval.model import ChatModel
from las.evaluation.vlmeval.prompts import question
from tests import tiny_models
from tests.evaluation.vlmeval.seeing import llava_processor, picture

TEMPLATE = (
    "{% for message in messages %}{% for piece in message['content'] %}"
    "{% if piece['type'] == 'image' %}<image>{% else %} what {{ piece['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %} is{% endif %}"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(base64.b64decode(picture(0)))
    return path


def chat(max_new_tokens: int = 3, template: str | None = None, prompt=question) -> ChatModel:
    return ChatModel(
        tiny_models.build("llava"),
        llava_processor(template),
        which="ANN",
        prompt=prompt,
        max_new_tokens=max_new_tokens,
    )


def message(image: Path, text: str = "is it red") -> list[dict[str, str]]:
    return [{"type": "image", "value": str(image)}, {"type": "text", "value": text}]


def test_the_answer_is_the_most_likely_word_each_time(image):
    model = chat()
    pixels = Image.open(image).convert("RGB")
    inputs = model.processor(images=[pixels], text="<image> is it red", return_tensors="pt")
    ids = inputs["input_ids"]
    with torch.no_grad():
        for _ in range(3):
            logits = model.model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits
            ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    answer = ids[0, inputs["input_ids"].shape[1] :]
    expected = model.processor.tokenizer.decode(answer, skip_special_tokens=True)
    assert expected
    assert model.generate(message(image), "POPE") == expected
    assert model.seconds > 0


def test_the_answer_depends_on_the_picture_and_not_on_the_call(tmp_path):
    model = chat(max_new_tokens=6)
    answers = []
    for seed in range(8):
        path = tmp_path / f"{seed}.png"
        path.write_bytes(base64.b64decode(picture(seed)))
        answers.append(model.generate(message(path)))
        assert model.generate(message(path)) == answers[-1]
    assert len(set(answers)) > 1


def test_images_of_any_mode_are_read_as_colours(image, tmp_path):
    grey = tmp_path / "grey.png"
    Image.open(image).convert("LA").save(grey)
    assert isinstance(chat().generate(message(grey)), str)


def test_a_prompt_without_a_picture_is_text_alone():
    assert isinstance(chat().generate([{"type": "text", "value": "what is it"}]), str)


def test_without_a_template_an_image_is_the_processors_token(image):
    two = [message(image)[0], *message(image)]
    assert chat().prompt_text(two) == "<image> <image> is it red"


def test_a_chat_template_is_used_if_there_is_one(image):
    assert chat(template=TEMPLATE).prompt_text(message(image)) == "<image> what is it red is"


def test_a_prompt_of_its_own_takes_all_images_of_an_item(image):
    model = chat()
    assert model.use_custom_prompt("any set")
    model.set_dump_image(lambda item: [str(image)] * item["pictures"])
    item = {"question": "is it red", "pictures": 2}
    assert model.build_prompt(item, "any set") == [message(image)[0], *message(image)]
    assert not chat(prompt=None).use_custom_prompt("any set")


def test_a_model_that_gives_nan_is_no_model_with_wrong_answers(image):
    model = chat()
    with torch.no_grad():
        model.model.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"ANN gives NaN .* a question of POPE"):
        model.generate(message(image), "POPE")
