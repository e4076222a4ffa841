"""Templates of webhooks: what they write, what they refuse, what they may cost (rest-api 8)."""

import pytest

from particle_tools.cloud.webhooks.templates import Template, TemplateError, fill

DATA = {
    "text": "<a href='x'>\"&\"</a>",
    "number": 21.5,
    "whole": -7,
    "yes": True,
    "no": False,
    "null": None,
    "empty": "",
    "list": [{"name": "a", "deep": {"er": [10, 20]}}, {"name": "b"}],
    "words": ["x", "y"],
    "object": {"k": "ü"},
}


def render(text, *scopes):
    return Template(text).render(*(scopes or (DATA,)))


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("no tags }} at all { {", "no tags }} at all { {"),
        ("{{text}}", "&lt;a href=&#x27;x&#x27;&gt;&quot;&amp;&quot;&lt;/a&gt;"),
        ("{{{text}}}", DATA["text"]),
        ("{{& text }}", DATA["text"]),
        ("{{number}} {{whole}} {{yes}} {{no}}", "21.5 -7 true false"),
        ("[{{null}}{{empty}}{{missing}}{{object.missing}}{{words.2}}]", "[]"),
        ("{{{object}}} {{{words}}}", '{"k": "ü"} ["x", "y"]'),
        ("{{list.0.name}} {{list.1.name}} {{list.0.deep.er.1}} {{words.0}}", "a b 20 x"),
        ("{{#list}}{{name}};{{/list}}", "a;b;"),
        ("{{#words}}{{.}}{{/words}} {{#object}}{{k}}{{/object}}", "xy ü"),
        ("{{#yes}}1{{/yes}}{{#no}}2{{/no}}{{#null}}3{{/null}}{{#empty}}4{{/empty}}", "1"),
        ("{{^yes}}1{{/yes}}{{^no}}2{{/no}}{{^missing}}3{{/missing}}{{^words}}4{{/words}}", "23"),
        ("{{#list}}{{whole}}{{/list}}", "-7-7"),  # the outer names are seen within
        ("a{{! a comment }}b", "ab"),
        ("{{text.upper}}{{text.__class__}}{{words.append}}", ""),  # data has no methods
    ],
)
def test_what_is_written(template, written):
    assert render(template) == written


def test_the_last_scope_comes_first():
    assert render("{{a}}{{b}}{{c}}", {"a": 1, "b": 1}, {"b": 2, "c": 2}) == "122"
    # Data that is no object has indexes, or nothing.
    assert render("{{1}}{{x}}", ["a", "b"], {"x": "c"}) == "bc"
    assert render("{{x}}{{y}}", None, {"x": "c"}) == "c"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{a", "not closed"),
        ("{{{{" * 4000, "not closed"),
        ("{{#a}}", "not closed"),
        ("{{/a}}", "not closed"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "not closed"),
        ("{{}}", "no name"),
        ("{{ " + " " * 150 + "a}}", "longer than 128"),
        ("x" + " " * 4000 + "y", "200 blanks"),
        ("{{> partial}}", "not served"),
        ("{{=<% %>=}}", "not served"),
        ("{{#a}}" * 17 + "{{/a}}" * 17, "16 deep"),
    ],
)
def test_what_is_refused(template, reason):
    with pytest.raises(TemplateError, match=reason):
        Template(template)


@pytest.mark.parametrize(
    ("template", "data"),
    [
        ("{{#a}}" * 10 + "{{.}}" + "{{/a}}" * 10, {"a": [1] * 100}),
        ("{{{a}}}" * 2000, {"a": "x" * 100_000}),
        ("{{#a}}{{/a}}", {"a": [0] * 100_000}),
    ],
)
def test_work_is_bounded(template, data):
    with pytest.raises(TemplateError, match="repeats too much"):
        render(template, data)


def test_json_is_filled_text_by_text():
    value = {"a{{n}}": ["{{t}}", 1, None, True, {"b": "{{{t}}}"}]}
    templates = {text: Template(text) for text in ("a{{n}}", "{{t}}", "b", "{{{t}}}")}
    scope = {"n": 5, "t": '"<'}
    assert fill(value, lambda text: templates[text].render(scope)) == {
        "a5": ["&quot;&lt;", 1, None, True, {"b": '"<'}]
    }
