//! A worker on the official SDK. A test sends commands as JSON lines on stdin. Answers and events go to stdout.
//! ../language-worker.ts sends the commands, which ../python-worker.py has too.
// The SDK marks triggers and stream providers as deprecated. This worker exists to run them.
#![allow(deprecated)]

mod backend;
mod lines;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use iii_helpers::observability::OtelConfig;
use iii_sdk::errors::Error;
use iii_sdk::helpers::create_stream;
use iii_sdk::iii::{FunctionRef, IIIClient, RegisterFunction, RegisterTriggerType, WorkerMetadata};
use iii_sdk::protocol::{RegisterTriggerInput, TriggerAction, TriggerRequest};
use iii_sdk::triggers::{Trigger, TriggerConfig, TriggerHandler};
use iii_sdk::{register_worker, InitOptions};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::backend::Backend;
use crate::lines::{report, say};

#[derive(Default)]
struct Registered {
    functions: HashMap<String, FunctionRef>,
    triggers: HashMap<String, Trigger>,
}

struct Worker {
    iii: IIIClient,
    registered: Mutex<Registered>,
}

struct Provider;

#[async_trait]
impl TriggerHandler for Provider {
    async fn register_trigger(&self, config: TriggerConfig) -> Result<(), Error> {
        report("bound", binding(&config), Value::Null);
        Ok(())
    }

    async fn unregister_trigger(&self, config: TriggerConfig) -> Result<(), Error> {
        report("unbound", binding(&config), Value::Null);
        Ok(())
    }
}

fn binding(config: &TriggerConfig) -> Value {
    json!({ "id": config.id, "function_id": config.function_id, "config": config.config })
}

fn text(command: &Value, key: &str) -> String {
    command[key].as_str().unwrap_or_default().to_string()
}

/// Returns a function of a test by its name.
fn handler(id: String, kind: String) -> RegisterFunction {
    RegisterFunction::new_async(move |data: Value, metadata: Option<Value>| {
        let (id, kind) = (id.clone(), kind.clone());
        async move {
            match kind.as_str() {
                "echo" => Ok(json!({ "got": data, "metadata": metadata })),
                "fail" => Err(Error::Handler("boom".into())),
                "refuse" => Ok(json!({ "unauthorized": true })),
                "record" => {
                    report(&id, data, metadata.unwrap_or(Value::Null));
                    Ok(Value::Null)
                }
                _ => Ok(Value::Null),
            }
        }
    })
    // A call of this worker to itself must go over the wire. Otherwise the test would not test the engine.
    .local_dispatch(false)
}

fn described(error: &Error) -> Value {
    match error {
        Error::Remote { code, message, .. } => json!({ "code": code, "message": message }),
        Error::Timeout => json!({ "code": "TIMEOUT", "message": error.to_string() }),
        other => json!({ "code": "local", "message": other.to_string() }),
    }
}

impl Worker {
    async fn trigger(&self, command: &Value) -> Result<Value, Value> {
        let void = command["do"] == "void";
        let request = TriggerRequest {
            function_id: text(command, "id"),
            payload: command["payload"].clone(),
            action: void.then_some(TriggerAction::Void),
            timeout_ms: command["timeout_ms"].as_u64(),
        };
        let metadata = command["metadata"].clone();
        let outcome = if metadata.is_null() { self.iii.trigger(request).await } else { self.iii.trigger(request.metadata(metadata)).await };
        outcome.map_err(|error| described(&error))
    }

    async fn carry_out(&self, command: &Value) -> Result<Value, Value> {
        let id = text(command, "id");
        match text(command, "do").as_str() {
            "call" | "void" => self.trigger(command).await,
            "serve" => {
                let function = self.iii.register_function(id.clone(), handler(id.clone(), text(command, "as")));
                self.registered.lock().expect("no holder panics").functions.insert(id, function);
                Ok(Value::Null)
            }
            "unserve" => {
                if let Some(function) = self.registered.lock().expect("no holder panics").functions.remove(&id) {
                    function.unregister();
                }
                Ok(Value::Null)
            }
            "bind" => {
                let mut input = RegisterTriggerInput::new(text(command, "type"), id, command["config"].clone());
                if !command["metadata"].is_null() {
                    input = input.with_metadata(command["metadata"].clone());
                }
                let trigger = self.iii.register_trigger(input).map_err(|error| described(&error))?;
                self.registered.lock().expect("no holder panics").triggers.insert(text(command, "handle"), trigger);
                Ok(Value::Null)
            }
            "unbind" => {
                if let Some(trigger) = self.registered.lock().expect("no holder panics").triggers.remove(&text(command, "handle")) {
                    trigger.unregister();
                }
                Ok(Value::Null)
            }
            "provide" => {
                self.iii.register_trigger_type(RegisterTriggerType::new(text(command, "type"), "of a test", Provider));
                Ok(Value::Null)
            }
            "create_stream" => {
                create_stream(&self.iii, text(command, "name"), Backend::default());
                Ok(Value::Null)
            }
            "state" => Ok(json!(format!("{:?}", self.iii.get_connection_state()).to_lowercase())),
            other => Err(json!({ "code": "local", "message": format!("no command {other}") })),
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, name] = arguments.as_slice() else { panic!("rust-worker ADDRESS NAME") };
    let metadata = WorkerMetadata { name: name.clone(), ..WorkerMetadata::default() };
    // Telemetry goes to port 49134 of this machine unless it has an address.
    let otel = std::env::var("TELEMETRY").ok().map(|_| OtelConfig {
        enabled: Some(true),
        engine_ws_url: Some(address.clone()),
        metrics_export_interval_ms: Some(200),
        ..OtelConfig::default()
    });
    let iii = register_worker(address, InitOptions { metadata: Some(metadata), otel, ..InitOptions::default() });
    let worker = Arc::new(Worker { iii, registered: Mutex::default() });
    say(&json!({ "ready": true }));
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = input.next_line().await {
        let command: Value = serde_json::from_str(&line).expect("a test sends JSON");
        let worker = Arc::clone(&worker);
        let answer = async move {
            let n = command["n"].clone();
            match worker.carry_out(&command).await {
                Ok(result) => say(&json!({ "n": n, "result": result })),
                Err(error) => say(&json!({ "n": n, "error": error })),
            }
        };
        // Calls run in parallel. Registrations and void calls keep the order of their lines.
        if line.contains("\"do\":\"call\"") {
            tokio::spawn(answer);
        } else {
            answer.await;
        }
    }
    worker.iii.shutdown_async().await;
}
