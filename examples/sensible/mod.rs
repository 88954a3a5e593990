//! Plain, valid answers to what an agent is asked: what the fakes say when nothing else was scripted.

use serde_json::{Value, json};

/// Votes on a ballot as told: `sensible` keeps its own sides and agrees where it held none, `withdraw` takes its own back.
pub(crate) fn votes(ballot: &Value, how: &str) -> Value {
    let own: Vec<&Value> = ballot["yours"].as_array().into_iter().flatten().map(|yours| &yours["n"]).collect();
    let word = |item: &Value| match (how, own.contains(&&item["n"]), item["sides"].as_array().map(Vec::len)) {
        ("withdraw", true, _) => Some("withdraw"),
        ("sensible", true, _) => Some("keep"),
        ("sensible", false, Some(1)) => Some("agree"),
        _ => None,
    };
    let items = ballot["items"].as_array().into_iter().flatten();
    let votes: Vec<Value> = items
        .filter_map(|item| Some(json!({"n": item["n"], "vote": word(item)?, "because": format!("fake: {how}")})))
        .collect();
    json!({"schema": "dicast.round/1", "votes": votes})
}

/// Finds the last fenced JSON block of a schema.
pub(crate) fn block_of(prompt: &str, schema: &str) -> Option<Value> {
    prompt.rsplit("```json").find_map(|piece| {
        let value: Value = serde_json::from_str(piece.split("\n```").next()?).ok()?;
        (value["schema"] == schema).then_some(value)
    })
}

/// Builds a plain valid artifact: yes to every requirement, the quantity (or an abstention) to everything else.
pub(crate) fn artifact(ask: &Value, style: &str, quantity: Option<&str>) -> Value {
    let topics = ask["agenda"].as_array().cloned().unwrap_or_default();
    let requirements: Vec<String> = topics.iter().filter_map(|t| t["requirement"].as_str()).map(String::from).collect();
    let answer = |topic: &Value| match (topic["requirement"].as_str(), quantity) {
        (Some(_), _) => json!({"topic": topic["id"], "value": "yes", "because": format!("{style}: a step covers it")}),
        (None, Some(quantity)) => json!({"topic": topic["id"], "value": quantity, "unit": topic["unit"]}),
        (None, None) => json!({"topic": topic["id"], "abstain": true}),
    };
    let mut artifact = body(ask["stage"].as_str().unwrap_or_default(), style, &requirements);
    artifact["schema"] = json!("dicast.artifact/1");
    artifact["stage"] = ask["stage"].clone();
    artifact["summary"] = json!(format!("{style}: every requirement is covered."));
    artifact["answers"] = topics.iter().map(answer).collect();
    artifact
}

fn body(stage: &str, style: &str, requirements: &[String]) -> Value {
    let each = |make: &dyn Fn(usize, &String) -> Value| -> Vec<Value> {
        requirements.iter().enumerate().map(|(i, requirement)| make(i, requirement)).collect()
    };
    match stage {
        "specify" => json!({
            "requirements": [{"text": "The system MUST say why it refuses.", "because": style}],
            "success_criteria": ["Nobody asks twice why something was refused."],
        }),
        "plan" => json!({
            "work_breakdown": each(&|_, r| json!({"step": format!("{style}: build {r}"), "rationale": "asked for",
                "success_signal": "its test passes", "requirements": [r], "files": ["src/lib.rs"]})),
            "acceptance_mapping": each(&|_, r| json!({"requirement": r, "validation_step": "run its test",
                "artifact": "src/lib.rs"})),
        }),
        "tasks" => json!({
            "tasks": each(&|i, r| json!({"task_id": format!("T{:03}", i + 1), "order": i + 1,
                "title": format!("{style}: build {r}"), "depends_on": [], "requirements": [r],
                "files": ["src/lib.rs"], "validation_step": "run its test", "parallel": false})),
        }),
        "implement" => json!({"operations": []}),
        "validate" => json!({
            "scenarios": each(&|_, r| json!({"name": format!("{style}: {r}"), "requirement": r, "status": "pass"})),
            "decision": "PASS",
        }),
        "audit" => json!({"checks": each(&|_, r| json!({"item": r, "status": "pass"})), "decision": "GO"}),
        _ => json!({"decision": "APPROVED", "rationale": style}),
    }
}
