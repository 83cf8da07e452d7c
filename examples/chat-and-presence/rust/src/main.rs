//! The chat on the official SDK for Rust.
// Since 0.25 the SDK marks triggers and stream providers as deprecated. This example uses them on purpose.
#![allow(deprecated)]

mod chat;
mod presence;

use iii_sdk::errors::Error;
use iii_sdk::helpers::create_stream;
use iii_sdk::iii::{IIIClient, RegisterFunction, WorkerMetadata};
use iii_sdk::protocol::RegisterTriggerInput;
use iii_sdk::{register_worker, InitOptions};
use serde_json::{json, Value};

use crate::chat::{Failure, FUNCTIONS};
use crate::presence::Presence;

/// Serves a function over HTTP. Its input has the members of the body and the path. A result of null becomes a 404.
fn route(iii: &IIIClient, method: &str, path: &str, id: &'static str, success: u16) -> Result<(), Error> {
    let served = format!("http::{id}");
    let client = iii.clone();
    iii.register_function(
        served.clone(),
        RegisterFunction::new_async(move |request: Value| {
            let iii = client.clone();
            async move {
                match chat::run(&iii, id, &input_of(&request)).await {
                    Ok(Value::Null) => Ok(json!({ "status_code": 404, "body": { "error": "not found" } })),
                    Ok(body) => Ok(json!({ "status_code": success, "body": body })),
                    Err(Failure::BadInput(message)) => Ok(json!({ "status_code": 400, "body": { "error": message } })),
                    Err(Failure::Call(error)) => Err(error),
                }
            }
        }),
    );
    iii.register_trigger(RegisterTriggerInput::new("http", served, json!({ "api_path": path, "http_method": method })))?;
    Ok(())
}

fn input_of(request: &Value) -> Value {
    let mut input = request["body"].as_object().cloned().unwrap_or_default();
    input.extend(request["path_params"].as_object().cloned().unwrap_or_default());
    Value::Object(input)
}

fn main() -> Result<(), Error> {
    let address = std::env::var("III_URL").unwrap_or_else(|_| "ws://127.0.0.1:49134".into());
    let metadata = WorkerMetadata { name: "chat-and-presence".into(), ..WorkerMetadata::default() };
    let iii = register_worker(&address, InitOptions { metadata: Some(metadata), ..InitOptions::default() });

    for id in FUNCTIONS {
        let client = iii.clone();
        iii.register_function(
            id,
            RegisterFunction::new_async(move |input: Value| {
                let iii = client.clone();
                async move { chat::run(&iii, id, &input).await.map_err(Error::from) }
            }),
        );
    }
    route(&iii, "POST", "/rooms/:room/messages", "chat::post", 201)?;
    route(&iii, "GET", "/rooms/:room/messages", "chat::list", 200)?;
    route(&iii, "GET", "/rooms/:room/messages/:id", "chat::get", 200)?;
    route(&iii, "DELETE", "/rooms/:room/messages/:id", "chat::delete", 200)?;
    route(&iii, "POST", "/rooms/:room/events", "chat::broadcast", 200)?;
    route(&iii, "PUT", "/rooms/:room/members/:user", "presence::join", 200)?;
    route(&iii, "DELETE", "/rooms/:room/members/:user", "presence::leave", 200)?;
    route(&iii, "GET", "/rooms/:room/members", "presence::list", 200)?;
    create_stream(&iii, "presence", Presence { iii: iii.clone() });

    // The SDK runs on a thread of its own. This thread only keeps the process alive.
    loop {
        std::thread::park();
    }
}
