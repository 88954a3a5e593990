//! The schema of an answer, and its page in the docs, both from the types.
//!
//! It must not know prompts.

use std::fmt::Write as _;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::body::{Audit, Common, Implement, Plan, Specify, Tasks, Unlock, Validate};
use crate::domain::round;
use crate::domain::stage::Stage;

/// Words of a schema that only cost tokens: missing lists are said to be empty in the prompt.
const LEFT_OUT: [&str; 4] = ["$schema", "title", "default", "format"];

/// Returns the JSON Schema (draft 2020-12) of an answer at a stage; the topics stand in it as the only ones allowed.
pub fn answer_schema(stage: Stage, topics: &[String]) -> Value {
    let mut schema = of_stage(stage);
    if let Some(answer) = schema.pointer_mut("/$defs/Answer") {
        answer["properties"]["topic"] = json!({"type": "string", "enum": topics});
        answer["anyOf"] = json!([
            {"required": ["value"]},
            {"required": ["abstain"], "properties": {"abstain": {"const": true}}}
        ]);
    }
    if let Some(answers) = schema.pointer_mut("/properties/answers") {
        answers["minItems"] = json!(topics.len());
        answers["maxItems"] = json!(topics.len());
    }
    if !topics.is_empty()
        && let Some(required) = schema["required"].as_array_mut()
    {
        required.push(json!("answers"));
    }
    schema
}

fn of_stage(stage: Stage) -> Value {
    let common = schema_of::<Common>();
    let body = match stage {
        Stage::Specify => schema_of::<Specify>(),
        Stage::Plan => schema_of::<Plan>(),
        Stage::Tasks => schema_of::<Tasks>(),
        Stage::Implement => schema_of::<Implement>(),
        Stage::Validate => schema_of::<Validate>(),
        Stage::Audit => schema_of::<Audit>(),
        Stage::Unlock => schema_of::<Unlock>(),
    };
    let mut properties = merged(&common, &body, "properties");
    properties.insert("stage".into(), json!({"const": stage.name()}));
    properties.insert("schema".into(), json!({"const": super::candidates::ARTIFACT}));
    let mut definitions = merged(&common, &body, "$defs");
    for unused in ["Stage", "SchemaName"] {
        definitions.remove(unused);
    }
    let required: Vec<Value> =
        [&common, &body].into_iter().filter_map(|s| s["required"].as_array()).flatten().cloned().collect();
    json!({"type": "object", "required": required, "properties": properties, "$defs": definitions})
}

/// Returns the schema of a type, without what only costs tokens.
pub(in crate::domain) fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    prune(&mut schema);
    schema
}

fn merged(first: &Value, second: &Value, field: &str) -> Map<String, Value> {
    [first, second]
        .into_iter()
        .filter_map(|schema| schema[field].as_object())
        .flatten()
        .map(|(name, of)| (name.clone(), of.clone()))
        .collect()
}

/// Removes what only costs tokens. Only schemas are looked into: a property may bear any of these names.
fn prune(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for word in LEFT_OUT {
                map.remove(word);
            }
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(prune),
                    (_, value) => prune(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes `docs/artifacts.md`: what an answer holds, stage by stage.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    let mut definitions = Map::new();
    for stage in Stage::RECORDED {
        let schema = of_stage(stage);
        let _ = writeln!(out, "\n## {stage}\n");
        table(&mut out, &schema);
        definitions.extend(schema["$defs"].as_object().cloned().unwrap_or_default());
    }
    let round = round::schema();
    out.push_str(ROUND);
    table(&mut out, &round);
    definitions.extend(round["$defs"].as_object().cloned().unwrap_or_default());
    out.push_str("\n## Types\n");
    for (name, schema) in &definitions {
        let _ = writeln!(out, "\n### {name}\n");
        if let Some(words) = schema["description"].as_str() {
            let _ = writeln!(out, "{}\n", one_line(words));
        }
        match schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            Some(forms) => forms.iter().for_each(|form| alternative(&mut out, form)),
            None => table(&mut out, schema),
        }
    }
    out
}

const INTRODUCTION: &str = "# What agents answer

Generated from the types in `src/domain/artifact/body/`; a test compares.

The prompt ends with one fenced JSON block of schema `dicast.ask/1`; the answer holds one JSON object of schema
`dicast.artifact/1`, alone, in a fence, or among prose. Unknown fields are kept and ignored; missing lists are empty.
Each topic of the agenda is answered once, with a `value` or with `\"abstain\": true`.
";

const ROUND: &str = "
## round

What is asked ends with a block of schema `dicast.round/1`: `items[{n, claim, near?, sides[{n, value, because, evidence[],
host}]}]`, the same for everybody, and `yours[{n, side}]`, the sides that the asked agent holds itself. The type of the answer
is in `src/domain/round/answer.rs`; what each vote does is in `docs/verdicts.md`.

";

/// Writes one form of a type that has several.
fn alternative(out: &mut String, form: &Value) {
    if form["properties"].is_object() {
        let _ = writeln!(out, "{}\n", one_line(form["description"].as_str().unwrap_or("By fields:")));
        table(out, form);
        out.push('\n');
    } else {
        let words = form["description"].as_str().map(|words| format!(": {}", one_line(words))).unwrap_or_default();
        let _ = writeln!(out, "- {}{words}", kind_of(form));
    }
}

fn table(out: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    out.push_str("| field | type | required | meaning |\n|---|---|---|---|\n");
    for (name, field) in properties {
        let needed = if required.contains(&name.as_str()) { "yes" } else { "" };
        let words = field["description"].as_str().map(one_line).unwrap_or_default();
        let _ = writeln!(out, "| `{name}` | {} | {needed} | {words} |", kind_of(field));
    }
}

fn kind_of(schema: &Value) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or(target);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        return forms.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".into(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
